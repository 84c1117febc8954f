package gate

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/common/model"

	"github.com/vextrus/finance-rollout/internal/promql"
	"github.com/vextrus/finance-rollout/internal/testkit"
)

var half = 500 * time.Millisecond

func TestSelectBuckets(t *testing.T) {
	metrics := DefaultMetrics().For("canary", "week1")
	bare := DefaultMetrics()
	milliseconds := metrics
	milliseconds.DurationUnit = time.Millisecond
	tests := []struct {
		name    string
		metrics Metrics
		bounds  []string
		want    string
	}{
		{"normalised", metrics, []string{"+Inf", "0.1", "0.5", "1.0"},
			`http_request_duration_seconds_bucket{track="canary",version="week1",le=~"\\+Inf|0\\.5"}`},
		{"a written zero", metrics, []string{"0.1", "0.50", "Inf"},
			`http_request_duration_seconds_bucket{track="canary",version="week1",le=~"0\\.50|Inf"}`},
		{"an exponent", metrics, []string{"5e-1", "+Inf"},
			`http_request_duration_seconds_bucket{track="canary",version="week1",le=~"5e-1|\\+Inf"}`},
		{"several spellings", metrics, []string{"0.5", "0.50", "5e-1", "5", "+Inf"},
			`http_request_duration_seconds_bucket{track="canary",version="week1",le=~"0\\.5|0\\.50|5e-1|\\+Inf"}`},
		{"milliseconds", milliseconds, []string{"500", "0.5", "+Inf"},
			`http_request_duration_seconds_bucket{track="canary",version="week1",le=~"500|\\+Inf"}`},
		{"between two bounds", metrics, []string{"0.1", "0.25", "0.250", "1.0", "2.5", "+Inf"},
			`http_request_duration_seconds_bucket{track="canary",version="week1",le=~"0\\.25|0\\.250|1\\.0|\\+Inf"}`},
		{"above all bounds", metrics, []string{"0.1", "0.25", "+Inf"},
			`http_request_duration_seconds_bucket{track="canary",version="week1",le=~"0\\.25|\\+Inf"}`},
		{"no other label", bare, []string{"0.5", "+Inf"}, `http_request_duration_seconds_bucket{le=~"0\\.5|\\+Inf"}`},
		{"no series", metrics, nil, durations},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			plain, err := promql.Selector(tt.metrics.DurationBucket, tt.metrics.Selector)
			if err != nil {
				t.Fatal(err)
			}
			querier := store{values: map[string][]string{"le " + plain: tt.bounds}}
			got, err := selectBuckets(t.Context(), querier, tt.metrics, float64(half)/float64(tt.metrics.durationUnit()), window)
			if err != nil || got != tt.want {
				t.Errorf("got %s, %v\nwant %s", got, err, tt.want)
			}
		})
	}
}

func TestSelectBucketsRefuses(t *testing.T) {
	metrics := DefaultMetrics().For("canary", "week1")
	for name, tt := range map[string]struct {
		store store
		want  []string
	}{
		"only +Inf": {store{values: map[string][]string{"le " + durations: {"+Inf"}}},
			[]string{durations, "no bucket bound but +Inf", "native histogram", "latency limit is 500ms",
				"criteria.latency: off"}},
		"a word": {store{values: map[string][]string{"le " + durations: {"fast", "+Inf"}}},
			[]string{`le="fast"`, "not a number"}},
		"not a number": {store{values: map[string][]string{"le " + durations: {"NaN", "0.5"}}},
			[]string{`le="NaN"`, "not a number"}},
		"unreachable": {store{err: errors.New("refused")}, []string{"refused"}},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := selectBuckets(t.Context(), tt.store, metrics, 0.5, window)
			testkit.WantError(t, err, tt.want...)
		})
	}
}

