package guard

import (
	"testing"
	"time"

	"github.com/vextrus/finance-rollout/internal/advance"
	"github.com/vextrus/finance-rollout/internal/gate"
	"github.com/vextrus/finance-rollout/internal/ledger"
	"github.com/vextrus/finance-rollout/internal/plan"
)

func TestExtend(t *testing.T) {
	schedule := plan.Soak{Duration: 48 * time.Hour, Extension: 24 * time.Hour}
	look := func(soaked time.Duration, extensions int, verdict gate.Verdict) advance.Soak {
		return advance.Soak{Plan: schedule, Soaked: soaked, Extensions: extensions,
			Evaluation: gate.Evaluation{Results: []gate.Result{{Name: "error rate", Verdict: verdict, Reason: "because"}}}}
	}
	tests := []struct {
		name  string
		look  advance.Soak
		state ledger.State
		want  bool
	}{
		{"it goes on", look(31*time.Hour, 0, gate.Inconclusive), ledger.State{}, false},
		{"over without a verdict", look(48*time.Hour, 0, gate.Inconclusive), ledger.State{}, true},
		{"passed", look(48*time.Hour, 0, gate.Pass), ledger.State{}, false},
		{"failed", look(48*time.Hour, 0, gate.Fail), ledger.State{}, false},
		{"not seen", look(48*time.Hour, 0, gate.Error), ledger.State{}, false},
		{"extended meanwhile", look(48*time.Hour, 0, gate.Inconclusive), ledger.State{Extensions: 1}, false},
		{"the extension goes on", look(50*time.Hour, 1, gate.Inconclusive), ledger.State{Extensions: 1}, false},
		{"the extension is over", look(72*time.Hour, 1, gate.Inconclusive), ledger.State{Extensions: 1}, true},
	}
	for _, tt := range tests {
		entry, got := extend(tt.look, tt.state, "guard/one")
		if got != tt.want || got && (entry.Kind != ledger.Extended || entry.Reason == "") {
			t.Errorf("%s: %v %+v", tt.name, got, entry)
		}
	}
}

func TestSpacingFillsNoLedger(t *testing.T) {
	short, long := plan.Soak{Duration: time.Minute, Extension: time.Minute},
		plan.Soak{Duration: 48 * time.Hour, Extension: 24 * time.Hour}
	for _, tt := range []struct {
		schedule plan.Soak
		elapsed  time.Duration
		want     time.Duration
	}{
		{short, 30 * time.Second, 2 * time.Second}, {short, time.Hour, 15 * time.Minute},
		{long, time.Hour, 14*time.Minute + 24*time.Second},
		{long, 100 * time.Hour, 15 * time.Minute},
	} {
		if got := spacing(tt.schedule, tt.elapsed); got != tt.want {
			t.Errorf("%v after %v: %v, want %v", tt.schedule.Duration, tt.elapsed, got, tt.want)
		}
	}
}

func TestAftermath(t *testing.T) {
	tests := []struct {
		name  string
		early gate.Counts
		late  gate.Counts
		want  gate.Verdict
	}{
		{"back to normal", gate.Counts{N: 100, K: 30}, gate.Counts{N: 1000, K: 2}, gate.Pass},
		{"still bad", gate.Counts{N: 100, K: 30}, gate.Counts{N: 1000, K: 300}, gate.Fail},
		{"no requests", gate.Counts{N: 100, K: 30}, gate.Counts{}, gate.Inconclusive},
	}
	for _, tt := range tests {
		a := &aftermath{until: born.Add(30 * time.Minute), judgeFrom: born.Add(25 * time.Minute)}
		a.count(born.Add(time.Minute), Rise{Requests: tt.early})
		a.count(born.Add(26*time.Minute), Rise{Requests: tt.late})
		if got, text := a.verdict(0.005); got != tt.want || a.all.N != tt.early.N+tt.late.N {
			t.Errorf("%s: %s %s", tt.name, got, text)
		}
	}
}
