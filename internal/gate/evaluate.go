package gate

import (
	"context"
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
	result := judge(criterion, canary, stable)
	result.Query = query
	return result
}

// measure counts the events of a release in the window. query is the query behind the counts.
func (c Criterion) measure(ctx context.Context, querier Querier, metrics Metrics, window Window) (counts Counts,
	query string, err error) {
	if err := metrics.Validate(); err != nil {
		return Counts{}, "", err
	}
	selector, err := c.selector(ctx, querier, metrics, window)
	if err != nil {
		return Counts{}, "", err
	}
	query = promql.Range(selector, window.End.Sub(window.Start)+metrics.lookback())
	newest := time.Time{}
	counts, err = c.read(ctx, querier, metrics, selector, window, func(matrix model.Matrix) {
		if at := newestSample(matrix); at.After(newest) {
			newest = at
		}
	})
	if err != nil {
		return Counts{}, query, err
	}
	return counts, query, seen(ctx, querier, metrics, c.metric(metrics), selector, window, newest)
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
	series := 0
	counts, err := c.read(ctx, querier, *stable, selector, window, func(matrix model.Matrix) { series += len(matrix) })
	if err != nil || series == 0 {
		return nil, err
	}
	return &counts, nil
}

// read counts the events of a selector's series in the window and calls show for every piece.
func (c Criterion) read(ctx context.Context, querier Querier, metrics Metrics, selector string, window Window,
	show func(model.Matrix)) (Counts, error) {
	if c.Kind == KindLatency {
		querier = oneSpelling{querier}
	}
	var counts Counts
	err := chunks(ctx, querier, selector, metrics.lookback(), window, func(matrix model.Matrix, start time.Time) error {
		show(matrix)
		n, k, err := c.count(matrix, metrics, start)
		counts.N, counts.K = counts.N+n, counts.K+k
		return err
	})
	if err != nil {
		return Counts{}, withBounds(ctx, querier, metrics, window, err)
	}
	return counts, nil
}

// selector selects the counted series.
func (c Criterion) selector(ctx context.Context, querier Querier, metrics Metrics, window Window) (string, error) {
	if c.Kind == KindLatency {
		return selectBuckets(ctx, querier, metrics, float64(c.Limit)/float64(metrics.durationUnit()), window)
	}
	return promql.Selector(metrics.RequestsTotal, metrics.Selector)
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

func (c Criterion) count(matrix model.Matrix, metrics Metrics, start time.Time) (n, k int64, err error) {
	if c.Kind == KindLatency {
		return latencyCounts(matrix, start, c.Limit, metrics.durationUnit())
	}
	return errorCounts(matrix, start, metrics.StatusLabel, metrics.ErrorPattern)
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
