package gate

import (
	"math"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/common/model"
	"pgregory.net/rapid"

	"github.com/vextrus/finance-rollout/internal/testkit"
)

var t0 = time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC)

const step = 15 * time.Second

// series makes a series whose first sample lies skip steps after t0 and whose others follow at every step. A NaN is a
// gap.
func series(labels string, skip int, values ...float64) *model.SampleStream {
	stream := &model.SampleStream{Metric: model.Metric{}}
	for pair := range strings.SplitSeq(labels, ",") {
		name, value, _ := strings.Cut(pair, "=")
		stream.Metric[model.LabelName(name)] = model.LabelValue(value)
	}
	for i, v := range values {
		if !math.IsNaN(v) {
			at := t0.Add(time.Duration(skip+i) * step)
			stream.Values = append(stream.Values, model.SamplePair{Timestamp: model.TimeFromUnixNano(at.UnixNano()),
				Value: model.SampleValue(v)})
		}
	}
	return stream
}

// errorCounts counts a matrix whose processes are of unknown age.
func errorCounts(matrix model.Matrix, start time.Time, pattern string) (n, k int64, err error) {
	tally := newTally(Window{Start: start}, nil)
	if err := tally.add(matrix); err != nil {
		return 0, 0, err
	}
	counts, _, err := tally.errors("code", pattern)
	return counts.N, counts.K, err
}

// latencyCounts counts a matrix whose processes are of unknown age.
func latencyCounts(matrix model.Matrix, start time.Time, limit, unit time.Duration) (Counts, error) {
	tally := newTally(Window{Start: start}, nil)
	if err := tally.add(matrix); err != nil {
		return Counts{}, err
	}
	counts, _, err := tally.latencies(float64(limit)/float64(unit), unit)
	return counts, err
}

func TestErrorCounts(t *testing.T) {
	gap := math.NaN()
	tests := []struct {
		name   string
		matrix model.Matrix
		n, k   int64
	}{
		{"nothing", nil, 0, 0},
		{"counts from the last sample before the window", model.Matrix{series("code=200", -2, 5, 10, 12, 12, 20)}, 8, 0},
		{"a sample at the start is the base", model.Matrix{series("code=200", 0, 10, 15)}, 5, 0},
		{"the first sample of a process of unknown age is the base", model.Matrix{series("code=500", 1, 3, 4)}, 1, 1},
		{"a new series of a known process counts from 0", model.Matrix{series("code=200", 0, 7, 7, 8),
			series("code=500", 1, 3, 4)}, 5, 4},
		{"no sample in the window", model.Matrix{series("code=200", -3, 1, 2)}, 0, 0},
		{"a reset adds the new value", model.Matrix{series("code=200", 0, 100, 110, 3, 5, 5, 5, 5)}, 15, 0},
		{"a reset to 0", model.Matrix{series("code=200", 0, 7, 0, 0)}, 0, 0},
		{"two resets", model.Matrix{series("code=200", 0, 10, 4, 4, 4, 4, 6, 1, 1, 1, 1, 1)}, 7, 0},
		{"a reset before the window is over", model.Matrix{series("code=200", -5, 100, 1, 2, 2, 2, 3, 4)}, 1, 0},
		{"a reset across the start", model.Matrix{series("code=200", -1, 100, gap, 4, 4, 4, 4, 4)}, 4, 0},
		{"a gap", model.Matrix{series("code=200", 0, 1, gap, gap, 9)}, 8, 0},
		{"errors and others", model.Matrix{
			series("code=200,pod=a", 0, 0, 90), series("code=500,pod=a", 0, 0, 4), series("code=503,pod=b", 0, 0, 2),
			series("code=404,pod=b", 1, 4),
		}, 100, 6},
		{"the pattern is anchored", model.Matrix{series("code=5000", 0, 0, 1), series("code=1500", 0, 0, 1),
			series("code=50", 0, 0, 1)}, 3, 0},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			n, k, err := errorCounts(test.matrix, t0, "5..")
			if err != nil || n != test.n || k != test.k {
				t.Errorf("got %d of %d, %v; want %d of %d", k, n, err, test.k, test.n)
			}
		})
	}
}

