package gate

import (
	"context"
	"errors"
	"math"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/common/model"
	"pgregory.net/rapid"
)

// Reading in pieces counts the same as reading at once, for any counters and any pods that come and go.
func TestPiecesAddUpToTheWhole(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		const samples = 400 // of a minute, so that there are several pieces of an hour
		var matrix model.Matrix
		for pod := range rapid.IntRange(1, 3).Draw(t, "pods") {
			for _, code := range []string{"200", "500"} {
				stream := &model.SampleStream{Metric: model.Metric{"code": model.LabelValue(code),
					"pod": model.LabelValue(rune('a' + pod))}}
				value := 0
				from := rapid.IntRange(-4, samples/2).Draw(t, "from")
				for i := from; i < samples; i++ {
					switch rapid.IntRange(0, 99).Draw(t, "step") {
					case 0:
						value = 0
					case 1:
						i += rapid.IntRange(0, 150).Draw(t, "gap")
					default:
						value += rapid.IntRange(0, 5).Draw(t, "rise")
					}
					stream.Values = append(stream.Values, model.SamplePair{
						Timestamp: model.TimeFromUnixNano(t0.Add(time.Duration(i) * time.Minute).UnixNano()),
						Value:     model.SampleValue(value),
					})
				}
				matrix = append(matrix, stream)
			}
		}
		whole := Window{Start: t0, End: t0.Add(samples * time.Minute)}
		metrics := DefaultMetrics()
		querier := store{samples: map[string]model.Matrix{"http_requests_total": matrix}}
		pieces := newTally(whole, nil)
		err := chunks(context.Background(), querier, "http_requests_total", 5*time.Minute, whole,
			func(piece model.Matrix, _ time.Time) error { return pieces.add(piece) })
		if err != nil {
			t.Fatal(err)
		}
		read, err := querier.Samples(context.Background(), "http_requests_total", t0.Add(-5*time.Minute), whole.End)
		if err != nil {
			t.Fatal(err)
		}
		atOnce := newTally(whole, nil)
		if err := atOnce.add(read); err != nil {
			t.Fatal(err)
		}
		got, _, gotErr := pieces.errors(metrics.StatusLabel, metrics.ErrorPattern)
		want, _, wantErr := atOnce.errors(metrics.StatusLabel, metrics.ErrorPattern)
		if got != want || (gotErr == nil) != (wantErr == nil) {
			t.Fatalf("pieces %+v, %v; at once %+v, %v", got, gotErr, want, wantErr)
		}
	})
}

func TestCoverFindsGaps(t *testing.T) {
	at := func(minutes ...int) *model.SampleStream {
		stream := &model.SampleStream{Metric: model.Metric{"code": "200"}}
		for _, minute := range minutes {
			stream.Values = append(stream.Values,
				model.SamplePair{Timestamp: model.TimeFromUnixNano(t0.Add(time.Duration(minute) * time.Minute).UnixNano())})
		}
		return stream
	}
	every := func(from, to int) (minutes []int) {
		for minute := from; minute <= to; minute++ {
			minutes = append(minutes, minute)
		}
		return minutes
	}
	podB := at(every(95, 110)...)
	podB.Metric = model.Metric{"code": "200", "pod": "b"}
	tests := []struct {
		name    string
		matrix  model.Matrix
		covered time.Duration
		gaps    int
	}{
		{"all the time", model.Matrix{at(every(0, 120)...)}, 120 * time.Minute, 0},
		{"two missed scrapes", model.Matrix{at(append(every(0, 50), every(53, 120)...)...)}, 120 * time.Minute, 0},
		{"a gap", model.Matrix{at(append(every(0, 50), every(70, 120)...)...)}, 100 * time.Minute, 1},
		{"a gap over the hour", model.Matrix{at(append(every(0, 50), every(75, 120)...)...)}, 95 * time.Minute, 1},
		{"late", model.Matrix{at(every(30, 120)...)}, 90 * time.Minute, 1},
		{"ended", model.Matrix{at(every(0, 90)...)}, 90 * time.Minute, 1},
		{"another pod goes on", model.Matrix{at(append(every(0, 96), every(109, 120)...)...), podB}, 120 * time.Minute, 0},
		{"nothing", nil, 0, 1},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			metrics := DefaultMetrics()
			metrics.ScrapeInterval = time.Minute
			querier := store{samples: map[string]model.Matrix{"http_requests_total": tt.matrix}}
			got, err := Cover(t.Context(), querier, metrics, Window{Start: t0, End: t0.Add(2 * time.Hour)})
			if err != nil || got.Covered != tt.covered || len(got.Gaps) != tt.gaps {
				t.Errorf("covered %v with gaps %v, %v; want %v and %d", got.Covered, got.Gaps, err, tt.covered, tt.gaps)
			}
		})
	}
	offline := store{err: errors.New("offline")}
	if _, err := Cover(t.Context(), offline, DefaultMetrics(), window); err == nil {
		t.Error("a Prometheus that is offline covers")
	}
}

