package guard

import (
	"testing"
	"time"

	"github.com/vextrus/finance-rollout/internal/gate"
	"github.com/vextrus/finance-rollout/internal/plan"
)

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
