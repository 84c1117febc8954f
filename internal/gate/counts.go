package gate

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/prometheus/common/model"
)

// maxExactInteger is the value up to which a float64 represents every integer.
const maxExactInteger = 1 << 53

// counter is a series whose samples are verified counts.
type counter struct {
	labels  model.Metric
	samples []model.SamplePair
}

// counters verifies that every series consists of whole numbers of at least 0, in order of time.
func counters(matrix model.Matrix) ([]counter, error) {
	out := make([]counter, 0, len(matrix))
	for _, series := range matrix {
		if len(series.Histograms) > 0 {
			return nil, fmt.Errorf("series %s is a native histogram, and %s; their series end in _count and _bucket",
				series.Metric, keepClassic)
		}
		last := model.Earliest
		for _, sample := range series.Values {
			v := float64(sample.Value)
			if !(v >= 0 && v <= maxExactInteger) || v != math.Trunc(v) {
				return nil, fmt.Errorf("series %s has the value %v at %s: a counter has whole numbers of at least 0",
					series.Metric, v, stamp(sample.Timestamp.Time()))
			}
			if sample.Timestamp <= last {
				return nil, fmt.Errorf("series %s has samples out of order at %s", series.Metric, stamp(sample.Timestamp.Time()))
			}
			last = sample.Timestamp
		}
		out = append(out, counter{labels: series.Metric, samples: series.Values})
	}
	return out, nil
}

// errStale means that scraping stopped before the end of the window.
var errStale = errors.New("stale")

// missedScrapes is the number of consecutive scrapes that may be missing.
const missedScrapes = 3

// fresh returns errStale if the newest sample is older than three scrapes. An interval of 0 is inferred from the
// samples.
func fresh(ctx context.Context, querier Querier, metrics Metrics, selector string, end, newest time.Time) error {
	age, interval := end.Sub(newest), metrics.ScrapeInterval
	if interval <= 0 {
		matrix, err := querier.Samples(ctx, selector, end.Add(-metrics.lookback()), end)
		if err != nil {
			return err
		}
		interval = scrapeInterval(matrix)
	}
	if age > missedScrapes*interval {
		return fmt.Errorf("%w: the newest sample is from %s, %v before the end of the window, more than %d scrapes of %v: "+
			"is the pod still scraped?", errStale, stamp(newest), age.Round(time.Second), missedScrapes, interval)
	}
	return nil
}

func newestSample(matrix model.Matrix) time.Time {
	newest := model.Earliest
	for _, series := range matrix {
		if count := len(series.Values); count > 0 {
			newest = max(newest, series.Values[count-1].Timestamp)
		}
	}
	return newest.Time()
}

// fallbackInterval is assumed if no series has two samples. It is Prometheus' default.
const fallbackInterval = time.Minute

// scrapeInterval is the median time between samples.
func scrapeInterval(matrix model.Matrix) time.Duration {
	var distances []time.Duration
	for _, series := range matrix {
		for i := 1; i < len(series.Values); i++ {
			distances = append(distances, series.Values[i].Timestamp.Sub(series.Values[i-1].Timestamp))
		}
	}
	if len(distances) == 0 {
		return fallbackInterval
	}
	slices.Sort(distances)
	return distances[len(distances)/2]
}

func labelNames(labels model.Metric) string {
	var names []string
	for name := range labels {
		if name != model.MetricNameLabel {
			names = append(names, string(name))
		}
	}
	slices.Sort(names)
	return strings.Join(names, ", ")
}

// stamp prints a time for people, to the second and in UTC.
func stamp(t time.Time) string { return t.UTC().Format(time.RFC3339) }
