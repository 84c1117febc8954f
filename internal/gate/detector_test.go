package gate

import (
	"math"
	"math/rand/v2"
	"testing"
	"time"

	"gonum.org/v1/gonum/stat/distuv"
	"pgregory.net/rapid"
)

// watch lets a detector look every second until the end; rate gives the share of bad events at a time. It tells when
// the detector rejected, and whether it did.
func watch(source rand.Source, perLook int64, end time.Duration, alpha float64,
	rate func(time.Duration) float64) (time.Duration, bool) {
	detector := NewDetector(0.01)
	for at := time.Second; at <= end; at += time.Second {
		k := int64(distuv.Binomial{N: float64(perLook), P: rate(at), Src: source}.Rand())
		if err := detector.Observe(time.Second, Counts{N: perLook, K: k}, Counts{}); err != nil {
			panic(err)
		}
		if detector.LogEvidence() >= -math.Log(alpha) {
			return at, true
		}
	}
	return 0, false
}

func seeded(stream uint64) rand.Source { return rand.NewPCG(20260302, stream) }

// The promise is about any true share up to the limit; the limit itself is the hardest one.
func TestDetectorKeepsItsPromiseAtTheLimit(t *testing.T) {
	const trials, alpha = 2000, 0.02
	source, rejected := seeded(1), 0
	for range trials {
		if _, did := watch(source, 10, 10*time.Minute, alpha, func(time.Duration) float64 { return 0.01 }); did {
			rejected++
		}
	}
	// Five standard deviations above the promise.
	if most := alpha*trials + 5*math.Sqrt(alpha*trials); float64(rejected) > most {
		t.Errorf("%d of %d rejected, promised are at most %.0f", rejected, trials, alpha*trials)
	}
}

func TestDetectorSeesTroubleWheneverItBegins(t *testing.T) {
	for _, tt := range []struct {
		name   string
		begins time.Duration
		share  float64
		within time.Duration // the median of the delay
	}{
		{"a third from the beginning", 0, 0.33, 3 * time.Second},
		{"a third after 40 hours", 40 * time.Hour, 0.33, 5 * time.Second},
		{"5 % from the beginning", 0, 0.05, 40 * time.Second},
		{"5 % after 40 hours", 40 * time.Hour, 0.05, 75 * time.Second},
	} {
		t.Run(tt.name, func(t *testing.T) {
			source, late := seeded(2), 0
			const trials = 40
			for range trials {
				detector := NewDetector(0.01)
				// The good time before is one look: what counts is how much of it there was.
				if tt.begins > 0 {
					n := int64(tt.begins / time.Second * 10)
					if err := detector.Observe(tt.begins, Counts{N: n, K: n * 3 / 1000}, Counts{}); err != nil {
						t.Fatal(err)
					}
				}
				delay := time.Duration(0)
				for detector.LogEvidence() < -math.Log(1e-4) {
					delay += time.Second
					k := int64(distuv.Binomial{N: 10, P: tt.share, Src: source}.Rand())
					if err := detector.Observe(time.Second, Counts{N: 10, K: k}, Counts{}); err != nil {
						t.Fatal(err)
					}
				}
				if delay > tt.within {
					late++
				}
			}
			if late > trials/2 {
				t.Errorf("%d of %d came later than %v", late, trials, tt.within)
			}
		})
	}
}

func TestDetectorWithoutRestartsIsTheMixture(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.Int64Range(0, 5000).Draw(t, "n")
		k := rapid.Int64Range(0, n).Draw(t, "k")
		detector := NewDetector(0.01)
		if err := detector.Observe(0, Counts{N: n, K: k}, Counts{}); err != nil {
			t.Fatal(err)
		}
		want := math.Log(startWeight*math.Exp(min(logEValue(n, k, 0.01), 700)) + 1 - startWeight)
		if got := min(detector.LogEvidence(), 700+math.Log(startWeight)); math.Abs(got-want) > 1e-6*math.Max(1,
			math.Abs(want)) {
			t.Errorf("evidence %v, want %v", got, want)
		}
	})
}

