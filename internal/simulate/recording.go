package simulate

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sort"
	"strings"
	"time"

	"github.com/prometheus/common/model"

	"github.com/vextrus/finance-rollout/internal/gate"
	"github.com/vextrus/finance-rollout/internal/names"
	"github.com/vextrus/finance-rollout/internal/promql"
)

// Recording holds traffic as Prometheus would, and answers the gates' queries about it.
type Recording struct {
	// Start and End are the times of the first and the last sample, Step is the distance between samples.
	Start, End time.Time
	Step       time.Duration
	// Durations is true when the record has a histogram of the canary's durations, Beside when it has the stable track.
	Durations, Beside bool

	series  model.Matrix
	metrics gate.Metrics
	// asked holds the series by the selector of the gates' queries.
	asked map[string]model.Matrix
	// processes are the lives of the processes that the series belong to.
	processes map[process]life
}

var _ gate.Querier = (*Recording)(nil)

// errOneSample is returned for a record without an interval.
var errOneSample = errors.New("the record has one point in time only, and nothing to count between samples")

// newRecording checks and indexes the series.
func newRecording(series model.Matrix, metrics gate.Metrics) (*Recording, error) {
	r := &Recording{series: series, metrics: metrics}
	first, last := model.Latest, model.Earliest
	var distances []time.Duration
	for _, stream := range series {
		for i, sample := range stream.Values {
			if i > 0 {
				distances = append(distances, sample.Timestamp.Sub(stream.Values[i-1].Timestamp))
			}
		}
		if count := len(stream.Values); count > 0 {
			first, last = min(first, stream.Values[0].Timestamp), max(last, stream.Values[count-1].Timestamp)
		}
	}
	if first >= last {
		return nil, errOneSample
	}
	r.Start, r.End = first.Time().UTC(), last.Time().UTC()
	slices.Sort(distances)
	r.Step = distances[len(distances)/2]
	if err := r.file(); err != nil {
		return nil, err
	}
	r.Durations = len(r.of(metrics.DurationBucket, names.Canary)) > 0
	r.Beside = len(r.of(metrics.RequestsTotal, names.Stable)) > 0
	return r, nil
}

// file indexes the series by the selectors of the gates' queries.
func (r *Recording) file() error {
	r.asked, r.processes = map[string]model.Matrix{}, r.lives()
	for _, track := range []string{names.Canary, names.Stable} {
		up, started := r.births(track)
		for metric, matrix := range map[string]model.Matrix{gate.MetricUp: up, gate.MetricStarted: started} {
			selector, err := r.selector(metric, track)
			if err != nil {
				return err
			}
			r.asked[selector] = matrix
		}
	}
	for _, metric := range []string{r.metrics.RequestsTotal, r.metrics.DurationBucket} {
		for _, track := range []string{names.Canary, names.Stable} {
			selector, err := r.selector(metric, track)
			if err != nil {
				return err
			}
			r.asked[selector] = nil
		}
	}
	for _, stream := range r.series {
		selector, err := r.selector(label(stream, model.MetricNameLabel), label(stream, r.metrics.TrackLabel))
		if err != nil {
			return err
		}
		r.asked[selector] = append(r.asked[selector], stream)
	}
	return nil
}

func (r *Recording) selector(metric, track string) (string, error) {
	return promql.Selector(metric, map[string]string{r.metrics.TrackLabel: track})
}

// of returns the series of a metric and a track.
func (r *Recording) of(metric, track string) model.Matrix {
	selector, err := r.selector(metric, track)
	if err != nil {
		return nil // file has built every selector
	}
	return r.asked[selector]
}

// tracks returns the metrics of both tracks. A step longer than the usual scrape interval needs a longer lookback for
// the sample at which counting starts.
func (r *Recording) tracks() (canary gate.Metrics, stable *gate.Metrics) {
	metrics := r.metrics
	// The series are chosen already, and carry the label of their track.
	metrics.Selector, metrics.Exclude, metrics.Matchers, metrics.Tracks = nil, nil, nil, nil
	metrics.ScrapeInterval = r.Step
	metrics.Lookback = max(gate.DefaultMetrics().Lookback, 3*r.Step)
	canary = metrics.For(names.Canary, "")
	if r.Beside {
		beside := metrics.For(names.Stable, "")
		stable = &beside
	}
	return canary, stable
}

// question is the question of bake and soak.
func (r *Recording) question(criteria []gate.Criterion, window gate.Window) gate.Question {
	canary, stable := r.tracks()
	return gate.Question{Metrics: canary, Stable: stable, Criteria: criteria, Window: window}
}

func (r *Recording) bake(ctx context.Context, criteria []gate.Criterion, window gate.Window) gate.Evaluation {
	return gate.Evaluate(ctx, r, r.question(criteria, window))
}

func (r *Recording) soak(ctx context.Context, criteria []gate.Criterion, window gate.Window) (gate.Evaluation,
	time.Duration, error) {
	question := r.question(criteria, window)
	coverage, err := gate.Cover(ctx, r, question.Metrics, question.Window)
	if err != nil {
		return gate.Evaluation{}, 0, err
	}
	return gate.EvaluateSoak(ctx, r, question), coverage.Covered, nil
}

// Samples implements [gate.Querier].
func (r *Recording) Samples(_ context.Context, selector string, start, end time.Time) (model.Matrix, error) {
	series, known := r.asked[selector]
	if !known {
		return nil, fmt.Errorf("the record has no series for %s", selector)
	}
	var matrix model.Matrix
	from, to := model.TimeFromUnixNano(start.UnixNano()), model.TimeFromUnixNano(end.UnixNano())
	for _, stream := range series {
		after := func(t model.Time) int {
			return sort.Search(len(stream.Values), func(i int) bool { return stream.Values[i].Timestamp > t })
		}
		if low, high := after(from), after(to); low < high {
			// The capacity ends with the samples, so that an append copies them.
			matrix = append(matrix, &model.SampleStream{Metric: stream.Metric, Values: stream.Values[low:high:high]})
		}
	}
	return matrix, nil
}

// LabelValues implements [gate.Querier]. The gates use it to explain missing samples to people. It returns the values
// of the label on all series of the metric, or on all series.
func (r *Recording) LabelValues(_ context.Context, label, selector string, _, _ time.Time) ([]string, error) {
	var values []string
	for _, stream := range r.series {
		name := string(stream.Metric[model.MetricNameLabel])
		value, ok := stream.Metric[model.LabelName(label)]
		if ok && (name == selector || strings.HasPrefix(selector, "{")) {
			values = append(values, string(value))
		}
	}
	slices.Sort(values)
	return slices.Compact(values), nil
}