// A server that is updated during the soak spells the bounds differently afterwards: the counters continue, and none
// starts again.
func TestABoundWhoseSpellingChangesIsOneBound(t *testing.T) {
	read := `http_request_duration_seconds_bucket{track="canary",version="week1",le=~"0\\.50|0\\.5|\\+Inf"}`
	querier := store{
		values: map[string][]string{"le " + durations: {"0.50", "0.5", "0.1", "+Inf"}},
		samples: map[string]model.Matrix{
			read: {series("le=0.50", -1, 90, 90, 180), series("le=0.5", 2, 270, 350),
				series("le=+Inf", -1, 100, 100, 200, 300, 400)},
			durations: {series("le=0.5", 0, 1, 2)},
		},
	}
	got := Evaluate(t.Context(), querier, Question{
		Metrics: DefaultMetrics().For("canary", "week1"), Criteria: []Criterion{Latency(half, 0.95)}, Window: window,
	}).Results[0]
	if got.N != 300 || got.K != 40 {
		t.Errorf("%d of %d: %s", got.K, got.N, got.Reason)
	}
	if !strings.HasPrefix(got.Query, read+"[") {
		t.Errorf("asked %s", got.Query)
	}
}

// A pod with other bounds than the rest is counted by its own bounds, although the selection holds that of the rest.
func TestAPodWithOtherBoundsCounts(t *testing.T) {
	read := `http_request_duration_seconds_bucket{track="canary",version="week1",le=~"0\\.5|\\+Inf"}`
	a := model.Matrix{series("le=0.5,pod=a", 0, 0, 1, 2, 3, 4), series("le=+Inf,pod=a", 0, 0, 1, 2, 3, 4)}
	all := series("le=+Inf,pod=b", 0, 0, 1, 2, 3, 10)
	querier := store{
		values: map[string][]string{"le " + durations: {"0.5", "0.25", "1.0", "+Inf"}},
		samples: map[string]model.Matrix{
			read: append(model.Matrix{all}, a...),
			durations: append(model.Matrix{series("le=0.25,pod=b", 0, 0, 1, 2, 3, 7), series("le=1.0,pod=b", 0, 0, 1, 2, 3, 9),
				all}, a...),
		},
	}
	got := Evaluate(t.Context(), querier, Question{
		Metrics: DefaultMetrics().For("canary", "week1"), Criteria: []Criterion{Latency(half, 0.95)}, Window: window,
	}).Results[0]
	if got.N != 14 || got.K != 1 || got.Maybe != 2 {
		t.Errorf("%d and up to %d more of %d: %s", got.K, got.Maybe, got.N, got.Reason)
	}
}

// A pass needs the share above the lower bound, a fail the one above the upper bound.
func TestALimitBetweenBounds(t *testing.T) {
	criterion := Latency(half, 0.95)
	criterion.Rollback = 0.1
	for name, tt := range map[string]struct {
		counts     Counts
		bake, soak Verdict
	}{
		"surely fast":                {Counts{N: 2000, K: 10, Maybe: 20}, Pass, Pass},
		"fast above, slow below":     {Counts{N: 2000, K: 10, Maybe: 400}, Inconclusive, Inconclusive},
		"slow above":                 {Counts{N: 2000, K: 400}, Fail, Fail},
		"slow above with an overlap": {Counts{N: 2000, K: 400, Maybe: 1600}, Fail, Fail},
	} {
		if got := criterion.DecideAgainst(tt.counts, nil); got.Verdict != tt.bake {
			t.Errorf("%s: the bake says %s: %s", name, got.Verdict, got.Reason)
		}
		got := criterion.Judge(tt.counts, nil)
		if got.Verdict != tt.soak {
			t.Errorf("%s: the soak says %s: %s", name, got.Verdict, got.Reason)
		}
		if text := "no bucket bound is at the limit"; strings.Contains(got.Reason, text) != (tt.counts.Maybe > 0) {
			t.Errorf("%s: %s", name, got.Reason)
		}
	}
}
