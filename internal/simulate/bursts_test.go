package simulate

import (
	"math"
	"strings"
	"testing"
	"time"
)

// bursty is a day of traffic whose errors come in bursts.
func bursty(change func(*Bursts)) Generator {
	return generator(func(m *Generator) {
		m.Duration, m.Step, m.Turns = 24*time.Hour, 15*time.Second, 0
		m.Canary, m.Stable = Behaviour{Rate: 2}, Behaviour{Rate: 18}
		m.Bursts = Bursts{Pods: 1, StablePods: 9, Block: time.Minute, Every: time.Hour}
		change(&m.Bursts)
	})
}

// totals are the failures of both tracks, and the greatest share of the canary's in a step.
func totals(t *testing.T, m Generator) (canary, stable int64, most float64) {
	t.Helper()
	traffic, err := m.Traffic()
	if err != nil {
		t.Fatal(err)
	}
	for _, interval := range traffic.Intervals {
		canary, stable = canary+interval.Canary.K, stable+interval.Stable.K
		if interval.Canary.N > 0 {
			most = max(most, float64(interval.Canary.K)/float64(interval.Canary.N))
		}
		if interval.Canary.K > interval.Canary.N || interval.Stable.K > interval.Stable.N {
			t.Fatalf("%+v", interval)
		}
	}
	return canary, stable, most
}

func TestGeneratedBursts(t *testing.T) {
	for _, tt := range []struct {
		name           string
		change         func(*Bursts)
		canary, stable float64 // errors expected in a day
		within         float64 // in shares of them
	}{
		{"none", func(*Bursts) {}, 0, 0, 0},
		{"bursts of 20, one an hour at each pod", func(b *Bursts) { b.Errors = 20 }, 480, 9 * 480, 0.7},
		{"bursts of 20 at all pods", func(b *Bursts) { b.Errors, b.AllPods = 20, true }, 480, 9 * 480, 0.7},
		{"10 errors a day", func(b *Bursts) { b.Daily = 10 }, 10, 90, 0.3},
	} {
		canary, stable, _ := totals(t, bursty(tt.change))
		if math.Abs(float64(canary)-tt.canary) > tt.within*tt.canary ||
			math.Abs(float64(stable)-tt.stable) > tt.within*tt.stable {
			t.Errorf("%s: %d and %d errors, want about %v and %v", tt.name, canary, stable, tt.canary, tt.stable)
		}
	}
}

// Bursts at all pods hit both tracks in the same steps, others do not.
func TestBurstsAtAllPodsAreShared(t *testing.T) {
	for _, all := range []bool{true, false} {
		m := bursty(func(b *Bursts) { b.Errors, b.AllPods, b.StablePods = 5, all, 1 })
		traffic, err := m.Traffic()
		if err != nil {
			t.Fatal(err)
		}
		alone, bad := 0, 0
		for _, interval := range traffic.Intervals {
			if interval.Canary.K == 5 { // a whole burst within a step
				bad++
				if interval.Stable.K == 0 {
					alone++
				}
			}
		}
		if bad == 0 || (alone == 0) != all {
			t.Errorf("all pods %v: %d bursts, %d of them without stable", all, bad, alone)
		}
	}
}

// Correlated failures have the mean of independent ones, and bad minutes.
func TestCorrelatedFailures(t *testing.T) {
	errors := func(correlation float64) (int64, float64) {
		m := bursty(func(b *Bursts) { b.Correlation = correlation })
		m.Canary.Errors, m.Stable.Errors = 0.01, 0.01
		canary, _, most := totals(t, m)
		return canary, most
	}
	independent, calm := errors(0)
	correlated, worst := errors(0.2)
	if share := float64(correlated) / float64(independent); share < 0.6 || share > 1.6 || worst < 0.4 || calm > 0.3 {
		t.Errorf("%d and %d errors, at most %.2f and %.2f of a step", independent, correlated, calm, worst)
	}
}

func TestImpossibleBurstsAreRefused(t *testing.T) {
	for want, change := range map[string]func(*Bursts){
		"bursts of -1 errors":       func(b *Bursts) { b.Errors = -1 },
		"a burst every 0s":          func(b *Bursts) { b.Errors, b.Every = 5, 0 },
		"a correlation of 1":        func(b *Bursts) { b.Correlation = 1 },
		"a correlation within 1ms":  func(b *Bursts) { b.Correlation, b.Block = 0.1, time.Millisecond },
		"0 pods of the canary":      func(b *Bursts) { b.Errors, b.Pods = 5, 0 },
		"-3 errors a day":           func(b *Bursts) { b.Daily = -3 },
		"and 2000 of stable: allow": func(b *Bursts) { b.Daily, b.StablePods = 3, 2000 },
	} {
		if _, err := bursty(change).Traffic(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %q", err, want)
		}
	}
}

func TestBurstsAreReproducible(t *testing.T) {
	m := bursty(func(b *Bursts) { b.Errors, b.Daily, b.Correlation = 5, 10, 0.1 })
	first, firstStable, _ := totals(t, m)
	if again, stable, _ := totals(t, m); again != first || stable != firstStable {
		t.Errorf("%d and %d errors, then %d and %d", first, firstStable, again, stable)
	}
	m.Seed++
	if again, _, _ := totals(t, m); again == first {
		t.Errorf("another seed gives %d errors as well", again)
	}
}
