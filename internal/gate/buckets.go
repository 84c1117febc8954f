package gate

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/prometheus/common/model"

	"github.com/vextrus/finance-rollout/internal/promql"
)

// selectBuckets selects the two buckets of a classic histogram that are counted: the one at the limit, which is in the
// histogram's unit, and +Inf. Over two days of many pods, the other buckets would be most of the data.
//
// Servers spell a bound differently, and the spelling changes when a server is updated: Prometheus 3 writes 0.5 where
// others keep the service's 0.50 or 5e-1. The function therefore asks for the spellings and selects every spelling of a
// bound. A limit that is not a bound is an error that names the bounds. Without any bound it selects every series, so
// that the caller notices what is missing.
func selectBuckets(ctx context.Context, querier Querier, metrics Metrics, limit float64, window Window) (string,
	error) {
	selector, err := promql.Selector(metrics.DurationBucket, metrics.Selector)
	if err != nil {
		return "", err
	}
	spellings, err := querier.LabelValues(ctx, model.BucketLabel, selector, window.Start.Add(-metrics.lookback()),
		window.End)
	if err != nil {
		return "", err
	}
	if len(spellings) == 0 {
		return selector, nil
	}
	var counted []string
	var bounds []float64
	hasLimit := false
	for _, spelling := range spellings {
		bound, err := strconv.ParseFloat(spelling, 64)
		switch {
		case err != nil || math.IsNaN(bound):
			return "", fmt.Errorf("series %s have a label %s=%q that is not a number", selector, model.BucketLabel, spelling)
		case math.IsInf(bound, 1):
			counted = append(counted, spelling)
		case isBound(bound, limit):
			counted, hasLimit = append(counted, spelling), true
		default:
			bounds = append(bounds, bound)
		}
	}
	if !hasLimit {
		return "", &noBoundError{histogram: selector, limit: limit, unit: metrics.durationUnit(), bounds: bounds}
	}
	return promql.Selector(metrics.DurationBucket, metrics.Selector, promql.OneOf(model.BucketLabel, counted...))
}

// isBound compares numbers, and tolerates the rounding of a division.
func isBound(bound, limit float64) bool { return math.Abs(bound-limit) <= 1e-9*limit }

// noBoundError is the error of a histogram without a bucket at the latency limit.
type noBoundError struct {
	// histogram names the series. labels are those of one process; nil if no process has the bucket.
	histogram string
	labels    model.Metric
	limit     float64
	unit      time.Duration
	bounds    []float64
}

// Error names the existing bounds.
func (e *noBoundError) Error() string {
	bounds := "none but +Inf"
	if len(e.bounds) > 0 {
		var texts []string
		for _, bound := range slices.Compact(slices.Sorted(slices.Values(e.bounds))) {
			texts = append(texts, inUnit(bound, e.unit))
		}
		bounds = strings.Join(texts, ", ")
	}
	return fmt.Sprintf("histogram %s has no bucket bound at the latency limit of %s: set the limit to one of its "+
		"bounds (%s), or give the histogram this bucket", e.histogram, inUnit(e.limit, e.unit), bounds)
}

// withBounds adds the bounds to an error about one process whose other buckets were not read.
func withBounds(ctx context.Context, querier Querier, metrics Metrics, window Window, err error) error {
	missing, ok := errors.AsType[*noBoundError](err)
	if !ok || missing.labels == nil {
		return err
	}
	labels := map[string]string{}
	for name, value := range missing.labels {
		if name != model.MetricNameLabel {
			labels[string(name)] = string(value)
		}
	}
	metrics.Selector = labels
	_, err = selectBuckets(ctx, querier, metrics, missing.limit, window)
	if complete, ok := errors.AsType[*noBoundError](err); ok {
		return complete
	}
	return missing
}

// oneSpelling is a Querier that gives every bucket bound one spelling, so that a histogram stays one when the spelling
// of its bounds changes.
type oneSpelling struct{ Querier }

// Samples implements [Querier].
func (o oneSpelling) Samples(ctx context.Context, selector string, start, end time.Time) (model.Matrix, error) {
	matrix, err := o.Querier.Samples(ctx, selector, start, end)
	if err != nil {
		return nil, err
	}
	byLabels := map[model.Fingerprint]*model.SampleStream{}
	var respelled model.Matrix
	for _, series := range matrix {
		labels := series.Metric.Clone()
		if bound, err := strconv.ParseFloat(string(labels[model.BucketLabel]), 64); err == nil {
			labels[model.BucketLabel] = model.LabelValue(strconv.FormatFloat(bound, 'g', -1, 64))
		}
		key := labels.Fingerprint()
		if known := byLabels[key]; known != nil {
			known.Values = slices.SortedFunc(slices.Values(slices.Concat(known.Values, series.Values)),
				func(a, b model.SamplePair) int {
					return cmp.Compare(a.Timestamp, b.Timestamp)
				})
			continue
		}
		byLabels[key] = &model.SampleStream{Metric: labels, Values: series.Values, Histograms: series.Histograms}
		respelled = append(respelled, byLabels[key])
	}
	return respelled, nil
}
