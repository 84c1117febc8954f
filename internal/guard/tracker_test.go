package guard

import (
	"math"
	"testing"
	"time"

	"github.com/vextrus/finance-rollout/internal/gate"
)

// tried gives a tracker counts, one pair of tracks a second, and the last verdict.
func tried(t *testing.T, seconds int, canary, stable gate.Counts) (*tracker, gate.Detection) {
	t.Helper()
	config := Config{ErrorRate: 0.01, SlowShare: 0.05, Latency: 500e6, Alpha: DefaultAlpha}
	tr := newTracker(config.errorRate(), config.latency(), born)
	var detection gate.Detection
	for i := range seconds {
		now := born.Add(time.Duration(i+1) * time.Second)
		tr.stable(now, Rise{Requests: stable})
		if err := tr.canary(now, Rise{Requests: canary}); err != nil {
			t.Fatal(err)
		}
		detection = tr.look(now)
		if detection.Verdict == gate.Fail {
			break
		}
	}
	return tr, detection
}

func TestTrackerVerdicts(t *testing.T) {
	tests := []struct {
		name           string
		canary, stable gate.Counts
		want           gate.Verdict
		shared         bool
	}{
		{"a third fails", gate.Counts{N: 10, K: 3}, gate.Counts{N: 90}, gate.Fail, false},
		{"healthy", gate.Counts{N: 100}, gate.Counts{N: 900, K: 1}, gate.Inconclusive, false},
		{"everything fails", gate.Counts{N: 10, K: 10}, gate.Counts{N: 90, K: 90}, gate.Inconclusive, true},
		{"stable fails a little and the canary much", gate.Counts{N: 10, K: 9}, gate.Counts{N: 90, K: 2}, gate.Fail, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			// A single look shows whether what is shared is reported; the later ones begin anew.
			_, first := tried(t, 1, tt.canary, tt.stable)
			if tt.shared && !first.Shared {
				t.Errorf("the first look gives %s", first.Reason)
			}
			if _, detection := tried(t, 20, tt.canary, tt.stable); detection.Verdict != tt.want {
				t.Errorf("%s: %s", detection.Verdict, detection.Reason)
			}
		})
	}
}

func TestTrackerHoldsBackWhileItIsUnclear(t *testing.T) {
	config := Config{ErrorRate: 0.01, SlowShare: 0.05, Latency: 500e6, Alpha: DefaultAlpha}
	tr := newTracker(config.errorRate(), config.latency(), born)
	at := func(ms int) time.Time { return born.Add(time.Duration(ms) * time.Millisecond) }
	feed := func(now time.Time, canary, stable gate.Counts) gate.Detection {
		t.Helper()
		tr.stable(now, Rise{Requests: stable})
		if err := tr.canary(now, Rise{Requests: canary}); err != nil {
			t.Fatal(err)
		}
		return tr.look(now)
	}
	// An outage of both begins; the canary's counts come first.
	detection := feed(at(300), gate.Counts{N: 8, K: 8}, gate.Counts{N: 1, K: 1})
	if detection.Verdict != gate.Inconclusive || detection.Shared {
		t.Errorf("blamed or acquitted at once: %s %s", detection.Verdict, detection.Reason)
	}
	if detection := feed(at(1300), gate.Counts{N: 10, K: 10}, gate.Counts{N: 90, K: 90}); !detection.Shared {
		t.Errorf("not seen to be shared: %s", detection.Reason)
	}
	// A case that stays unclear is decided in the end.
	for ms := 2000; ms < 9000; ms += 500 {
		detection := feed(at(ms), gate.Counts{N: 5, K: 5}, gate.Counts{N: 45, K: 3})
		if detection.Verdict == gate.Fail {
			if ms < 2000+int(gate.HoldFor/time.Millisecond)-500 {
				t.Errorf("blamed after %d ms", ms-2000)
			}
			return
		}
	}
	t.Error("never decided")
}

func TestTheSeriesIsBounded(t *testing.T) {
	tr, _ := tried(t, 3600, gate.Counts{N: 1}, gate.Counts{N: 9})
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
