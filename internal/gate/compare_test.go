package gate

import (
	"math"
	"math/rand/v2"
	"strings"
	"testing"

	"gonum.org/v1/gonum/stat/distuv"
	"pgregory.net/rapid"
)

func TestJudge(t *testing.T) {
	errorRate := ErrorRate(0.005, 0.01)
	tests := []struct {
		name   string
		canary Counts
		stable *Counts
		want   Verdict
		shared bool
		words  string
	}{
		{name: "nothing seen", canary: Counts{}, want: Inconclusive, words: "more requests"},
		{name: "few and good", canary: Counts{N: 200}, want: Inconclusive, words: "more requests"},
		{name: "many and good", canary: Counts{N: 3000, K: 2}, want: Pass, words: "95 % confidence"},
		{name: "below the target without proof", canary: Counts{N: 1000, K: 4}, want: Inconclusive, words: "more requests"},
		{name: "between target and limit", canary: Counts{N: 100000, K: 750}, want: Inconclusive,
			words: "no number of requests"},
		{name: "bad", canary: Counts{N: 100, K: 33}, want: Fail, words: "lower bound"},
		{name: "bad beside a good stable", canary: Counts{N: 100, K: 33}, stable: &Counts{N: 900, K: 1}, want: Fail},
		{name: "bad beside few requests", canary: Counts{N: 100, K: 33}, stable: &Counts{N: 3, K: 1}, want: Fail},
		{name: "bad beside no requests", canary: Counts{N: 100, K: 33}, stable: &Counts{}, want: Fail},
		{name: "both bad", canary: Counts{N: 100, K: 33}, stable: &Counts{N: 900, K: 310}, want: Inconclusive, shared: true,
			words: "310 of 900"},
		{name: "both down", canary: Counts{N: 100, K: 100}, stable: &Counts{N: 900, K: 900}, want: Inconclusive,
			shared: true},
		{name: "far worse than a bad stable", canary: Counts{N: 1000, K: 500}, stable: &Counts{N: 9000, K: 300}, want: Fail},
		{name: "impossible", canary: Counts{N: 1, K: 2}, want: Error},
		{name: "impossible stable", canary: Counts{N: 1}, stable: &Counts{N: 1, K: 2}, want: Error, words: "stable"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got := errorRate.Judge(tt.canary, tt.stable)
			if got.Verdict != tt.want || got.Shared != tt.shared || !strings.Contains(got.Reason, tt.words) {
				t.Errorf("%s, shared %v: %s", got.Verdict, got.Shared, got.Reason)
			}
			bake := errorRate.DecideAgainst(tt.canary, tt.stable)
			if (bake.Verdict == Fail) != (tt.want == Fail) || bake.Shared != tt.shared {
				t.Errorf("the bake says %s, shared %v", bake.Verdict, bake.Shared)
			}
		})
	}
}

// The bounds enclose the share, agree with the evidence, and never cross, for any counts.
func TestBoundsSurroundTheShare(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.Int64Range(1, 1e9).Draw(t, "n")
		k := rapid.Int64Range(0, n).Draw(t, "k")
		alpha := rapid.Float64Range(1e-6, 0.5).Draw(t, "alpha")
		share := float64(k) / float64(n)
		lower, upper := LowerBound(n, k, alpha), UpperBound(n, k, alpha)
		if !(0 <= lower && lower <= share && share <= upper && upper <= 1) {
			t.Fatalf("%d of %d: %v to %v around %v", k, n, lower, upper, share)
		}
		if above := (upper + 1) / 2; upper < 1 && EValueBelow(n, k, above) < 1/alpha*(1-1e-9) {
			t.Fatalf("the target %v above the bound %v is not rejected", above, upper)
		}
		if below := (share + upper) / 2; upper-share > 1e-9 && below < upper*(1-1e-9) &&
			EValueBelow(n, k, below) >= 1/alpha*(1+1e-9) {
			t.Fatalf("the target %v below the bound %v is rejected", below, upper)
		}
	})
}

