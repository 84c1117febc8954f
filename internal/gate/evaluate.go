package gate

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/prometheus/common/model"

	"github.com/vextrus/finance-rollout/internal/promql"
)

// Question is the input of a look.
type Question struct {
	// Metrics select the release's series, Stable those of the stable track; nil for no comparison.
	Metrics Metrics
	Stable  *Metrics
	// Criteria are judged over the Window.
	Criteria []Criterion
	Window   Window
}

// Evaluate judges all criteria for a bake. A criterion that cannot be judged has the verdict Error and its reason.
func Evaluate(ctx context.Context, querier Querier, question Question) Evaluation {
	return question.evaluate(ctx, querier, Criterion.DecideAgainst)
}

// EvaluateSoak judges all criteria for a soak; see [Criterion.Judge].
func EvaluateSoak(ctx context.Context, querier Querier, question Question) Evaluation {
	return question.evaluate(ctx, querier, Criterion.Judge)
}

func (q Question) evaluate(ctx context.Context, querier Querier,
	judge func(Criterion, Counts, *Counts) Result) Evaluation {
	evaluation := Evaluation{Start: q.Window.Start, End: q.Window.End}
	for _, criterion := range q.Criteria {
		evaluation.Results = append(evaluation.Results, q.evaluateOne(ctx, querier, criterion, judge))
	}
	return evaluation
}

func (q Question) evaluateOne(ctx context.Context, querier Querier, criterion Criterion,
	judge func(Criterion, Counts, *Counts) Result) Result {
	failed := criterion.unknown()
	if err := criterion.Validate(); err != nil {
		return failed.is(Error, "%v", err)
	}
	if !q.Window.End.After(q.Window.Start) {
		return failed.is(Error, "the window from %s to %s is empty", stamp(q.Window.Start), stamp(q.Window.End))
	}
	canary, query, err := criterion.measure(ctx, querier, q.Metrics, q.Window)
	failed.Query = query
	if err != nil {
		return failed.is(Error, "%v", err)
	}
	stable, err := criterion.beside(ctx, querier, q.Stable, q.Window)
	if err != nil {
		return failed.is(Error, "read the stable track for comparison: %v", err)
	}
	if canary.others > 0 {
		failed.Upper = 1
		return failed.is(Inconclusive, "no customer requests: all %d requests of the window are probes or scrapes, which "+
			"metrics.exclude leaves out", canary.others)
	}
	result := judge(criterion, canary.Counts, stable)
	result.Query, result.Notes = query, canary.notes
	return result
}

// measure counts the events of a release in the window. query is the query behind the counts.
func (c Criterion) measure(ctx context.Context, querier Querier, metrics Metrics, window Window) (counted measured,
	query string, err error) {
	if err := metrics.Validate(); err != nil {
		return measured{}, "", err
	}
	selector, err := c.selector(ctx, querier, metrics, window)
	if err != nil {
		return measured{}, "", err
	}
	query = promql.Range(selector, window.End.Sub(window.Start)+metrics.lookback())
	counted, err = c.read(ctx, querier, metrics, selector, window)
	if err != nil {
		return measured{}, query, err
	}
	if counted.Counts == (Counts{}) && len(metrics.Customers()) > 0 {
		// The probes are counted in the same metric: with them, the release is scraped.
		others, err := c.others(ctx, querier, metrics, window)
		if err != nil || others.N > 0 {
			counted.others = others.N
			return counted, query, err
		}
	}
	return counted, query, seen(ctx, querier, metrics, c.metric(metrics), selector, window, counted.newest)
}

// others counts the requests of the release including those that Exclude leaves out.
func (c Criterion) others(ctx context.Context, querier Querier, metrics Metrics, window Window) (Counts, error) {
	metrics.Exclude, metrics.Matchers = nil, nil
	selector, err := metrics.Select(metrics.RequestsTotal)
	if err != nil {
		return Counts{}, err
	}
	counted, err := ErrorRate(0.5, 1).read(ctx, querier, metrics, selector, window)
	if err != nil {
		return Counts{}, fmt.Errorf("count the requests that are left out: %w", err)
	}
	return counted.Counts, nil
}

