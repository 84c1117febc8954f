package guard

import (
	"strings"
	"testing"
	"time"

	"github.com/vextrus/finance-rollout/internal/gate"
	"github.com/vextrus/finance-rollout/internal/rollback"
)

// Only the end of the watch decides. What stable failed before is in the text alone.
func TestTheEndOfTheWatchTellsWhetherStableIsWell(t *testing.T) {
	early := gate.Counts{N: 100, K: 30}
	tests := []struct {
		name string
		late gate.Counts
		slow gate.Counts
		want gate.Verdict
	}{
		{"back to normal", gate.Counts{N: 1000, K: 2}, gate.Counts{N: 1000, K: 9}, gate.Pass},
		{"still bad", gate.Counts{N: 1000, K: 300}, gate.Counts{N: 1000, K: 9}, gate.Fail},
		{"between target and limit", gate.Counts{N: 1000, K: 8}, gate.Counts{N: 1000, K: 9}, gate.Inconclusive},
		{"slow", gate.Counts{N: 1000, K: 2}, gate.Counts{N: 1000, K: 900}, gate.Inconclusive},
		{"no requests", gate.Counts{}, gate.Counts{}, gate.Inconclusive},
	}
	latency := gate.Latency(500*time.Millisecond, 0.95)
	latency.Rollback = 1
	criteria := []gate.Criterion{gate.ErrorRate(0.005, 0.01), latency}
	for _, tt := range tests {
		a := &aftercare{watch: rollback.NewWatch(born, 30*time.Minute, criteria)}
		a.count(born.Add(time.Minute), Rise{Requests: early, Slow: early})
		a.count(born.Add(26*time.Minute), Rise{Requests: tt.late, Slow: tt.slow})
		evaluation, text := a.verdict()
		if evaluation.Verdict() != tt.want || a.all.N != early.N+tt.late.N || !strings.Contains(text, "in the last 5m0s: ") {
			t.Errorf("%s: %s %s", tt.name, evaluation.Verdict(), text)
		}
	}
}
