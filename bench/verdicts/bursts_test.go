package main

import (
	"testing"
	"time"

	"github.com/vextrus/finance-rollout/internal/bursts"
	"github.com/vextrus/finance-rollout/internal/gate"
)

// A canary that serves well for an hour and then fails for a minute: without a quarantine the guard latches it for
// that, with one it takes it out and lets it in again.
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
		switch {
		case out <= 0 || out > 10*time.Second:
			t.Errorf("%s: out after %v", tr.rule.name, out)
		case tr.rule.quarantine == nil && tr.convictedAt != tr.isolatedAt:
			t.Errorf("%s: latched at %v", tr.rule.name, tr.convictedAt)
		case tr.rule.quarantine != nil && (tr.convictedAt != 0 || tr.quarantines < 1 || tr.quarantines > 3 ||
			!tr.guard.InTraffic()):
			t.Errorf("%s: %d quarantines of %v, latched at %v", tr.rule.name, tr.quarantines, tr.guard.State().Out,
				tr.convictedAt)
		}
	}
}

// A bad share in a few looks is rolled back by the rules of other tools, in their own numbers.
func TestRulesOfOthers(t *testing.T) {
	for _, tt := range []struct {
		badMinutes     int
		argo, flagger  bool
		requests, fail int64
	}{
		{0, false, false, 120, 0},
		{4, false, false, 120, 2}, // above 1 % in four minutes: five times is one too many for Flagger
		{5, false, true, 120, 2},
		{20, true, true, 120, 2},
		{20, false, false, 0, 0},
	} {
		rules := others()
		for second := time.Second; second <= time.Hour; second += time.Second {
			var counts gate.Counts
			if second%time.Minute == 0 {
				counts.N = tt.requests
				if int(second/time.Minute) <= tt.badMinutes {
					counts.K = tt.fail
				}
			}
			for _, rule := range rules {
				rule.second(second, counts, gate.Counts{})
			}
		}
		if got := [2]bool{rules[0].rolledBack() > 0, rules[1].rolledBack() > 0}; got != [2]bool{tt.argo, tt.flagger} {
			t.Errorf("%d bad minutes: rolled back by %v", tt.badMinutes, got)
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

// BenchmarkSoak is one simulated soak under all rules.
func BenchmarkSoak(b *testing.B) {
	spec := bursts.Healthy(2)[0]
	for seed := uint64(0); b.Loop(); seed++ {
		soaked(spec, 2, seed, true)
	}
}
