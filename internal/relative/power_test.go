package relative

import (
	"math"
	"slices"
	"testing"
	"time"

	"github.com/vextrus/finance-rollout/internal/gate"
)

func logOf(x float64) float64 { return math.Log(x) }

// median is the median of times, of which 0 is never.
func median(times []time.Duration) time.Duration {
	slices.SortFunc(times, func(a, b time.Duration) int {
		never := func(d time.Duration) time.Duration {
			if d == 0 {
				return math.MaxInt64
			}
			return d
		}
		return int(min(max(never(a)-never(b), -1), 1))
	})
	return times[len(times)/2]
}

// Worse than stable and below every limit: found in a soak, at 2 requests/s of the canary beside 18 of stable.
func TestErrorsBelowTheLimitAreFound(t *testing.T) {
	for _, tt := range []struct {
		stable, canary float64
		within         time.Duration
	}{
		{0.0001, 0.003, 40 * time.Minute},
		{0.001, 0.004, 2 * time.Hour},
		{0.0001, 0.001, 4 * time.Hour},
		{0.003, 0.009, 2 * time.Hour},
		{0.0005, 0.0015, 12 * time.Hour},
	} {
		var times []time.Duration
		for seed := range uint64(21) {
			src := source(seed)
			times = append(times, run(NewErrors(DefaultLimits(), DefaultCap(), monday), soak,
				func(int) (gate.Counts, gate.Counts, Parts) {
					return drawn(src, 120, tt.canary), drawn(src, 1080, tt.stable), nil
				}))
		}
		got := median(times)
		t.Logf("%.2f %% -> %.2f %%: found after %v", 100*tt.stable, 100*tt.canary, got)
		if got == 0 || got > tt.within {
			t.Errorf("%.2f %% -> %.2f %%: found after %v, want within %v", 100*tt.stable, 100*tt.canary, got, tt.within)
		}
	}
}

func slowerAfter(seed uint64, limits Limits, factor float64, length time.Duration) time.Duration {
	src := source(seed)
	test := NewLatency(limits, DefaultCap(), monday, usualBounds)
	stable, canary := lognormal(0.08), lognormal(0.08*factor)
	for block := range int(length / Block) {
		start := monday.Add(time.Duration(block) * Block)
		test.Add(start, start.Add(Block), canary.draw(src, 120), stable.draw(src, 1080))
		if test.Finding() != nil {
			return start.Add(Block).Sub(monday)
		}
	}
	return 0
}

func TestASlowerDistributionIsFound(t *testing.T) {
	strict := DefaultLimits()
	strict.Slower = 1.05
	for _, tt := range []struct {
		limits Limits
		factor float64
		within time.Duration
	}{
		{DefaultLimits(), 1.2, 90 * time.Minute},
		{DefaultLimits(), 1.5, 10 * time.Minute},
		{DefaultLimits(), 2, 8 * time.Minute},
		{strict, 1.2, 40 * time.Minute},
	} {
		var times []time.Duration
		for seed := range uint64(21) {
			times = append(times, slowerAfter(seed, tt.limits, tt.factor, 12*time.Hour))
		}
		got := median(times)
		t.Logf("slower by %v, allowed %v: found after %v", tt.factor, tt.limits.Slower, got)
		if got == 0 || got > tt.within {
			t.Errorf("slower by %v: found after %v, want within %v", tt.factor, got, tt.within)
		}
	}
}

// A route with 0.2 % of the requests that fails wholly, and one of three pods at 2 %, at 2 requests/s of each pod.
func TestSlicesAreFound(t *testing.T) {
	route := func(seed uint64) time.Duration {
		src := source(seed)
		return run(NewErrors(DefaultLimits(), DefaultCap(), monday), soak, func(int) (gate.Counts, gate.Counts, Parts) {
			n, s := binomial(src, 120, 0.002), binomial(src, 1080, 0.002)
			dead := Parts{{"path", "/export"}: {gate.Counts{N: n, K: n}, drawn(src, s, 0.002)}}
			rest := drawn(src, 120-n, 0.002)
			return rest.Plus(gate.Counts{N: n, K: n}), drawn(src, 1080, 0.002), dead
		})
	}
	sick := func(seed uint64) time.Duration {
		src := source(seed)
		return run(NewErrors(DefaultLimits(), DefaultCap(), monday), soak, func(int) (gate.Counts, gate.Counts, Parts) {
			stable := drawn(src, 840, 0.002)
			parts, all := Parts{}, gate.Counts{}
			for pod, share := range map[string]float64{"a": 0.02, "b": 0.002, "c": 0.002} {
				counts := drawn(src, 120, share)
				all = all.Plus(counts)
				parts[Slice{PodLabel, pod}] = Pair{counts, stable}
			}
			return all, stable, parts
		})
	}
	for name, tt := range map[string]struct {
		after  func(seed uint64) time.Duration
		within time.Duration
	}{"a dead route": {route, 40 * time.Minute}, "a sick pod": {sick, 46 * time.Minute}} {
		var times []time.Duration
		for seed := range uint64(21) {
			times = append(times, tt.after(seed))
		}
		got := median(times)
		t.Logf("%s: found after %v", name, got)
		if got == 0 || got > tt.within {
			t.Errorf("%s: found after %v, want within %v", name, got, tt.within)
		}
	}
}