func TestDetectorForgets(t *testing.T) {
	detector := NewDetector(0.01)
	observe := func(n, k int64) {
		t.Helper()
		if err := detector.Observe(time.Second, Counts{N: n, K: k}, Counts{}); err != nil {
			t.Fatal(err)
		}
	}
	observe(30, 30)
	if detector.LogEvidence() < -math.Log(1e-4) {
		t.Fatal("30 failures of 30 are no evidence")
	}
	detector.Forget()
	if left := detector.LogEvidence(); left > 0 {
		t.Errorf("evidence of %v is left", left)
	}
	observe(30, 30)
	if detector.LogEvidence() < -math.Log(1e-4) {
		t.Error("what comes after forgetting is not seen")
	}
	if run := detector.Likely(); run.Canary != (Counts{N: 30, K: 30}) || run.Since != time.Second {
		t.Errorf("the run is %+v", run)
	}
}

func TestDetectorRefusesImpossibleCounts(t *testing.T) {
	for _, counts := range []Counts{{N: 1, K: 2}, {N: -1}, {K: -1}} {
		detector := NewDetector(0.01)
		if detector.Observe(time.Second, counts, Counts{}) == nil || detector.Observe(time.Second, Counts{}, counts) == nil {
			t.Errorf("%+v accepted", counts)
		}
		if detector.Age() != 0 {
			t.Error("it changed the detector")
		}
	}
}

// Suspects is the cheap half of Detect: whatever was observed, below its threshold Detect neither fails nor acquits.
func TestWithoutSuspicionNothingIsDetected(t *testing.T) {
	criterion := ErrorRate(0.005, 0.01)
	rapid.Check(t, func(t *rapid.T) {
		detector := NewDetector(criterion.Rollback)
		for range rapid.IntRange(1, 30).Draw(t, "looks") {
			n, m := rapid.Int64Range(0, 20).Draw(t, "n"), rapid.Int64Range(0, 20).Draw(t, "m")
			canary := Counts{N: n, K: rapid.Int64Range(0, n).Draw(t, "k")}
			stable := Counts{N: m, K: rapid.Int64Range(0, m).Draw(t, "beside")}
			if err := detector.Observe(time.Second, canary, stable); err != nil {
				t.Fatal(err)
			}
			detection := criterion.Detect(detector)
			if decided := detection.Verdict == Fail || detection.Shared; decided != criterion.Suspects(detector) {
				t.Fatalf("suspects %v, but %+v", !decided, detection)
			}
		}
	})
}

func TestDetect(t *testing.T) {
	criterion := ErrorRate(0.005, 0.01)
	criterion.Alpha = 1e-4
	tests := []struct {
		name           string
		canary, stable Counts
		want           Verdict
		shared         bool
	}{
		{name: "nothing yet", want: Inconclusive},
		{name: "healthy", canary: Counts{N: 1000, K: 3}, stable: Counts{N: 9000, K: 27}, want: Inconclusive},
		{name: "a third fails", canary: Counts{N: 21, K: 7}, stable: Counts{N: 189, K: 0}, want: Fail},
		{name: "a third fails, stable has no requests", canary: Counts{N: 21, K: 7}, want: Fail},
		{name: "everything fails everywhere", canary: Counts{N: 4, K: 4}, stable: Counts{N: 36, K: 36}, want: Inconclusive,
			shared: true},
		{name: "everything fails everywhere, mostly canary", canary: Counts{N: 18, K: 18}, stable: Counts{N: 12, K: 12},
			want: Inconclusive, shared: true},
		{name: "stable is bad and the canary far worse", canary: Counts{N: 100, K: 90}, stable: Counts{N: 900, K: 45},
			want: Fail},
		{name: "one failure of stable", canary: Counts{N: 8, K: 8}, stable: Counts{N: 1, K: 1}, want: Fail},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			detector := NewDetector(0.01)
			if err := detector.Observe(3*time.Second, tt.canary, tt.stable); err != nil {
				t.Fatal(err)
			}
			got := criterion.Detect(detector)
			if got.Verdict != tt.want || got.Shared != tt.shared {
				t.Errorf("verdict %s, shared %v: %s", got.Verdict, got.Shared, got.Reason)
			}
			if got.Verdict == Fail && got.Lower < criterion.Rollback {
				t.Errorf("it fails with the lower bound %v", got.Lower)
			}
		})
	}
	criterion.Rollback = 0.02
	if got := criterion.Detect(NewDetector(0.01)); got.Verdict != Error {
		t.Errorf("a detector of another limit is judged: %s", got.Verdict)
	}
}