func TestErrorCountsRefuses(t *testing.T) {
	native := series("code=200,pod=a", 0)
	native.Histograms = []model.SampleHistogramPair{{}}
	tests := []struct {
		name   string
		matrix model.Matrix
		want   []string
	}{
		{"negative", model.Matrix{series("code=200", 0, 1, -1)}, []string{`code="200"`, "-1", "2026-03-02T09:00:15Z"}},
		{"infinite", model.Matrix{series("code=200", 0, math.Inf(1))}, []string{`code="200"`, "+Inf"}},
		{"fractions", model.Matrix{series("code=200", 0, 0.5)}, []string{`code="200"`, "0.5", "whole numbers"}},
		{"beyond exact integers", model.Matrix{series("code=200", 0, 1e300)}, []string{"1e+300"}},
		{"not a number", model.Matrix{{Metric: model.Metric{"code": "200"},
			Values: []model.SamplePair{{Timestamp: 1, Value: model.SampleValue(math.NaN())}}}}, []string{"NaN"}},
		{"out of order", model.Matrix{{Metric: model.Metric{"code": "200"},
			Values: []model.SamplePair{{Timestamp: 2}, {Timestamp: 1}}}}, []string{"out of order"}},
		{"native histogram", model.Matrix{native}, []string{"native histogram", `pod="a"`,
			"metrics.scrapeClassicHistograms", "always_scrape_classic_histograms", "_count and _bucket"}},
		{"no status label", model.Matrix{series("status=200,pod=a", 0, 1)},
			[]string{`no label "code"`, "it has pod, status"}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			_, _, err := errorCounts(test.matrix, t0, "5..")
			testkit.WantError(t, err, test.want...)
		})
	}
	_, _, err := errorCounts(nil, t0, "(")
	testkit.WantError(t, err, `error pattern "("`)
}

func TestLatencyCounts(t *testing.T) {
	tests := []struct {
		name   string
		matrix model.Matrix
		limit  time.Duration
		unit   time.Duration
		n, k   int64
		maybe  int64
	}{
		{"bounds are numbers", model.Matrix{series("le=5e-1", 0, 0, 90), series("le=+Inf", 0, 0, 100)}, half, time.Second,
			100, 10, 0},
		{"a written zero", model.Matrix{series("le=0.50", 0, 0, 90), series("le=Inf", 0, 0, 100)}, half, time.Second, 100,
			10, 0},
		{"a bound that is not exact in binary", model.Matrix{series("le=0.3", 0, 0, 1), series("le=+Inf", 0, 0, 1)},
			300 * time.Millisecond, time.Second, 1, 0, 0},
		{"milliseconds", model.Matrix{series("le=500", 0, 0, 9), series("le=+Inf", 0, 0, 10)}, half, time.Millisecond, 10,
			1, 0},
		{"two pods", model.Matrix{
			series("le=0.5,pod=a", 0, 0, 9), series("le=+Inf,pod=a", 0, 0, 10), series("le=0.5,pod=b", 0, 0, 1),
			series("le=+Inf,pod=b", 0, 0, 3),
		}, half, time.Second, 13, 3, 0},
		{"a limit between two bounds", model.Matrix{series("le=0.25", 0, 0, 90), series("le=1", 0, 0, 96),
			series("le=+Inf", 0, 0, 100)}, half, time.Second, 100, 4, 6},
		{"a limit below all bounds", model.Matrix{series("le=1", 0, 0, 96), series("le=+Inf", 0, 0, 100)}, half,
			time.Second, 100, 4, 96},
		{"a limit above all bounds", model.Matrix{series("le=0.25", 0, 0, 90), series("le=+Inf", 0, 0, 100)}, half,
			time.Second, 100, 0, 10},
		{"pods with different bounds", model.Matrix{
			series("le=0.5,pod=a", 0, 0, 9), series("le=+Inf,pod=a", 0, 0, 10), series("le=0.25,pod=b", 0, 0, 5),
			series("le=1,pod=b", 0, 0, 7), series("le=+Inf,pod=b", 0, 0, 10),
		}, half, time.Second, 20, 4, 2},
		// The restarted process has served more requests than before, but fewer fast ones: only one bucket shows the reset.
		{"a reset that one bucket hides", model.Matrix{series("le=0.5", 0, 200, 40, 40, 40, 40, 40),
			series("le=+Inf", 0, 210, 120, 120, 120, 120, 120)}, half, time.Second, 120, 80, 0},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			got, err := latencyCounts(test.matrix, t0, test.limit, test.unit)
			if want := (Counts{N: test.n, K: test.k, Maybe: test.maybe}); err != nil || got != want {
				t.Errorf("got %+v, %v; want %+v", got, err, want)
			}
		})
	}
}

