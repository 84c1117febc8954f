package gate

import (
	"context"
	"fmt"
	"math"
	"strconv"
	"time"

	"github.com/prometheus/common/model"

	"github.com/vextrus/finance-rollout/internal/promql"
)

// selectBuckets selects the buckets of a classic histogram that are counted: the one at the limit, which is in the
// histogram's unit, and +Inf. Over two days of many pods, the other buckets would be most of the data. If no bound is
// at the limit, it selects the nearest one on either side.
//
// Servers spell a bound differently, and the spelling changes when a server is updated: Prometheus 3 writes 0.5 where
// others keep the service's 0.50 or 5e-1. The function therefore asks for the spellings and selects every spelling of a
// bound. A histogram without bounds is an error. Without any series it selects every series, so that the caller
// notices what is missing.
func selectBuckets(ctx context.Context, querier Querier, metrics Metrics, limit float64, window Window) (string,
	error) {
	selector, err := metrics.Select(metrics.DurationBucket)
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
	bounds := make([]float64, len(spellings))
	for i, spelling := range spellings {
		if bounds[i], err = strconv.ParseFloat(spelling, 64); err != nil || math.IsNaN(bounds[i]) {
			return "", fmt.Errorf("series %s have a label %s=%q that is not a number", selector, model.BucketLabel, spelling)
		}
	}
	below, above, finite := between(bounds, limit)
	if !finite {
		return "", &noBoundError{histogram: selector, limit: limit, unit: metrics.durationUnit()}
	}
	var counted []string
	for i, spelling := range spellings {
		if math.IsInf(bounds[i], 1) || isBound(bounds[i], limit) || bounds[i] == below || bounds[i] == above {
			counted = append(counted, spelling)
		}
	}
	return metrics.Select(metrics.DurationBucket, promql.OneOf(model.BucketLabel, counted...))
}

// isBound compares numbers, and tolerates the rounding of a division.
func isBound(bound, limit float64) bool { return math.Abs(bound-limit) <= 1e-9*limit }

// noBoundError is the error of a histogram without any bound but +Inf.
type noBoundError struct {
	// histogram names the series. ofProcess is whether they are those of one process.
	histogram string
	ofProcess bool
	limit     float64
	unit      time.Duration
}

// Error says what to do.
func (e *noBoundError) Error() string {
	return fmt.Sprintf("histogram %s has no bucket bound but +Inf, as a native histogram has none in a classic scrape, "+
		"and the latency limit is %s: give the histogram this bucket, or write criteria.latency: off", e.histogram,
		inUnit(e.limit, e.unit))
}
