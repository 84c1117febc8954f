package gate

import (
	"context"
	"fmt"
	"time"

	"github.com/prometheus/common/model"
)

// Evaluate looks at all criteria over the window. Whatever keeps it from judging a criterion is the result of that criterion, with
// verdict Error; nothing else is returned as an error.
func Evaluate(ctx context.Context, querier Querier, metrics Metrics, criteria []Criterion, window Window) Evaluation {
	evaluation := Evaluation{Start: window.Start, End: window.End}
	for _, criterion := range criteria {
		evaluation.Results = append(evaluation.Results, evaluate(ctx, querier, metrics, criterion, window))
	}
	return evaluation
}

func evaluate(ctx context.Context, querier Querier, metrics Metrics, criterion Criterion, window Window) Result {
	failed := criterion.unknown()
	if err := criterion.Validate(); err != nil {
		return failed.is(Error, "%v", err)
	}
	if err := metrics.Validate(); err != nil {
		return failed.is(Error, "%v", err)
	}
	if !window.End.After(window.Start) {
		return failed.is(Error, "the window from %s to %s is empty", stamp(window.Start), stamp(window.End))
	}
	metric := metrics.RequestsTotal
	if criterion.Kind == KindLatency {
		metric = metrics.DurationBucket
	}
	selector, err := Selector(metric, metrics.Selector)
	if err != nil {
		return failed.is(Error, "%v", err)
	}
	failed.Query = rangeSelector(selector, window.End.Sub(window.Start)+metrics.lookback())
	matrix, err := samples(ctx, querier, metrics, metric, selector, window)
	if err != nil {
		return failed.is(Error, "%v", err)
	}
	n, k, err := criterion.count(matrix, metrics, window.Start)
	if err != nil {
		return failed.is(Error, "%v", err)
	}
	result := criterion.Decide(n, k)
	result.Query = failed.Query
	return result
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

// samples reads the window and the lookback before it. The window itself must hold a sample, and a fresh one.
func samples(ctx context.Context, querier Querier, metrics Metrics, metric, selector string, window Window) (model.Matrix, error) {
	matrix, err := querier.Samples(ctx, selector, window.Start.Add(-metrics.lookback()), window.End)
	if err != nil {
		return nil, err
	}
	if !newestSample(matrix).After(window.Start) {
		found, err := missing(ctx, querier, metrics, metric, selector, window)
		if err != nil {
			return nil, fmt.Errorf("no sample of %s in the window; what there is instead could not be read: %w", selector, err)
		}
		return nil, fmt.Errorf("no sample of %s in the window: %s", selector, found)
	}
	return matrix, fresh(matrix, window.End, metrics.ScrapeInterval)
}
