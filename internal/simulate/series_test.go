package simulate

import (
	"strings"
	"testing"
	"time"

	"github.com/prometheus/common/model"

	"github.com/vextrus/finance-rollout/internal/gate"
)

// exported is a record of one canary process: 100 requests between two samples, so many of them within each bound.
func exported(t *testing.T, metrics gate.Metrics, within map[string]int) *Recording {
	t.Helper()
	stream := func(labels model.Metric, last int) *model.SampleStream {
		labels["track"] = "canary"
		return &model.SampleStream{Metric: labels, Values: []model.SamplePair{{Timestamp: model.TimeFromUnix(1000)},
			{Timestamp: model.TimeFromUnix(1015), Value: model.SampleValue(last)}}}
	}
	series := model.Matrix{stream(model.Metric{"__name__": model.LabelValue(metrics.RequestsTotal), "code": "200"}, 100)}
	for bound, count := range within {
		series = append(series, stream(model.Metric{"__name__": model.LabelValue(metrics.DurationBucket),
			"le": model.LabelValue(bound)}, count))
	}
	recording, err := ReadExport(metrics, "", strings.NewReader(answer(t, series)))
	if err != nil {
		t.Fatal(err)
	}
	return recording
}

// The slow requests are those beyond the bucket of the limit, in the unit of the service's buckets.
func TestSlowRequestsAreThoseBeyondTheBucketOfTheLimit(t *testing.T) {
	seconds := map[string]int{"0.25": 40, "0.5": 90, "1": 97, "+Inf": 100, "fast": 1}
	for name, tt := range map[string]struct {
		unit    time.Duration
		within  map[string]int
		latency time.Duration
		want    int64
	}{
		"seconds":                 {time.Second, seconds, 500 * time.Millisecond, 10},
		"another bound":           {time.Second, seconds, time.Second, 3},
		"seconds by default":      {0, seconds, 500 * time.Millisecond, 10},
		"milliseconds":            {time.Millisecond, map[string]int{"500": 90, "+Inf": 100}, 500 * time.Millisecond, 10},
		"no bucket of that bound": {time.Second, seconds, 750 * time.Millisecond, 0},
		"no bucket of all":        {time.Second, map[string]int{"0.5": 90}, 500 * time.Millisecond, 0},
	} {
		metrics := gate.DefaultMetrics()
		metrics.DurationUnit = tt.unit
		intervals, err := exported(t, metrics, tt.within).rises(tt.latency)
		if err != nil || len(intervals) != 1 || intervals[0].Canary.N != 100 || intervals[0].Canary.Slow != tt.want {
			t.Errorf("%s: %+v, %v; want %d slow of 100", name, intervals, err, tt.want)
		}
	}
}

// A stack's selector keeps the series of another service out, and the refusal names it.
func TestSeriesOfAnotherServiceAreLeftOut(t *testing.T) {
	text := strings.ReplaceAll(small, `"track":"canary"`, `"track":"canary","job":"orders"`)
	text = strings.ReplaceAll(text, `"track":"stable"`, `"track":"stable","job":"billing"`)
	metrics := gate.DefaultMetrics()
	metrics.Selector = map[string]string{"job": "orders"}
	recording, err := ReadExport(metrics, "", strings.NewReader(text))
	if err != nil || recording.Beside {
		t.Fatalf("the stable track of another service counts: %v", err)
	}
	if canary, stable, err := recording.totals(testLimits()); err != nil || canary.N != 14 || stable.N != 0 {
		t.Errorf("canary %+v, stable %+v, %v", canary, stable, err)
	}
	metrics.Selector["job"] = "shop"
	_, err = ReadExport(metrics, "week1", strings.NewReader(text))
	const want = `no series of http_requests_total with track="canary", version="week1", job="shop" among the 3`
	if err == nil || !strings.Contains(err.Error(), want) {
		t.Errorf("error %v, want %q", err, want)
	}
}

func TestANativeHistogramIsRefused(t *testing.T) {
	const native = `{"status":"success","data":{"resultType":"matrix","result":[{"metric":` +
		`{"__name__":"http_request_duration_seconds_bucket","track":"canary"},"histograms":[[1000,{"count":"3",` +
		`"sum":"0.6","buckets":[[0,"0.1","0.2","3"]]}]]}]}}`
	_, err := ReadExport(gate.DefaultMetrics(), "", strings.NewReader(native))
	if err == nil || !strings.Contains(err.Error(), "is a native histogram: the gates count classic buckets") {
		t.Errorf("error %v", err)
	}
}

// Names and patterns that no query could have are errors, and not a record without failures.
func TestMetricsThatNoQueryCouldHaveAreRefused(t *testing.T) {
	metrics := gate.DefaultMetrics()
	metrics.ErrorPattern = "5("
	recording, err := ReadExport(metrics, "", strings.NewReader(small))
	if err != nil {
		t.Fatal(err)
	}
	for guarded, limits := range map[string]Limits{"with a guard": testLimits(), "without one": testLimits()} {
		if guarded == "without one" {
			limits.Guard = nil
		}
		if _, err := Run(t.Context(), recording, limits); err == nil || !strings.Contains(err.Error(), `error pattern "5("`) {
			t.Errorf("%s: error %v", guarded, err)
		}
	}
	metrics = gate.DefaultMetrics()
	metrics.TrackLabel = "pod track"
	_, err = ReadExport(metrics, "", strings.NewReader(strings.ReplaceAll(small, `"track"`, `"pod track"`)))
	if err == nil || !strings.Contains(err.Error(), `"pod track"`) {
		t.Errorf("a label that no selector has: %v", err)
	}
}

// A question about a series that the record lacks is an error: an empty answer would read as no requests.
func TestTheRecordAnswersOnlyAboutWhatItHas(t *testing.T) {
	recording := exported(t, gate.DefaultMetrics(), nil)
	samples, err := recording.Samples(t.Context(), `queue_length{track="canary"}`, recording.Start, recording.End)
	if err == nil || !strings.Contains(err.Error(), "the record has no series for queue_length") || samples != nil {
		t.Errorf("%v, error %v", samples, err)
	}
}

func TestTrafficThatCannotBeSampledIsRefused(t *testing.T) {
	intervals := func(canary, stable *Counts) []Interval {
		return []Interval{{End: origin.Add(time.Minute), Canary: canary, Stable: stable},
			{End: origin.Add(2 * time.Minute), Canary: canary, Stable: stable}}
	}
	some, most := &Counts{N: 1}, &Counts{N: mostRequests}
	for want, tt := range map[string]struct {
		intervals []Interval
		limit     time.Duration
	}{
		"latency limit -1s: allowed are durations above 0": {intervals(some, nil), -time.Second},
		"the traffic has no counts for the canary":         {intervals(nil, some), time.Second},
		"requests in total at 2000-01-01T00:02:00Z":        {intervals(some, most), time.Second},
	} {
		_, err := Traffic{Start: origin, Intervals: tt.intervals}.Recording(tt.limit)
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v, want %q", err, want)
		}
	}
}

// At an error rate of 1 nothing is left to chance.
func TestEveryRequestOfABrokenCanaryFails(t *testing.T) {
	traffic, err := generator(func(m *Generator) {
		m.Duration, m.Canary.Errors, m.Canary.Slow = time.Hour, 1, 0
	}).Traffic()
	if err != nil {
		t.Fatal(err)
	}
	for _, interval := range traffic.Intervals {
		if interval.Canary.K != interval.Canary.N || interval.Canary.Slow != 0 {
			t.Fatalf("%+v", *interval.Canary)
		}
	}
}
