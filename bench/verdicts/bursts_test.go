package main

import (
	"testing"
	"time"

	"github.com/vextrus/finance-rollout/internal/gate"
)

// A canary that serves well for an hour and then fails for a minute: today's rule latches it for that, a quarantine
// takes it out and lets it in again, and the cap alone leaves it in traffic.
func TestRulesOnABadMinute(t *testing.T) {
	var trials []*trial
	for _, r := range rules() {
		trials = append(trials, newTrial(r))
	}
	for at := time.Second; at <= 2*time.Hour; at += time.Second {
		canary := gate.Counts{N: 2}
		if at > time.Hour && at <= time.Hour+time.Minute {
			canary.K = 2
		}
		for _, tr := range trials {
			tr.second(at, canary, gate.Counts{N: 18})
		}
	}
	for _, tr := range trials {
		out := tr.isolatedAt - time.Hour
		switch fast := tr.rule.bound == nil || tr.rule.quarantine != nil; {
		case fast && (out <= 0 || out > 10*time.Second):
			t.Errorf("%s: out after %v", tr.rule.name, out)
		case tr.rule.bound == nil && tr.convictedAt != tr.isolatedAt:
			t.Errorf("%s: latched at %v", tr.rule.name, tr.convictedAt)
		case tr.rule.bound != nil && tr.convictedAt != 0:
			t.Errorf("%s: latched after %v", tr.rule.name, tr.convictedAt-time.Hour)
		case tr.rule.quarantine != nil && (tr.quarantines != 1 || tr.state.Out != time.Minute || !tr.state.InTraffic()):
			t.Errorf("%s: %d quarantines of %v", tr.rule.name, tr.quarantines, tr.state.Out)
		}
	}
}

func TestRates(t *testing.T) {
	if got, err := numbers("100,600"); err != nil || len(got) != 2 || got[1] != 600 {
		t.Errorf("%v, %v", got, err)
	}
	for _, text := range []string{"", "100,", "x", "0"} {
		if _, err := numbers(text); err == nil {
			t.Errorf("%q is accepted", text)
		}
	}
}
