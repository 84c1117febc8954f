package gate

import (
	"context"
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/common/model"

	"github.com/vextrus/finance-rollout/internal/testkit"
)

// store is a Querier over samples in memory: by selector, and label values by label and selector.
type store struct {
	samples map[string]model.Matrix
	values  map[string][]string
	err     error
}

func (s store) Samples(_ context.Context, selector string, start, end time.Time) (model.Matrix, error) {
	var matrix model.Matrix
	for _, stream := range s.samples[selector] {
		within := &model.SampleStream{Metric: stream.Metric}
		for _, sample := range stream.Values {
			if at := sample.Timestamp.Time(); at.After(start) && !at.After(end) {
				within.Values = append(within.Values, sample)
			}
		}
		if len(within.Values) > 0 {
			matrix = append(matrix, within)
		}
	}
	return matrix, s.err
}

func (s store) LabelValues(_ context.Context, label, selector string, _, _ time.Time) ([]string, error) {
	return s.values[label+" "+selector], s.err
}

const (
	requests  = `http_requests_total{track="canary",version="week1"}`
	durations = `http_request_duration_seconds_bucket{track="canary",version="week1"}`
)

var window = Window{Start: t0, End: t0.Add(4 * step)}

func healthy() store {
	return store{samples: map[string]model.Matrix{
		requests:  {series("code=200", -1, 50, 60, 100, 150, 250), series("code=500", 2, 1, 1)},
		durations: {series("le=0.5", -1, 0, 0, 50, 100, 190), series("le=+Inf", -1, 0, 0, 50, 100, 200)},
	}}
}

func TestEvaluate(t *testing.T) {
	criteria := []Criterion{ErrorRate(0.01, 0.02), needing(Latency(500*time.Millisecond, 0.95), 500)}
	got := Evaluate(t.Context(), healthy(), Question{Metrics: DefaultMetrics().For("canary", "week1"), Criteria: criteria,
		Window: window})
	if got.Verdict() != Inconclusive || !got.LacksRequests() {
		t.Errorf("verdict %q, lacks requests: %t", got.Verdict(), got.LacksRequests())
	}
	want := `gate: inconclusive after 1m0s
CRITERION    VERDICT       BAD  REQUESTS  RATE      INTERVAL              TARGET  ROLLBACK  LOWER BOUND  UPPER BOUND
error rate   pass          1    191       0.5236 %  0.01325 % to 2.882 %  1 %     2 %       0 %          3.47 %
P95 latency  inconclusive  10   200       5 %       2.423 % to 9.003 %    5 %     5 %       0.9062 %     10.75 %
error rate: 1 of 191 requests failed (0.5236 %), below the target of 1 %
P95 latency: 10 of 200 requests took longer than 500ms (5 %), but at least 500 are needed for a verdict; 300 more
  query: http_request_duration_seconds_bucket{track="canary",version="week1"}[6m]
`
	if diff := cmp.Diff(want, got.String()); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
}

