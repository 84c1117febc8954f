package simulate

import (
	"errors"
	"fmt"
	"time"

	"github.com/prometheus/common/model"

	"github.com/vextrus/finance-rollout/internal/gate"
	"github.com/vextrus/finance-rollout/internal/names"
)

// Counts are requests, those of them that failed, and those that were slow.
type Counts struct {
	N    int64 `json:"n"`
	K    int64 `json:"k"`
	Slow int64 `json:"slow"`
}

func (c Counts) plus(more Counts) Counts {
	return Counts{N: c.N + more.N, K: c.K + more.K, Slow: c.Slow + more.Slow}
}

func (c Counts) requests() gate.Counts { return gate.Counts{N: c.N, K: c.K} }
func (c Counts) slow() gate.Counts     { return gate.Counts{N: c.N, K: c.Slow} }

// Interval is what was counted from the end of the interval before it to its own. A track that is nil was not looked
// at; what it counts next is since it was.
type Interval struct {
	End            time.Time
	Canary, Stable *Counts
}

// Traffic is what two tracks counted, in order of time. The first interval begins at Start.
type Traffic struct {
	Start     time.Time
	Intervals []Interval
	// Durations tells that slow requests were counted.
	Durations bool
}

// mostRequests bounds what a track may count in all, so that a float64 has it exactly.
const mostRequests = 1 << 50

// Recording is the traffic as samples of the pods' counters, which is what the gates read. Its bucket for slow
// requests has the given limit.
func (t Traffic) Recording(limit time.Duration) (*Recording, error) {
	if limit <= 0 {
		return nil, fmt.Errorf("a limit of %v makes no request slow: it must be above 0", limit)
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
		return nil, errors.New("the traffic holds nothing of the canary")
	}
	return newRecording(series, metrics)
}

// builder makes the counters of a track.
type builder struct {
	series model.Matrix
	total  Counts
	seen   bool
}

// begin makes the series: the good answers, the bad ones, and with durations the buckets.
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
		return fmt.Errorf("more than %d requests in all, by %s", int64(mostRequests), at.UTC().Format(time.RFC3339))
	}
	values := []int64{b.total.N - b.total.K, b.total.K, b.total.N - b.total.Slow, b.total.N}
	for i, series := range b.series {
		series.Values = append(series.Values, model.SamplePair{Timestamp: model.TimeFromUnixNano(at.UnixNano()),
			Value: model.SampleValue(values[i])})
	}
	return nil
}