func TestLatencyCountsRefuses(t *testing.T) {
	tests := []struct {
		name   string
		matrix model.Matrix
		want   []string
	}{
		{"only +Inf", model.Matrix{series("le=+Inf,pod=a", 0, 1)}, []string{`pod="a"`, "no bucket bound but +Inf", "500ms"}},
		{"no +Inf", model.Matrix{series("le=0.5", 0, 1)}, []string{`no bucket with le="+Inf"`}},
		{"no le", model.Matrix{series("code=200", 0, 1)}, []string{`no label "le"`, "_bucket"}},
		{"le is no number", model.Matrix{series("le=fast", 0, 1)}, []string{"not a number"}},
		{"le is NaN", model.Matrix{series("le=NaN", 0, 1)}, []string{"not a number"}},
		{"buckets not cumulative", model.Matrix{series("le=0.5", 0, 0, 5), series("le=+Inf", 0, 0, 3)}, []string{"2 more"}},
		{"negative", model.Matrix{series("le=0.5", 0, -5), series("le=+Inf", 0, 3)}, []string{"-5"}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			_, err := latencyCounts(test.matrix, t0, half, time.Second)
			testkit.WantError(t, err, test.want...)
		})
	}
}

// A counter that is scraped often enough is counted exactly, whatever its restarts hide, and however rarely it is
// scraped, never more than what happened and never less than 0.
func TestIncreaseProperties(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		steps := rapid.SliceOfN(rapid.IntRange(0, 20), 1, 40).Draw(t, "increments")
		var value, truth float64
		values, started := []float64{0}, []float64{unix(-time.Hour)}
		for i, inc := range steps {
			began := started[i]
			if rapid.Bool().Draw(t, "restart "+strconv.Itoa(i)) {
				value, began = 0, unix(time.Duration(i)*step+time.Second)
			}
			value += float64(inc)
			truth += float64(inc)
			values, started = append(values, value), append(started, began)
		}
		count := func(start time.Time) (int64, error) {
			born := births{scraped: model.Latest}.noteStarts(series("a=b", 0, started...).Values)
			tally := newTally(Window{Start: start}, registry{[2]string{"", ""}: born})
			if err := tally.add(model.Matrix{series("code=200", 0, values...)}); err != nil {
				return 0, err
			}
			counts, _, err := tally.errors("code", "5..")
			return counts.N, err
		}
		n, err := count(t0)
		if err != nil || n != int64(truth) {
			t.Errorf("scraped at every step: %d, %v; want %v", n, err, truth)
		}
		for i := range values {
			if i > 0 && rapid.Bool().Draw(t, "missed "+strconv.Itoa(i)) {
				values[i], started[i] = math.NaN(), math.NaN()
			}
		}
		fewer, err := count(t0)
		if err != nil || fewer < 0 || fewer > int64(truth) {
			t.Errorf("with missed scrapes: %d, %v; want 0 to %v", fewer, err, truth)
		}
		whole, _ := count(t0.Add(-step))
		later, _ := count(t0.Add(step))
		if later > whole {
			t.Errorf("a shorter window counts %d, the whole one %d", later, whole)
		}
	})
}

func TestFresh(t *testing.T) {
	matrix := model.Matrix{series("code=200", 0, 1, 1, 1), series("code=500", 0, 1)}
	newest := t0.Add(2 * step)
	tests := []struct {
		name     string
		end      time.Time
		interval time.Duration
		stale    bool
	}{
		{"at once", newest, 0, false},
		{"three scrapes later", newest.Add(3 * step), 0, false},
		{"more than three scrapes later", newest.Add(3*step + time.Second), 0, true},
		{"a configured interval", newest.Add(3*step + time.Second), time.Minute, false},
		{"clocks that differ", newest.Add(-step), 0, false},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			metrics := Metrics{ScrapeInterval: test.interval}
			err := fresh(t.Context(), store{samples: map[string]model.Matrix{requests: matrix}}, metrics, requests, test.end,
				newest)
			if (err != nil) != test.stale {
				t.Fatalf("got %v, want stale: %t", err, test.stale)
			}
			if test.stale {
				testkit.WantError(t, err, "stale", "2026-03-02T09:00:30Z", "46s before", "3 scrapes of 15s")
			}
		})
	}
	if got := scrapeInterval(model.Matrix{series("code=200", 0, 1)}); got != fallbackInterval {
		t.Errorf("interval of a single sample is %v", got)
	}
}
