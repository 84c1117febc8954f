package simulate

import (
	"errors"
	"fmt"
	"time"

	"github.com/prometheus/common/model"

	"github.com/vextrus/finance-rollout/internal/gate"
	"github.com/vextrus/finance-rollout/internal/names"
)

// Counts are the numbers of all, failed and slow requests.
type Counts struct {
	N    int64 `json:"n"`
	K    int64 `json:"k"`
	Slow int64 `json:"slow"`
}

func (c Counts) plus(more Counts) Counts {
	return Counts{N: c.N + more.N, K: c.K + more.K, Slow: c.Slow + more.Slow}
}

func (c Counts) minus(less Counts) Counts {
	return Counts{N: c.N - less.N, K: c.K - less.K, Slow: c.Slow - less.Slow}
}

func (c Counts) requests() gate.Counts { return gate.Counts{N: c.N, K: c.K} }
func (c Counts) slow() gate.Counts     { return gate.Counts{N: c.N, K: c.Slow} }

// Interval holds the counts since the end of the previous interval. A nil track was not observed; its next counts cover
// the time since the last observation.
type Interval struct {
	End            time.Time
	Canary, Stable *Counts
}

// Traffic holds the counts of two tracks in order of time. The first interval begins at Start.
type Traffic struct {
	Start     time.Time
	Intervals []Interval
	// Durations is true when slow requests were counted.
	Durations bool
}

// mostRequests limits the total count of a track, so that a float64 holds it exactly.
const mostRequests = 1 << 50

// Recording converts the traffic into samples of the pods' counters, which the gates read. The limit is the upper bound
// of the bucket below which a request is not slow.
func (t Traffic) Recording(limit time.Duration) (*Recording, error) {
	if limit <= 0 {
		return nil, fmt.Errorf("latency limit %v: allowed are durations above 0", limit)
	}
	metrics := gate.DefaultMetrics()
	var canary, stable builder
	canary.begin(names.Canary, metrics, t, limit)
	stable.begin(names.Stable, metrics, t, limit)
	for _, interval := range t.Intervals {
		if err := errors.Join(canary.add(interval.End, interval.Canary),
			stable.add(interval.End, interval.Stable)); err != nil {
			return nil, err
		}
	}
	series := canary.series
	if stable.seen {
		series = append(series, stable.series...)
	}
	if !canary.seen {
		return nil, errors.New("the traffic has no counts for the canary")
	}
	return newRecording(series, metrics)
}

// builder builds the counters of a track.
type builder struct {
	series model.Matrix
	total  Counts
	seen   bool
}

// begin creates the series: good responses, failed ones, and the buckets if there are durations.
func (b *builder) begin(track string, metrics gate.Metrics, traffic Traffic, limit time.Duration) {
	add := func(name, label, value string) {
		b.series = append(b.series, &model.SampleStream{
			Metric: model.Metric{
				model.MetricNameLabel: model.LabelValue(name), model.LabelName(metrics.TrackLabel): model.LabelValue(track),
				model.LabelName(label): model.LabelValue(value),
			},
			Values: []model.SamplePair{{Timestamp: model.TimeFromUnixNano(traffic.Start.UnixNano())}},
		})
	}
	add(metrics.RequestsTotal, metrics.StatusLabel, "200")
	add(metrics.RequestsTotal, metrics.StatusLabel, "500")
	if traffic.Durations {
		add(metrics.DurationBucket, model.BucketLabel, fmt.Sprint(limit.Seconds()))
		add(metrics.DurationBucket, model.BucketLabel, "+Inf")
	}
}

func (b *builder) add(at time.Time, counts *Counts) error {
	if counts == nil {
		return nil
	}
	b.seen = true
	b.total = b.total.plus(*counts)
	if b.total.N > mostRequests {
		return fmt.Errorf("more than %d requests in total at %s", int64(mostRequests), at.UTC().Format(time.RFC3339))
	}
	values := []int64{b.total.N - b.total.K, b.total.K, b.total.N - b.total.Slow, b.total.N}
	for i, series := range b.series {
		series.Values = append(series.Values, model.SamplePair{Timestamp: model.TimeFromUnixNano(at.UnixNano()),
			Value: model.SampleValue(values[i])})
	}
	return nil
}
