package soak

import (
	"testing"
	"time"

	"github.com/vextrus/finance-rollout/internal/advance"
	"github.com/vextrus/finance-rollout/internal/gate"
	"github.com/vextrus/finance-rollout/internal/ledger"
	"github.com/vextrus/finance-rollout/internal/plan"
)

var (
	twoDays = plan.Soak{Duration: 48 * time.Hour, Extension: 24 * time.Hour}
	began   = time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC)
)

// atTen is a rollout that reached 10 % when the soak began and had its last checkpoint that long after it; 0 for none.
func atTen(last time.Duration) ledger.State {
	state := ledger.State{Weight: 10, Image: "sha256:11", Release: "v2", SoakSince: began}
	if last > 0 {
		state.LastCheckpoint = began.Add(last)
	}
	return state
}

func TestDue(t *testing.T) {
	shifting, out, fresh := atTen(0), atTen(0), atTen(0)
	shifting.Begun = &ledger.Entry{To: 30}
	out.Weight = 0
	fresh.SoakSince = time.Time{}
	minute := time.Minute
	tests := []struct {
		name    string
		state   ledger.State
		elapsed time.Duration
		want    bool
	}{
		{"before the first", atTen(0), 14 * minute, false},
		{"the first", atTen(0), 15 * minute, true},
		{"long after the first", atTen(0), 31 * time.Hour, true},
		{"just taken", atTen(16 * minute), 17 * minute, false},
		{"a late one moves none", atTen(29 * minute), 30 * minute, true},
		{"every half hour", atTen(2 * time.Hour), 2*time.Hour + 29*minute, false},
		{"every half hour, due", atTen(2 * time.Hour), 2*time.Hour + 30*minute, true},
		{"every four hours after the end", atTen(48 * time.Hour), 51 * time.Hour, false},
		{"every four hours after the end, due", atTen(48 * time.Hour), 52 * time.Hour, true},
		{"a shift is under way", shifting, 15 * minute, false},
		{"no canary has requests", out, 15 * minute, false},
		{"no soak runs", fresh, 15 * minute, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := Due(twoDays, tt.state, began.Add(tt.elapsed)); got != tt.want {
				t.Errorf("due %v, want %v", got, tt.want)
			}
		})
	}
}

func lookWith(verdict gate.Verdict) advance.Soak {
	return advance.Soak{Plan: twoDays, Since: began, Soaked: 14 * time.Minute,
		Evaluation: gate.Evaluation{Results: []gate.Result{
			{Name: "error rate", Verdict: verdict, N: 900, K: 3, Lower: 0.00012345678, Upper: 0.0125,
				Reason: "3 of 900 requests failed"},
			{Name: "restarts", Verdict: gate.Pass},
		}}}
}
