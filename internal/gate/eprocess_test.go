package gate

import (
	"math"
	"math/rand/v2"
	"testing"

	"gonum.org/v1/gonum/stat/distuv"
	"pgregory.net/rapid"
)

// One more request may not, in expectation, change the evidence when the share is the limit, and must lower it when
// the share is below. Together with the start at 1 this is all that Ville's inequality needs.
func TestEValueIsSupermartingale(t *testing.T) {
	if got := EValue(0, 0, 0.01); math.Abs(got-1) > 1e-12 {
		t.Errorf("evidence before the first request is %v, want 1", got)
	}
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.Int64Range(0, 5000).Draw(t, "n")
		k := rapid.Int64Range(0, min(n, 60)).Draw(t, "k")
		limit := rapid.Float64Range(0.001, 0.5).Draw(t, "limit")
		share := limit * rapid.Float64Range(0, 1).Draw(t, "share of the limit")
		now := EValue(n, k, limit)
		next := func(p float64) float64 { return p*EValue(n+1, k+1, limit) + (1-p)*EValue(n+1, k, limit) }
		// Subnormal numbers have fewer digits.
		slack := 1e-9*now + 1e-300
		if at := next(limit); math.Abs(at-now) > slack {
			t.Errorf("at the limit %v: expected %v after %v", limit, at, now)
		}
		if below := next(share); below > now+slack {
			t.Errorf("at share %v below the limit %v: expected %v after %v", share, limit, below, now)
		}
	})
}

// The share of simulated releases that are ever failed, looked at after every single request, must not exceed alpha.
// The seed is fixed; the allowance is four standard errors.
func TestFalseFailsStayBelowAlpha(t *testing.T) {
	const runs, requests, limit = 1000, 3000, 0.05
	for _, alpha := range []float64{0.2, 0.05} {
		random := rand.New(rand.NewPCG(1, 2))
		failed := 0
		for range runs {
			if everFails(random, requests, limit, limit, alpha) {
				failed++
			}
		}
		share := float64(failed) / runs
		if allowed := alpha + 4*math.Sqrt(alpha*(1-alpha)/runs); share > allowed {
			t.Errorf("alpha %v: %v of the runs failed, allowed %v", alpha, share, allowed)
		}
		if failed == 0 {
			t.Errorf("alpha %v: no run ever failed: the test has no power to see a fault", alpha)
		}
	}
}

func everFails(random *rand.Rand, requests int64, share, limit, alpha float64) bool {
	var k int64
	for n := int64(1); n <= requests; n++ {
		// The evidence can cross its threshold only upward, with a bad event.
		if random.Float64() < share {
			k++
			if EValue(n, k, limit) >= 1/alpha {
				return true
			}
		}
	}
	return false
}

// A bad release must be failed soon: the numbers are the mean requests until fail, at the default alpha, with some
// allowance.
func TestRequestsUntilFail(t *testing.T) {
	for share, atMost := range map[float64]float64{0.03: 1000, 0.10: 110, 0.33: 25, 0.9: 6} {
		random := rand.New(rand.NewPCG(3, 4))
		const runs = 300
		total := 0
		for range runs {
			var k, n int64
			for EValue(n, k, 0.01) < 1/DefaultAlpha {
				n++
				if random.Float64() < share {
					k++
				}
			}
			total += int(n)
		}
		if mean := float64(total) / runs; mean > atMost {
			t.Errorf("at a share of %v a fail took %v requests in the mean, want at most %v", share, mean, atMost)
		}
	}
}

func TestEValueOfHugeCounts(t *testing.T) {
	for _, test := range []struct {
		n, k int64
		want float64
	}{{1e15, 0, 0}, {1e15, 1e15, math.Inf(1)}} {
		if got := EValue(test.n, test.k, 0.01); got != test.want {
			t.Errorf("EValue(%d, %d) = %v, want %v", test.n, test.k, got, test.want)
		}
	}
}

func TestLowerBoundAgreesWithTheEvidence(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.Int64Range(1, 1_000_000).Draw(t, "n")
		k := rapid.Int64Range(0, n).Draw(t, "k")
		alpha := rapid.SampledFrom([]float64{0.001, 0.01, 0.05, 0.5}).Draw(t, "alpha")
		lower, rate := LowerBound(n, k, alpha), float64(k)/float64(n)
		if lower < 0 || lower > rate {
			t.Fatalf("bound %v is not in [0, %v]", lower, rate)
		}
		if below := lower * (1 - 1e-6); below > 0 && EValue(n, k, below) < 1/alpha {
			t.Errorf("a limit of %v below the bound %v is not rejected", below, lower)
		}
		if above := lower + 1e-6; above < 1 && above < rate && EValue(n, k, above) >= 1/alpha {
			t.Errorf("a limit of %v above the bound %v is rejected", above, lower)
		}
		if k < n {
			if more := LowerBound(n, k+1, alpha); more < lower-1e-12 {
				t.Errorf("one more bad event lowers the bound from %v to %v", lower, more)
			}
		}
		if more := LowerBound(n+1, k, alpha); more > lower+1e-12 {
			t.Errorf("one more good event raises the bound from %v to %v", lower, more)
		}
	})
}

// The ends of the interval are the shares at which the observation is just as extreme as the confidence allows.
func TestIntervalIsExact(t *testing.T) {
	if lower, upper := Interval(0, 0, 0.95); lower != 0 || upper != 1 {
		t.Errorf("without requests: [%v, %v], want [0, 1]", lower, upper)
	}
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.Int64Range(1, 2000).Draw(t, "n")
		k := rapid.Int64Range(0, n).Draw(t, "k")
		const tail = 0.025
		lower, upper := Interval(n, k, 1-2*tail)
		switch {
		case k == 0 && lower != 0:
			t.Errorf("no bad event, lower end %v", lower)
		case k > 0:
			if got := 1 - (distuv.Binomial{N: float64(n), P: lower}).CDF(float64(k-1)); math.Abs(got-tail) > 1e-6 {
				t.Errorf("at the lower end %v, P(K >= %d) is %v, want %v", lower, k, got, tail)
			}
		}
		switch {
		case k == n && upper != 1:
			t.Errorf("no good event, upper end %v", upper)
		case k < n:
			if got := (distuv.Binomial{N: float64(n), P: upper}).CDF(float64(k)); math.Abs(got-tail) > 1e-6 {
				t.Errorf("at the upper end %v, P(K <= %d) is %v, want %v", upper, k, got, tail)
			}
		}
	})
}