// One more bad event never lowers the upper bound, one more good one never raises it.
func TestUpperBoundIsMonotone(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.Int64Range(1, 1e6).Draw(t, "n")
		k := rapid.Int64Range(0, n).Draw(t, "k")
		bound := UpperBound(n, k, 0.05)
		if worse := UpperBound(n+1, k+1, 0.05); worse < bound*(1-1e-9) {
			t.Fatalf("a bad event lowers the bound from %v to %v", bound, worse)
		}
		if better := UpperBound(n+1, k, 0.05); better > bound*(1+1e-9) {
			t.Fatalf("a good event raises the bound from %v to %v", bound, better)
		}
	})
}

func TestNeeded(t *testing.T) {
	criterion := ErrorRate(0.005, 0.01)
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.Int64Range(1, 100000).Draw(t, "n")
		k := rapid.Int64Range(0, n/20).Draw(t, "k")
		counts := Counts{N: n, K: k}
		more := criterion.Needed(counts)
		verdict := criterion.Judge(counts, nil).Verdict
		if (more == 0) != (verdict != Inconclusive) {
			t.Fatalf("%d of %d is %s and needs %d more", k, n, verdict, more)
		}
		if more > 0 && k == 0 && criterion.Judge(Counts{N: n + more}, nil).Verdict != Pass {
			t.Fatalf("%d more good requests do not pass", more)
		}
		if more > 1 && k == 0 && criterion.Judge(Counts{N: n + more - 1}, nil).Verdict == Pass {
			t.Fatalf("fewer than %d more good requests pass", more)
		}
	})
	if more := criterion.Needed(Counts{N: 1000, K: 7}); more != Never {
		t.Errorf("a share between target and limit needs %d", more)
	}
}

// The requests that a forecast asks for are those at which a soak without errors passes, and not one fewer.
func TestRequestsAt(t *testing.T) {
	criterion := ErrorRate(0.005, 0.01)
	needed := criterion.RequestsAt(0)
	if criterion.Judge(Counts{N: needed}, nil).Verdict != Pass ||
		criterion.Judge(Counts{N: needed - 1}, nil).Verdict != Inconclusive {
		t.Errorf("%d requests without errors do not decide, or fewer do", needed)
	}
	if more := criterion.RequestsAt(0.002); more <= needed {
		t.Errorf("with errors %d requests decide, without %d", more, needed)
	}
	if never := criterion.RequestsAt(0.007); never != Never {
		t.Errorf("a share between target and limit is decided by %d", never)
	}
	all := criterion.RequestsAt(1)
	if criterion.Judge(Counts{N: all, K: all}, nil).Verdict != Fail || all > 5 {
		t.Errorf("%d failed requests alone do not decide", all)
	}
}

// A release that misses the target passes at most as often as PassAlpha allows, although it is looked at after every
// batch.
func TestAFalsePassIsRareAtEveryLook(t *testing.T) {
	const trials, looks, batch, target = 400, 400, 50, 0.005
	source := rand.New(rand.NewPCG(1, 2))
	draw := distuv.Binomial{N: batch, P: target, Src: source}
	passed := 0
	for range trials {
		var n, k int64
		for range looks {
			n, k = n+batch, k+int64(draw.Rand())
			if EValueBelow(n, k, target) >= 1/DefaultPassAlpha {
				passed++
				break
			}
		}
	}
	// Five standard deviations above the most that is allowed.
	most := DefaultPassAlpha*trials + 5*math.Sqrt(DefaultPassAlpha*(1-DefaultPassAlpha)*trials)
	if float64(passed) > most {
		t.Errorf("%d of %d releases at the target passed, at most %.0f may", passed, trials, most)
	}
	if passed == 0 {
		t.Error("none passed: the test shows nothing")
	}
}
