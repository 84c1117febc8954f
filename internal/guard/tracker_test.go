package guard

import (
	"math"
	"testing"
	"time"

	"github.com/vextrus/finance-rollout/internal/gate"
	"github.com/vextrus/finance-rollout/internal/guard/blame"
)

func TestTheEvidenceOfATracker(t *testing.T) {
	for _, tt := range []struct {
		name   string
		canary gate.Counts
		want   gate.Verdict
	}{
		{"a third fails", gate.Counts{N: 10, K: 3}, gate.Fail},
		{"healthy", gate.Counts{N: 100}, gate.Inconclusive},
	} {
		tr := begun()
		court := blame.NewCourt(tr.errorRate)
		court.Begin(born, tr.errors, nil)
		court.Join("canary", true, true, born)
		for i := range 20 {
			at := born.Add(time.Duration(i+1) * time.Second)
			if _, err := court.Scraped("canary", blame.Scrape{Began: at, Ended: at, Requests: tt.canary}); err != nil {
				t.Fatal(err)
			}
		}
		if got := tr.look(); got.Verdict != tt.want {
			t.Errorf("%s: %s: %s", tt.name, got.Verdict, got.Reason)
		}
	}
}

func begun() *tracker {
	config := Config{ErrorRate: 0.01, SlowShare: 0.05, Latency: 500e6, Alpha: DefaultAlpha}
	return newTracker(config.errorRate(), config.latency(), born)
}

func TestTheSeriesIsBounded(t *testing.T) {
	tr := begun()
	for i := range 3600 {
		now := born.Add(time.Duration(i+1) * time.Second)
		tr.stable(now, Rise{Requests: gate.Counts{N: 9}})
		if err := tr.canary(now, Rise{Requests: gate.Counts{N: 1}}); err != nil {
			t.Fatal(err)
		}
	}
	if len(tr.recent) != bins {
		t.Errorf("%d bins are kept", len(tr.recent))
	}
}

func TestFailing(t *testing.T) {
	begin := time.Unix(1000, 0)
	tests := []struct {
		name   string
		counts []gate.Counts // one a second, the last one now
		want   float64
	}{
		{"no request", nil, 0},
		{"mildly", []gate.Counts{{N: 100, K: 1}, {N: 100, K: 2}, {N: 100, K: 0}}, 0.01},
		{"it failed before", []gate.Counts{{N: 100, K: 100}, {N: 10}, {N: 10}, {N: 10}, {N: 10}, {N: 10}, {N: 10}}, 0},
		{"it has just broken", []gate.Counts{{N: 100}, {N: 100}, {N: 100, K: 100}}, 0.5},
		{"it breaks wholly", []gate.Counts{{N: 100}, {N: 100}, {N: 100}, {N: 100, K: 100}, {N: 100, K: 100}}, 1},
		{"too few to tell", []gate.Counts{{N: 4}, {N: 4}, {N: 2, K: 2}}, 0.2},
	}
	for _, tt := range tests {
		tr := newTracker(gate.ErrorRate(0.005, 0.01), gate.Latency(500*time.Millisecond, 0.95), begin)
		now := begin
		for _, counts := range tt.counts {
			now = now.Add(time.Second)
			if err := tr.canary(now, Rise{Requests: counts}); err != nil {
				t.Fatal(err)
			}
		}
		if got := tr.failing(now); math.Abs(got-tt.want) > 1e-9 {
			t.Errorf("%s: %v, want %v", tt.name, got, tt.want)
		}
	}
}