// measured is what was counted of a track.
type measured struct {
	Counts
	// notes are about what is not counted.
	notes []string
	// others is the number of requests that are none of a customer, where there are no others.
	others int64
	// newest is the time of the newest sample; Earliest without one.
	newest time.Time
	// series is the number of series that had samples in a piece of the window.
	series int
}

// beside counts the events of the stable track. It is nil for a track without series.
func (c Criterion) beside(ctx context.Context, querier Querier, stable *Metrics, window Window) (*Counts, error) {
	if stable == nil {
		return nil, nil
	}
	selector, err := c.selector(ctx, querier, *stable, window)
	if err != nil {
		return nil, err
	}
	counted, err := c.read(ctx, querier, *stable, selector, window)
	if err != nil || counted.series == 0 {
		return nil, err
	}
	return &counted.Counts, nil
}

// read counts the events of a selector's series in the window.
func (c Criterion) read(ctx context.Context, querier Querier, metrics Metrics, selector string,
	window Window) (measured, error) {
	counted, err := c.readSeries(ctx, querier, metrics, selector, window)
	if missing, ok := errors.AsType[*noBoundError](err); ok && missing.ofProcess {
		// This process has other bounds than the rest: all of them are read.
		if selector, err = metrics.Select(metrics.DurationBucket); err != nil {
			return measured{}, err
		}
		return c.readSeries(ctx, querier, metrics, selector, window)
	}
	return counted, err
}

func (c Criterion) readSeries(ctx context.Context, querier Querier, metrics Metrics, selector string,
	window Window) (measured, error) {
	born, err := register(ctx, querier, metrics, window)
	if err != nil {
		return measured{}, err
	}
	counted, tally := measured{newest: model.Earliest.Time()}, newTally(window, born)
	err = chunks(ctx, querier, selector, metrics.lookback(), window, func(matrix model.Matrix, _ time.Time) error {
		if at := newestSample(matrix); at.After(counted.newest) {
			counted.newest = at
		}
		counted.series += len(matrix)
		return tally.add(matrix)
	})
	if err != nil {
		return measured{}, err
	}
	if c.Kind == KindLatency {
		unit := metrics.durationUnit()
		counted.Counts, counted.notes, err = tally.latencies(float64(c.Limit)/float64(unit), unit)
	} else {
		counted.Counts, counted.notes, err = tally.errors(metrics.StatusLabel, metrics.ErrorPattern)
	}
	return counted, err
}

// selector selects the counted series.
func (c Criterion) selector(ctx context.Context, querier Querier, metrics Metrics, window Window) (string, error) {
	if c.Kind == KindLatency {
		return selectBuckets(ctx, querier, metrics, float64(c.Limit)/float64(metrics.durationUnit()), window)
	}
	return metrics.Select(metrics.RequestsTotal)
}

func (c Criterion) metric(metrics Metrics) string {
	if c.Kind == KindLatency {
		return metrics.DurationBucket
	}
	return metrics.RequestsTotal
}

// unknown is the result without counts.
func (c Criterion) unknown() Result {
	return Result{Name: c.Name, Target: c.Target, Rollback: c.Rollback, MinRequests: c.MinRequests}
}

// seen verifies that the window has samples and that the newest one is fresh.
func seen(ctx context.Context, querier Querier, metrics Metrics, metric, selector string, window Window,
	newest time.Time) error {
	if !newest.After(window.Start) {
		explanation, err := missing(ctx, querier, metrics, metric, selector, window)
		if err != nil {
			return fmt.Errorf("no sample of %s in the window; asking for the reason failed: %w", selector, err)
		}
		return fmt.Errorf("no sample of %s in the window: %s", selector, explanation)
	}
	return fresh(ctx, querier, metrics, selector, window.End, newest)
}
