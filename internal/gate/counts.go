package gate

import (
	"context"
	"errors"
	"fmt"
	"math"
	"regexp"
	"slices"
	"strconv"
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
			return nil, fmt.Errorf("series %s is a native histogram: a counter or the buckets of a classic histogram are needed",
				series.Metric)
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

// resets are the times of the samples at which a counter restarted from 0.
func (c counter) resets() []model.Time {
	var times []model.Time
	for i := 1; i < len(c.samples); i++ {
		if c.samples[i].Value < c.samples[i-1].Value {
			times = append(times, c.samples[i].Timestamp)
		}
	}
	return times
}

// rise is the increase of the counter from start (exclusive) to its last sample, without extrapolation. Its base is the
// last sample up to start; a series without one appeared after start and counts from 0. At a reset the counter restarts
// from 0, so that the new value is the increase. resets are those of every series of the same process: a counter that
// exceeds its old value again before the next scrape does not show its own reset.
func (c counter) rise(start model.Time, resets []model.Time) int64 {
	var total, base model.SampleValue
	var baseTime model.Time
	for _, sample := range c.samples {
		if sample.Timestamp > start {
			if slices.ContainsFunc(resets, func(t model.Time) bool { return t > baseTime && t <= sample.Timestamp }) {
				base = 0
			}
			total += sample.Value - base
		}
		base, baseTime = sample.Value, sample.Timestamp
	}
	return int64(total)
}

// errorCounts counts the requests after start and those of them whose status matches.
func errorCounts(matrix model.Matrix, start time.Time, statusLabel, pattern string) (n, k int64, err error) {
	bad, err := regexp.Compile(anchored(pattern))
	if err != nil {
		return 0, 0, fmt.Errorf("error pattern %q: %w", pattern, err)
	}
	series, err := counters(matrix)
	if err != nil {
		return 0, 0, err
	}
	for _, c := range series {
		status, ok := c.labels[model.LabelName(statusLabel)]
		if !ok {
			return 0, 0, fmt.Errorf("series %s has no label %q for its status: configure the right label (it has %s)",
				c.labels, statusLabel, labelNames(c.labels))
		}
		rise := c.rise(model.TimeFromUnixNano(start.UnixNano()), c.resets())
		n += rise
		if bad.MatchString(string(status)) {
			k += rise
		}
	}
	return n, k, nil
}

// latencyCounts counts the requests after start and those of them that took longer than limit, which must be the
// bound of a bucket.
func latencyCounts(matrix model.Matrix, start time.Time, limit, unit time.Duration) (n, k int64, err error) {
	series, err := counters(matrix)
	if err != nil {
		return 0, 0, err
	}
	histograms := map[model.Fingerprint]*histogram{}
	for _, c := range series {
		bound, err := bucketBound(c.labels)
		if err != nil {
			return 0, 0, err
		}
		labels := c.labels.Clone()
		delete(labels, model.BucketLabel)
		key := labels.Fingerprint()
		if histograms[key] == nil {
			histograms[key] = &histogram{labels: labels, buckets: map[float64]counter{}}
		}
		histograms[key].buckets[bound] = c
	}
	for _, h := range histograms {
		all, slow, err := h.counts(model.TimeFromUnixNano(start.UnixNano()), float64(limit)/float64(unit), unit)
		if err != nil {
			return 0, 0, err
		}
		n, k = n+all, k+slow
	}
	return n, k, nil
}

func bucketBound(labels model.Metric) (float64, error) {
	text, ok := labels[model.BucketLabel]
	if !ok {
		return 0, fmt.Errorf("series %s has no label %q: configure the buckets of a classic histogram, whose name ends in "+
			"_bucket", labels, model.BucketLabel)
	}
	bound, err := strconv.ParseFloat(string(text), 64)
	if err != nil || math.IsNaN(bound) {
		return 0, fmt.Errorf("series %s has a label %s that is not a number", labels, model.BucketLabel)
	}
	return bound, nil
}

// histogram is a classic histogram of one process: cumulative buckets by their upper bound.
type histogram struct {
	labels  model.Metric
	buckets map[float64]counter
}

func (h *histogram) counts(start model.Time, limit float64, unit time.Duration) (n, k int64, err error) {
	everything, ok := h.buckets[math.Inf(1)]
	if !ok {
		return 0, 0, fmt.Errorf("histogram %s has no bucket with le=\"+Inf\"", h.labels)
	}
	within, ok := h.bucket(limit)
	if !ok {
		return 0, 0, &noBoundError{histogram: h.labels.String(), labels: h.labels, limit: limit, unit: unit,
			bounds: h.bounds()}
	}
	// All buckets belong to one process, so that a reset of one is a reset of all.
	resets := slices.Concat(everything.resets(), within.resets())
	n = everything.rise(start, resets)
	k = n - within.rise(start, resets)
	if k < 0 {
		return 0, 0, fmt.Errorf("histogram %s counts more requests up to its bound %s than in total: %d more",
			h.labels, inUnit(limit, unit), -k)
	}
	return n, k, nil
}

// bucket finds a bound by its value: the label may be 0.5, 0.50 or 5e-1.
func (h *histogram) bucket(limit float64) (counter, bool) {
	for bound, c := range h.buckets {
		if isBound(bound, limit) {
			return c, true
		}
	}
	return counter{}, false
}

// bounds are all bounds except +Inf.
func (h *histogram) bounds() []float64 {
	var bounds []float64
	for bound := range h.buckets {
		if !math.IsInf(bound, 1) {
			bounds = append(bounds, bound)
		}
	}
	return bounds
}

// inUnit prints a bound as a duration, as the limit is configured.
func inUnit(bound float64, unit time.Duration) string {
	return time.Duration(math.Round(bound * float64(unit))).String()
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