// answers is an Asker with one answer.
type answers struct {
	value model.Value
	err   error
	asked *string
}

func (a answers) Ask(_ context.Context, query string, _ time.Time) (model.Value, error) {
	if a.asked != nil {
		*a.asked = query
	}
	return a.value, a.err
}

func vector(values ...float64) model.Vector {
	var out model.Vector
	for _, value := range values {
		out = append(out, &model.Sample{Metric: model.Metric{"alertname": "CanaryErrorRateHigh"},
			Value: model.SampleValue(value)})
	}
	return out
}

func TestOwnCriterion(t *testing.T) {
	about := Rollout{Namespace: `shop"} or vector(1) #`, App: "finance", Release: "v2", Track: "canary",
		Deployment: "finance-v2"}
	tests := []struct {
		name      string
		query     string
		direction string
		answer    answers
		want      Verdict
		reason    string
	}{
		{name: "below", direction: Below, answer: answers{value: vector(4)}, want: Pass, reason: "4 is below 4.5"},
		{name: "not below", direction: Below, answer: answers{value: vector(4.5)}, want: Inconclusive, reason: "not below"},
		{name: "above", direction: Above, answer: answers{value: &model.Scalar{Value: 5}}, want: Pass},
		{name: "not above", direction: Above, answer: answers{value: vector(4)}, want: Inconclusive},
		{name: "no direction", answer: answers{value: vector(4)}, want: Error, reason: "below or above"},
		{name: "no value", direction: Below, answer: answers{value: vector()}, want: Error, reason: "0 values"},
		{name: "two values", direction: Below, answer: answers{value: vector(1, 2)}, want: Error, reason: "2 values"},
		{name: "not a number", direction: Below, answer: answers{value: vector(0 / zero)}, want: Error, reason: "NaN"},
		{name: "a matrix", direction: Below, answer: answers{value: model.Matrix{}}, want: Error, reason: "matrix"},
		{name: "offline", direction: Below, answer: answers{err: errors.New("offline")}, want: Error, reason: "offline"},
		{name: "unknown name", query: "up{job=\"$job\"}", direction: Below, want: Error, reason: "$job is unknown"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			query := tt.query
			if query == "" {
				query = `avg(csat{namespace="$namespace",path=~"a$"})[$window:]`
			}
			got := QueryCriterion{Name: "csat", Query: query, Limit: 4.5, Direction: tt.direction}.Evaluate(t.Context(),
				tt.answer, about, window)
			if got.Verdict != tt.want || !strings.Contains(got.Reason, tt.reason) {
				t.Errorf("%s: %s", got.Verdict, got.Reason)
			}
			if tt.query == "" && got.Query != `avg(csat{namespace="shop\"} or vector(1) #",path=~"a$"})[1m:]` {
				t.Errorf("asked %s", got.Query)
			}
		})
	}
}

