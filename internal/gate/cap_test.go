package gate

import (
	"math"
	"testing"
	"time"

	"gonum.org/v1/gonum/stat/distuv"
	"pgregory.net/rapid"
)

var threeIn30s = Cap{Nats: 3, Block: 30 * time.Second}

// failer is a test, also one of rapid.
type failer interface {
	Helper()
	Fatal(args ...any)
}

func observed(t failer, detector *Detector, elapsed time.Duration, n, k int64) {
	t.Helper()
	if err := detector.Observe(elapsed, Counts{N: n, K: k}, Counts{}); err != nil {
		t.Fatal(err)
	}
}

// Seven errors within a second latch a canary that has served well for a day; they are a burst.
func TestABurstDoesNotConvict(t *testing.T) {
	for _, errors := range []int64{7, 50, 5000} {
		fast, capped := NewDetector(0.01), NewCappedDetector(0.01, threeIn30s)
		for _, detector := range []*Detector{fast, capped} {
			for range 24 * 360 {
				observed(t, detector, 10*time.Second, 20, 0)
			}
			observed(t, detector, time.Second, errors, errors)
		}
		if fast.LogEvidence() < -math.Log(1e-4) {
			t.Errorf("%d errors are no evidence without a cap: %.1f", errors, fast.LogEvidence())
		}
		if capped.LogEvidence() > 3 {
			t.Errorf("%d errors in a second give %.1f nats", errors, capped.LogEvidence())
		}
	}
}

func TestTroubleInManyBlocksConvicts(t *testing.T) {
	for _, tt := range []struct {
		share  float64
		within time.Duration
	}{{1, 3 * time.Minute}, {0.33, 4 * time.Minute}, {0.05, 8 * time.Minute}} {
		source, late := seeded(4), 0
		const trials = 40
		for range trials {
			detector, at := NewCappedDetector(0.01, threeIn30s), time.Duration(0)
			for detector.LogEvidence() < -math.Log(1e-4) {
				at += time.Second
				k := int64(2)
				if tt.share < 1 {
					k = int64(distuv.Binomial{N: 2, P: tt.share, Src: source}.Rand())
				}
				observed(t, detector, time.Second, 2, k)
			}
			if at > tt.within {
				late++
			}
		}
		if late > trials/2 {
			t.Errorf("%v: %d of %d came later than %v", tt.share, late, trials, tt.within)
		}
	}
}

// drawnCap has any bound and block.
func drawnCap(t *rapid.T) Cap {
	return Cap{Nats: rapid.Float64Range(0, 20).Draw(t, "nats"),
		Block: time.Duration(rapid.IntRange(0, 90).Draw(t, "block")) * time.Second}
}

// With the same blocks, a cap only takes evidence away, and the less it allows the more.
func TestACapOnlyTakesEvidenceAway(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		bound := drawnCap(t)
		loose, unbounded := bound, bound
		loose.Nats, unbounded.Nats = bound.Nats*1.5, math.Inf(1)
		tight := NewCappedDetector(0.01, bound)
		detectors := []*Detector{tight, NewCappedDetector(0.01, loose), NewCappedDetector(0.01, unbounded)}
		for range rapid.IntRange(1, 50).Draw(t, "looks") {
			n := rapid.Int64Range(0, 100).Draw(t, "n")
			k := rapid.Int64Range(0, n).Draw(t, "k")
			elapsed := time.Duration(rapid.IntRange(0, 40).Draw(t, "seconds")) * time.Second
			for i, detector := range detectors {
				observed(t, detector, elapsed, n, k)
				if i > 0 && detectors[i-1].LogEvidence() > detector.LogEvidence()+1e-9 {
					t.Fatalf("%+v gives %v, without %v", bound, detectors[i-1].LogEvidence(), detector.LogEvidence())
				}
			}
		}
	})
}

// A block adds at most its cap, whatever it holds.
func TestABlockAddsAtMostItsCap(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		bound := drawnCap(t)
		detector, before := NewCappedDetector(0.01, bound), 0.0
		for range rapid.IntRange(1, 50).Draw(t, "looks") {
			n := rapid.Int64Range(0, 1000).Draw(t, "n")
			observed(t, detector, bound.Block, n, rapid.Int64Range(0, n).Draw(t, "k"))
			if rise := detector.LogEvidence() - before; rise > bound.Nats+1e-9 {
				t.Fatalf("%+v: a block adds %v", bound, rise)
			}
			before = detector.LogEvidence()
		}
	})
}

// The expectation of M after a block and a half is at most 1 while the share is at most the limit: the exact sum over
// all counts.
func TestTheMeanUnderTheLimitIsAtMostOne(t *testing.T) {
	bounds := []Cap{uncapped, {Nats: 0.5, Block: 10 * time.Second}, threeIn30s, {Nats: 3, Block: time.Minute}}
	for _, bound := range bounds {
		for _, share := range []float64{0.001, 0.005, 0.01} {
			const n = 60
			outcome := distuv.Binomial{N: n, P: share}
			mean := 0.0
			for first := int64(0); first <= n; first++ {
				for second := int64(0); second <= n; second++ {
					detector := NewCappedDetector(0.01, bound)
					observed(t, detector, 30*time.Second, n, first)
					observed(t, detector, 15*time.Second, n, second)
					mean += outcome.Prob(float64(first)) * outcome.Prob(float64(second)) * math.Exp(detector.LogEvidence())
				}
			}
			if mean > 1+1e-9 {
				t.Errorf("%+v at %v: a mean of %v", bound, share, mean)
			}
			if share == 0.01 && bound == uncapped && mean < 1-1e-6 {
				t.Errorf("the mean without a cap is %v at the limit, want 1", mean)
			}
		}
	}
}

// The promise holds for the product's code at the limit, with independent errors.
func TestACappedDetectorKeepsItsPromiseAtTheLimit(t *testing.T) {
	const trials, alpha = 1000, 0.02
	source, rejected := seeded(5), 0
	for range trials {
		detector := NewCappedDetector(0.01, Cap{Nats: 3, Block: 10 * time.Second})
		for range 600 {
			observed(t, detector, time.Second, 10, int64(distuv.Binomial{N: 10, P: 0.01, Src: source}.Rand()))
			if detector.LogEvidence() >= -math.Log(alpha) {
				rejected++
				break
			}
		}
	}
	if most := alpha*trials + 5*math.Sqrt(alpha*trials); float64(rejected) > most {
		t.Errorf("%d of %d rejected, promised are at most %.0f", rejected, trials, alpha*trials)
	}
}

func TestACappedDetectorForgets(t *testing.T) {
	detector := NewCappedDetector(0.01, threeIn30s)
	for range 20 {
		observed(t, detector, 30*time.Second, 60, 60)
	}
	if detector.LogEvidence() < 30 {
		t.Fatalf("20 bad blocks give %v", detector.LogEvidence())
	}
	detector.Forget()
	if left := detector.LogEvidence(); left > 0 {
		t.Errorf("evidence of %v is left", left)
	}
	observed(t, detector, time.Second, 60, 60)
	if run := detector.Likely(); run.Canary != (Counts{N: 60, K: 60}) || run.Since != 10*time.Minute {
		t.Errorf("the run is %+v", run)
	}
}
