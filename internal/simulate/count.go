package simulate

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/vextrus/finance-rollout/internal/gate"
)

// RunTraffic judges traffic as [Run] judges its recording, by the counts themselves. It skips the samples that
// Prometheus would have, which takes most of the time of Run: it is for many runs. Every interval needs the counts of
// the canary, because only samples show gaps.
func RunTraffic(ctx context.Context, traffic Traffic, limits Limits) (Result, error) {
	if err := limits.Validate(); err != nil {
		return Result{}, err
	}
	counts, err := count(traffic)
	if err != nil {
		return Result{}, err
	}
	last := len(counts.ends) - 1
	result := Result{Start: traffic.Start, End: counts.ends[last], Step: counts.ends[0].Sub(traffic.Start),
		Canary: counts.canary[last+1], Stable: counts.stable[last+1]}
	seen := watched{start: traffic.Start, intervals: counts.intervals,
		durations: limits.Review != nil && traffic.Durations}
	r := &run{evidence: counts, start: result.Start, end: result.End, step: result.Step, limits: limits}
	if err := r.judge(ctx, &result, traffic.Durations, seen); err != nil {
		return Result{}, err
	}
	return result, nil
}

// counted is traffic with the totals up to the end of each interval.
type counted struct {
	intervals []Interval
	ends      []time.Time
	// canary and stable hold the totals before each interval, and at last those of all.
	canary, stable []Counts
	beside         bool
}

var _ evidence = (*counted)(nil)

// count adds the intervals up.
func count(traffic Traffic) (*counted, error) {
	if len(traffic.Intervals) < 2 {
		return nil, errOneSample
	}
	size := len(traffic.Intervals)
	c := &counted{intervals: make([]Interval, 0, size), ends: make([]time.Time, 0, size),
		canary: make([]Counts, 1, size+1), stable: make([]Counts, 1, size+1)}
	last := traffic.Start
	for i, interval := range traffic.Intervals {
		if interval.Canary == nil {
			return nil, fmt.Errorf("no counts of the canary at %s", interval.End.Format(time.RFC3339))
		}
		if !interval.End.After(last) {
			return nil, fmt.Errorf("the interval that ends at %s is not after the one before",
				interval.End.Format(time.RFC3339))
		}
		last = interval.End
		if interval.Stable == nil {
			interval.Stable = &Counts{}
		} else {
			c.beside = true
		}
		c.intervals = append(c.intervals, interval)
		c.ends = append(c.ends, interval.End)
		c.canary = append(c.canary, c.canary[i].plus(*interval.Canary))
		c.stable = append(c.stable, c.stable[i].plus(*interval.Stable))
	}
	return c, nil
}

// index is the number of intervals that end at t or before.
func (c *counted) index(t time.Time) int {
	at, exact := slices.BinarySearchFunc(c.ends, t, time.Time.Compare)
	if exact {
		at++
	}
	return at
}

// skew is by how much the edges of a time that does not count are uncertain, as in [gate.Window].
const skew = 5 * time.Second

// errNoSample is the reason of a look before the first interval of its window has ended.
var errNoSample = errors.New("no sample in the window")

func (c *counted) evaluate(criteria []gate.Criterion, window gate.Window,
	judge func(gate.Criterion, gate.Counts, *gate.Counts) gate.Result) gate.Evaluation {
	evaluation := gate.Evaluation{Start: window.Start, End: window.End}
	from, to := c.index(window.Start), c.index(window.End)
	canary, stable := c.canary[to].minus(c.canary[from]), c.stable[to].minus(c.stable[from])
	done := from
	for _, except := range window.Except {
		first := max(c.index(except.Start.Add(-skew)), done)
		last := min(c.index(except.End.Add(skew-1))+1, to)
		if first < last {
			canary = canary.minus(c.canary[last].minus(c.canary[first]))
			stable = stable.minus(c.stable[last].minus(c.stable[first]))
			done = last
		}
	}
	for _, criterion := range criteria {
		if from == to {
			evaluation.Results = append(evaluation.Results,
				gate.Result{Name: criterion.Name, Verdict: gate.Error, Reason: errNoSample.Error()})
			continue
		}
		of := Counts.requests
		if criterion.Kind == gate.KindLatency {
			of = Counts.slow
		}
		var beside *gate.Counts
		if c.beside {
			counts := of(stable)
			beside = &counts
		}
		evaluation.Results = append(evaluation.Results, judge(criterion, of(canary), beside))
	}
	return evaluation
}

func (c *counted) bake(_ context.Context, criteria []gate.Criterion, window gate.Window) gate.Evaluation {
	return c.evaluate(criteria, window, gate.Criterion.DecideAgainst)
}

func (c *counted) soak(_ context.Context, criteria []gate.Criterion, window gate.Window) (gate.Evaluation,
	time.Duration, error) {
	return c.evaluate(criteria, window, gate.Criterion.Judge), window.End.Sub(window.Start), nil
}
