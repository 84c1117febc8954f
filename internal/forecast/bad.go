package forecast

import (
	"context"
	"slices"
	"time"

	"github.com/vextrus/finance-rollout/internal/gate"
	"github.com/vextrus/finance-rollout/internal/simulate"
)

// badShares are the shares of failed answers for which a bad release is forecast.
var badShares = []float64{0.02, 0.05, 0.33, 1}

const (
	// badRuns is the number of simulated releases for each share.
	badRuns = 200
	// leaving is how long a canary that was convicted goes on to answer, until no pod takes its requests: see
	// docs/benchmarks.md.
	leaving = time.Second
	// mostBadSteps bounds the traffic of a release that nobody convicts.
	mostBadSteps = 50_000
)

// Bad is a release that is bad from its first request on.
type Bad struct {
	// Share is the share of its answers that fail.
	Share float64 `json:"share"`
	// RolledBack is in how many of Runs it was rolled back, After the median time until then.
	RolledBack int           `json:"rolledBack"`
	Runs       int           `json:"runs"`
	After      time.Duration `json:"after"`
	// Expected and Worst are the failed answers: the mean and the most of all runs.
	Expected float64 `json:"expected"`
	Worst    int64   `json:"worst"`
}

// bad forecasts bad releases that enter at a weight.
func (m *simulator) bad(ctx context.Context, weight, runs int) ([]Bad, error) {
	var list []Bad
	for _, share := range badShares {
		failed, after := make([]int64, runs), make([]time.Duration, runs)
		err := parallel(ctx, runs, func(ctx context.Context, number int) error {
			var err error
			failed[number], after[number], err = m.fail(ctx, weight, share, m.seedOf(number))
			return err
		})
		if err != nil {
			return nil, err
		}
		list = append(list, sumBad(share, failed, after))
	}
	return list, nil
}

// never is the time of a rollback that does not come.
const never = time.Duration(-1)

func sumBad(share float64, failed []int64, after []time.Duration) Bad {
	bad := Bad{Share: share, Runs: len(failed), Worst: slices.Max(failed)}
	for _, count := range failed {
		bad.Expected += float64(count) / float64(len(failed))
	}
	after = slices.DeleteFunc(slices.Clone(after), func(d time.Duration) bool { return d == never })
	slices.Sort(after)
	if bad.RolledBack = len(after); bad.RolledBack > 0 {
		bad.After = after[len(after)/2]
	}
	return bad
}

// fail simulates one bad release, and gives its failed answers and the time until it is rolled back.
func (m *simulator) fail(ctx context.Context, weight int, share float64, seed uint64) (failed int64,
	after time.Duration, err error) {
	begin := m.plan.open(m.plan.Start, time.Time{})
	step, horizon := m.pace(weight, share, begin)
	days, part := m.profile.draw(seed), float64(weight)/100
	course := simulate.Course{Start: begin, Step: step, Beside: weight < 100, Seed: seed,
		Stream: uint64(weight) << 32, //nolint:gosec // a weight is 0 to 100
		At: func(end time.Time) (canary, stable simulate.Behaviour) {
			hour := days.at(end.Add(-step))
			canary = hour.behaviour(part)
			canary.Errors = max(share, hour.Errors)
			return canary, hour.behaviour(1 - part)
		}}
	most := max(min(m.plan.longest()+7*day, mostBadSteps*step), 2*step)
	for {
		course.Duration = min(horizon, most)
		traffic, err := course.Traffic()
		if err != nil {
			return 0, 0, err
		}
		traffic.Durations = m.profile.Durations
		result, err := simulate.RunTraffic(ctx, traffic, m.limits(weight, step))
		if err != nil {
			return 0, 0, err
		}
		last := result.Outcome()
		switch {
		case last.Action == simulate.RolledBack:
			rest := days.at(last.At).Rate * part * share * leaving.Seconds()
			return failures(traffic, result) + int64(rest+0.5), last.After, nil
		case last.Action == simulate.Passed || course.Duration == most:
			return failures(traffic, result), never, nil
		}
		horizon *= 4
	}
}

// pace is the step of the traffic of a bad release, and the time in which it is usually convicted. The guard looks
// every second; a release that takes hours to convict needs no such step.
func (m *simulator) pace(weight int, share float64, begin time.Time) (step, horizon time.Duration) {
	needed := int64(1)
	for _, criterion := range m.plan.Limits.Criteria {
		if criterion.Kind == gate.KindErrorRate {
			needed = max(needed, criterion.RequestsAt(share))
		}
	}
	part := float64(weight) / 100
	expected := m.profile.takes(begin, float64(needed)/part, m.plan.longest())
	if m.plan.Limits.Guard == nil {
		// Only a bake or a checkpoint convicts, and the bake waits for two scrapes.
		expected += m.plan.bakes() + 2*m.plan.Limits.Scrape
	}
	step = min(max((expected/100).Truncate(time.Second), time.Second), usualStep)
	return step, max(4*expected, 20*step)
}

// failures are the canary's failed answers up to the outcome. A canary in quarantine gives none.
func failures(traffic simulate.Traffic, result simulate.Result) int64 {
	total, out := int64(0), false
	events := result.Events
	for _, interval := range traffic.Intervals {
		if interval.End.After(result.Outcome().At) {
			break
		}
		if !out {
			total += interval.Canary.K
		}
		for ; len(events) > 0 && !events[0].At.After(interval.End); events = events[1:] {
			out = events[0].Action == simulate.Quarantined || out && events[0].Action != simulate.Readmitted
		}
	}
	return total
}
