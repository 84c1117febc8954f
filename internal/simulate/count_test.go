package simulate

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/vextrus/finance-rollout/internal/gate"
	"github.com/vextrus/finance-rollout/internal/plan"
	"github.com/vextrus/finance-rollout/internal/quarantine"
)

// judgement is an event without the words of its reason.
type judgement struct {
	After   time.Duration
	By      Source
	Action  Action
	Verdict gate.Verdict
	N, K    []int64
}

func judgements(result Result) []judgement {
	var list []judgement
	for _, event := range result.Events {
		one := judgement{After: event.After, By: event.By, Action: event.Action, Verdict: event.Verdict}
		if event.Evaluation != nil {
			for _, result := range event.Evaluation.Results {
				one.N, one.K = append(one.N, result.N), append(one.K, result.K)
			}
		}
		if event.Result != nil {
			one.N, one.K = append(one.N, event.Result.N), append(one.K, event.Result.K)
		}
		list = append(list, one)
	}
	return list
}

// What is judged by counts is decided as what is judged by the samples of a Prometheus: the same gates at the same
// times on the same numbers.
func TestCountsDecideAsTheirSamplesDo(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		rate := rapid.SampledFrom([]float64{0.02, 0.3, 2}).Draw(t, "rate")
		behaviour := func(name string) Behaviour {
			return Behaviour{Rate: rate, Errors: rapid.SampledFrom([]float64{0, 0.001, 0.007, 0.03, 0.4}).Draw(t, name),
				Slow: rapid.SampledFrom([]float64{0, 0.02, 0.07}).Draw(t, name+" slow")}
		}
		traffic, err := Generator{Duration: time.Duration(rapid.IntRange(1, 6).Draw(t, "length")) * 20 * time.Minute,
			Step:   time.Duration(rapid.SampledFrom([]int{30, 60}).Draw(t, "step")) * time.Second,
			Canary: behaviour("canary"), Stable: behaviour("stable"), Then: behaviour("then"),
			Turns: time.Duration(rapid.IntRange(0, 3).Draw(t, "turns")) * 40 * time.Minute,
			Seed:  rapid.Uint64Range(0, 1000).Draw(t, "seed")}.Traffic()
		if err != nil {
			t.Fatal(err)
		}
		if rapid.Bool().Draw(t, "alone") {
			for i := range traffic.Intervals {
				traffic.Intervals[i].Stable = nil
			}
		}
		limits := testLimits()
		limits.Soak = plan.Soak{Duration: time.Hour, Extension: 30 * time.Minute}
		if rapid.Bool().Draw(t, "without a guard") {
			limits.Guard = nil
		}
		if rapid.Bool().Draw(t, "quarantines") {
			policy := quarantine.DefaultPolicy()
			limits.Quarantine = &policy
		}
		recording, err := traffic.Recording(500 * time.Millisecond)
		if err != nil {
			t.Fatal(err)
		}
		bySamples, err := Run(t.Context(), recording, limits)
		if err != nil {
			t.Fatal(err)
		}
		byCounts, err := RunTraffic(t.Context(), traffic, limits)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(judgements(bySamples), judgements(byCounts)); diff != "" {
			t.Fatalf("(-samples +counts)\n%s", diff)
		}
		if bySamples.Canary != byCounts.Canary || bySamples.Stable != byCounts.Stable || bySamples.Step != byCounts.Step {
			t.Fatalf("%+v, %+v; want %+v, %+v", byCounts.Canary, byCounts.Stable, bySamples.Canary, bySamples.Stable)
		}
	})
}

func TestTrafficWithoutTheCanaryIsNotCounted(t *testing.T) {
	for want, intervals := range map[string][]Interval{
		"one point in time":       {{End: origin.Add(time.Minute), Canary: &Counts{}}},
		"no counts of the canary": {{End: origin.Add(time.Minute), Canary: &Counts{}}, {End: origin.Add(time.Hour)}},
		"is not after": {{End: origin.Add(time.Minute), Canary: &Counts{}},
			{End: origin.Add(time.Minute), Canary: &Counts{}}},
	} {
		_, err := RunTraffic(t.Context(), Traffic{Start: origin, Intervals: intervals}, testLimits())
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %q", err, want)
		}
	}
}

// A longer course begins as the shorter one of its seed does, and another stream is another traffic.
func TestACourseContinues(t *testing.T) {
	course := Course{Start: origin, Duration: time.Hour, Step: time.Minute, Beside: true, Seed: 3, Stream: 4,
		At: func(end time.Time) (canary, stable Behaviour) {
			rate := float64(end.Minute())
			return Behaviour{Rate: rate, Errors: 0.1, Slow: 0.1}, Behaviour{Rate: 2 * rate}
		}}
	short, err := course.Traffic()
	if err != nil {
		t.Fatal(err)
	}
	course.Duration = 2 * time.Hour
	long, err := course.Traffic()
	if err != nil || !cmp.Equal(short.Intervals, long.Intervals[:60]) {
		t.Errorf("the longer course begins otherwise: %v", err)
	}
	course.Stream++
	if again, err := course.Traffic(); err != nil || cmp.Equal(again, long) {
		t.Errorf("another stream has the same traffic: %v", err)
	}
	course.At = func(time.Time) (canary, stable Behaviour) { return Behaviour{Rate: 1, Errors: 2}, Behaviour{} }
	if _, err := course.Traffic(); err == nil || !strings.Contains(err.Error(), "error share 2") {
		t.Errorf("an impossible course: %v", err)
	}
}