var zero float64

func TestRestarts(t *testing.T) {
	about := Rollout{Namespace: "shop", Deployment: "finance-v2"}
	tests := []struct {
		name   string
		pods   []PodState
		answer answers
		want   Verdict
		reason string
	}{
		{name: "none", pods: []PodState{{Name: "a"}}, answer: answers{value: vector(0)}, want: Pass},
		{name: "now", pods: []PodState{{Name: "a", Restarts: 2}}, answer: answers{value: vector(0)}, want: Inconclusive,
			reason: "2 restarts"},
		{name: "of a pod that is gone", pods: []PodState{{Name: "a"}}, answer: answers{value: vector(3)}, want: Inconclusive,
			reason: "3 restarts"},
		{name: "crash loop", pods: []PodState{{Name: "a"}, {Name: "b", CrashLoop: true, Restarts: 7}}, want: Fail,
			reason: "pod b"},
		{name: "without kube-state-metrics", pods: []PodState{{Name: "a"}}, answer: answers{value: vector()}, want: Pass,
			reason: "API server alone"},
		{name: "offline", answer: answers{err: errors.New("offline")}, want: Error, reason: "offline"},
		{name: "no number", pods: []PodState{{Name: "a"}}, answer: answers{value: vector(math.NaN())}, want: Error,
			reason: "NaN restarts"},
		{name: "infinite value", pods: []PodState{{Name: "a"}}, answer: answers{value: vector(math.Inf(1))}, want: Error,
			reason: "+Inf restarts"},
		{name: "negative", pods: []PodState{{Name: "a"}}, answer: answers{value: vector(-3)}, want: Error,
			reason: "-3 restarts"},
		{name: "a part of one", pods: []PodState{{Name: "a"}}, answer: answers{value: vector(0.2)}, want: Inconclusive,
			reason: "1 restarts"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := Restarts(t.Context(), tt.answer, about, tt.pods, window); got.Verdict != tt.want ||
				!strings.Contains(got.Reason, tt.reason) {
				t.Errorf("%s: %s", got.Verdict, got.Reason)
			}
		})
	}
}

// A restart of a sidecar is not the release's.
func TestRestartsAreThoseOfTheService(t *testing.T) {
	asked := ""
	about := Rollout{Namespace: "shop", App: "finance", Deployment: "finance-v2"}
	Restarts(t.Context(), answers{value: vector(0), asked: &asked}, about, []PodState{{Name: "a"}}, window)
	if !strings.Contains(asked, `container="finance"`) {
		t.Errorf("asked %s", asked)
	}
}

// A checkpoint may come right after a shift, and Prometheus refuses a range of 0s.
func TestNoRangeIsEmpty(t *testing.T) {
	asked := ""
	about := Rollout{Namespace: "shop", App: "finance", Deployment: "finance-v2", Release: "v2"}
	configured := QueryCriterion{Name: "csat", Query: "avg_over_time(csat[$window])", Direction: Above}
	for length, want := range map[time.Duration]string{0: "[1s]", 300 * time.Millisecond: "[1s]",
		1600 * time.Millisecond: "[2s]", 48 * time.Hour: "[2d]"} {
		short := Window{Start: window.Start, End: window.Start.Add(length)}
		answer := answers{value: vector(1), asked: &asked}
		for name, ask := range map[string]func() Result{
			"restarts": func() Result { return Restarts(t.Context(), answer, about, nil, short) },
			"alerts":   func() Result { return Firing(t.Context(), answer, about, short) },
			"own":      func() Result { return configured.Evaluate(t.Context(), answer, about, short) },
		} {
			if ask(); !strings.Contains(asked, want) {
				t.Errorf("%s over %v: asked %s, want a range of %s", name, length, asked, want)
			}
		}
	}
}