func TestEvaluateErrors(t *testing.T) {
	metrics := DefaultMetrics().For("canary", "week1")
	tests := []struct {
		name    string
		store   store
		metrics Metrics
		window  Window
		want    []string
	}{
		{"unreachable", store{err: errors.New("prometheus at http://p cannot be reached: refused")}, metrics, window,
			[]string{"http://p", "refused"}},
		{"no such metric", store{values: map[string][]string{
			`__name__ {__name__=~".*(http|requests).*"}`: {"http_server_duration", "http_server_requests", "my_requests"},
		}}, metrics, window, []string{"no sample of " + requests, "no metric http_requests_total",
			"there are http_server_requests, http_server_duration, my_requests"}},
		{"nothing similar", store{}, metrics, window, []string{"nor any whose name contains http or requests",
			"scraped at all?"}},
		{"other labels", store{values: map[string][]string{
			"__name__ http_requests_total": {"http_requests_total"}, "track http_requests_total": {"stable"},
		}}, metrics, window, []string{"not with these labels", "label track has the values stable",
			"label version has no value"}},
		{"no sample in the window", store{
			samples: map[string]model.Matrix{requests: {series("code=200", -40, 1, 2)}},
			values:  map[string][]string{"__name__ http_requests_total": {"http_requests_total"}},
		}, metrics, window, []string{"last sample is from 2026-03-02T08:50:15Z", "10m45s before the end"}},
		{"stale", store{samples: map[string]model.Matrix{requests: {series("code=200", 0, 1, 2)}}}, metrics,
			Window{Start: t0, End: t0.Add(time.Minute + step)}, []string{"stale", "more than 3 scrapes of 15s"}},
		{"another status label", store{samples: map[string]model.Matrix{requests: {series("status=200", 3, 1)}}}, metrics,
			window, []string{`no label "code"`, "it has status"}},
		{"an empty window", healthy(), metrics, Window{Start: t0, End: t0}, []string{"is empty"}},
		{"bad names", healthy(), DefaultMetrics().With(map[string]string{"a-b": "c"}), window,
			[]string{`"a-b"`, "label name"}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			got := Evaluate(t.Context(), test.store, Question{Metrics: test.metrics,
				Criteria: []Criterion{ErrorRate(0.005, 0.01)}, Window: test.window})
			if got.Verdict() != Error {
				t.Fatalf("verdict %q: %+v", got.Verdict(), got)
			}
			testkit.WantError(t, errors.New(got.Results[0].Reason), test.want...)
			if !strings.Contains(got.String(), "error rate  error    -    -") {
				t.Errorf("table shows numbers that were not read:\n%s", got)
			}
		})
	}
	invalid := Evaluate(t.Context(), healthy(), Question{Metrics: metrics, Criteria: []Criterion{{Name: "x", Kind: "y"}},
		Window: window})
	if invalid.Verdict() != Error || !strings.Contains(invalid.Results[0].Reason, `kind is "y"`) {
		t.Errorf("invalid criterion: %+v", invalid)
	}
	if none := Evaluate(t.Context(), healthy(), Question{Metrics: metrics, Criteria: nil,
		Window: window}); none.Verdict() != Inconclusive || none.LacksRequests() {
		t.Errorf("no criteria: %+v", none)
	}
}

// A canary whose series exist but that gets no requests must not pass unless none are required.
func TestEvaluateWithoutTraffic(t *testing.T) {
	idle := store{samples: map[string]model.Matrix{requests: {series("code=200", -1, 7, 7, 7, 7, 7)}}}
	metrics := DefaultMetrics().For("canary", "week1")
	for minimum, want := range map[int64]Verdict{0: Pass, 1: Inconclusive} {
		got := Evaluate(t.Context(), idle, Question{Metrics: metrics,
			Criteria: []Criterion{needing(ErrorRate(0.005, 0.01), minimum)}, Window: window})
		if got.Verdict() != want || got.Results[0].N != 0 {
			t.Errorf("minimum %d: %+v, want %q", minimum, got, want)
		}
	}
}

func TestEvaluationJSON(t *testing.T) {
	evaluation := Evaluate(t.Context(), healthy(), Question{Metrics: DefaultMetrics().For("canary", "week1"),
		Criteria: []Criterion{ErrorRate(0.01, 0.02)}, Window: window})
	text, err := json.Marshal(evaluation)
	if err != nil {
		t.Fatal(err)
	}
	if !strings.HasPrefix(string(text),
		`{"verdict":"pass","start":"2026-03-02T09:00:00Z","end":"2026-03-02T09:01:00Z",`+
			`"results":[{"name":"error rate","verdict":"pass","n":191,"k":1,`) {
		t.Errorf("JSON is %s", text)
	}
	var back Evaluation
	if err := json.Unmarshal(text, &back); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(evaluation, back); diff != "" {
		t.Errorf("read back (-want +got)\n%s", diff)
	}
}