func TestFiring(t *testing.T) {
	asked := ""
	about := Rollout{Namespace: "shop", App: "finance", Release: "v2"}
	if got := Firing(t.Context(), answers{value: vector(), asked: &asked}, about, window); got.Verdict != Pass {
		t.Errorf("%s: %s", got.Verdict, got.Reason)
	}
	for _, word := range []string{`severity="critical"`, `namespace="shop"`, `release="v2"`, "[1m]",
		"< " + strconv.FormatInt(window.Start.Unix(), 10)} {
		if !strings.Contains(asked, word) {
			t.Errorf("asked %s without %s", asked, word)
		}
	}
	if got := Firing(t.Context(), answers{value: vector(1)}, about, window); got.Verdict != Inconclusive ||
		!strings.Contains(got.Reason, "CanaryErrorRateHigh") {
		t.Errorf("%s: %s", got.Verdict, got.Reason)
	}
	if got := Firing(t.Context(), answers{err: errors.New("offline")}, about, window); got.Verdict != Error {
		t.Errorf("%s: %s", got.Verdict, got.Reason)
	}
}

// The blocks of a window add up to its counts, for any pods that come and go, and each has the rises of its minute.
func TestBlocksAddUpToTheWhole(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		const samples = 150
		var matrix model.Matrix
		for pod := range rapid.IntRange(1, 3).Draw(t, "pods") {
			from := rapid.IntRange(-4, samples/2).Draw(t, "from")
			restart := rapid.IntRange(from, samples).Draw(t, "restart")
			for _, code := range []string{"200", "500"} {
				stream := &model.SampleStream{Metric: model.Metric{"code": model.LabelValue(code),
					"pod": model.LabelValue(rune('a' + pod))}}
				value := 0
				for i := from; i < samples; i++ {
					if i == restart {
						value = 0
					}
					value += rapid.IntRange(0, 5).Draw(t, "rise")
					stream.Values = append(stream.Values, model.SamplePair{
						Timestamp: model.TimeFromUnixNano(t0.Add(time.Duration(i) * 30 * time.Second).UnixNano()),
						Value:     model.SampleValue(value),
					})
				}
				matrix = append(matrix, stream)
			}
		}
		window := Window{Start: t0, End: t0.Add(samples*30*time.Second - 10*time.Second)}
		metrics, querier := DefaultMetrics(), store{samples: map[string]model.Matrix{"http_requests_total": matrix}}
		whole := newTally(window, nil)
		if err := chunks(context.Background(), querier, "http_requests_total", 5*time.Minute, window,
			func(piece model.Matrix, _ time.Time) error { return whole.add(piece) }); err != nil {
			t.Fatal(err)
		}
		want, _, err := whole.errors(metrics.StatusLabel, metrics.ErrorPattern)
		var got Counts
		last := window.Start
		_, readErr := ReadBlocks(context.Background(), querier, Sides{Canary: metrics, Stable: metrics,
			CanarySeries: "http_requests_total", StableSeries: "none"}, window, time.Minute, func(block Block) error {
			if !block.Start.Equal(last) || block.End.Sub(block.Start) > time.Minute || len(block.Stable) > 0 {
				t.Fatalf("a block from %v to %v after %v, with %d rises of stable", block.Start, block.End, last,
					len(block.Stable))
			}
			last = block.End
			for _, rise := range block.Canary {
				got.N += rise.By
				if rise.Labels["code"] == "500" {
					got.K += rise.By
				}
			}
			return nil
		})
		if err != nil {
			return // Counters that cannot be counted are an error of the criteria.
		}
		if readErr != nil || got != want || !last.Equal(window.End) {
			t.Fatalf("blocks count %+v up to %v, the whole %+v, error %v", got, last, want, readErr)
		}
	})
}

func TestBlocksOfAnOddLengthAreRefused(t *testing.T) {
	if _, err := ReadBlocks(t.Context(), store{}, Sides{}, Window{}, 7*time.Minute, nil); err == nil ||
		!strings.Contains(err.Error(), "divisors of 1h0m0s") {
		t.Errorf("%v", err)
	}
}
