package relative

import (
	"context"
	"fmt"
	"sort"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/common/model"

	"github.com/vextrus/finance-rollout/internal/gate"
)

// world is a Prometheus that scraped a canary pod and two stable pods every 15 seconds since an hour before monday.
type world struct {
	// perMinute gives the requests of a series in a minute since monday.
	perMinute func(track string, labels model.Metric, minute int) int64
	series    []model.Metric
}

func (w world) Samples(_ context.Context, selector string, start, end time.Time) (model.Matrix, error) {
	var matrix model.Matrix
	for _, labels := range w.series {
		track := string(labels["track"])
		if !strings.HasPrefix(selector, string(labels[model.MetricNameLabel])+"{") ||
			!strings.Contains(selector, `track="`+track+`"`) {
			continue
		}
		stream := &model.SampleStream{Metric: labels}
		total := int64(0)
		for at, quarter := monday.Add(-time.Hour), -240; !at.After(end); at, quarter = at.Add(15*time.Second), quarter+1 {
			if quarter%4 == 0 {
				total += w.perMinute(track, labels, quarter/4)
			}
			if at.After(start) {
				stream.Values = append(stream.Values, model.SamplePair{Timestamp: model.TimeFromUnixNano(at.UnixNano()),
					Value: model.SampleValue(total)})
			}
		}
		matrix = append(matrix, stream)
	}
	return matrix, nil
}

func (w world) LabelValues(context.Context, string, string, time.Time, time.Time) ([]string, error) {
	return []string{"0.1", "0.5", "1", "+Inf"}, nil
}

// worldOf has the series of two paths, each with good and failed requests, and of a histogram.
func worldOf(perMinute func(track string, labels model.Metric, minute int) int64) world {
	w := world{perMinute: perMinute}
	for _, pod := range []string{"canary-a", "stable-a", "stable-b"} {
		track, _, _ := strings.Cut(pod, "-")
		base := model.Metric{"pod": model.LabelValue(pod), "track": model.LabelValue(track), "namespace": "shop"}
		for _, path := range []string{"/pay", "/export"} {
			for _, code := range []string{"200", "500"} {
				labels := base.Clone()
				labels[model.MetricNameLabel], labels["path"], labels["code"] = "http_requests_total",
					model.LabelValue(path), model.LabelValue(code)
				w.series = append(w.series, labels)
			}
		}
		for _, bound := range []string{"0.1", "0.5", "1", "+Inf"} {
			labels := base.Clone()
			labels[model.MetricNameLabel], labels["le"] = "http_request_duration_seconds_bucket", model.LabelValue(bound)
			w.series = append(w.series, labels)
		}
	}
	return w
}

// healthy are 100 requests a minute and pod, one of /export; one of /pay fails every fifth minute, and a fifth is slow.
func healthy(_ string, labels model.Metric, minute int) int64 {
	switch {
	case labels["le"] == "0.1":
		return 80
	case labels["le"] == "0.5":
		return 98
	case labels["le"] != "":
		return 100
	case labels["path"] == "/pay" && labels["code"] == "200":
		return 99
	case labels["path"] == "/pay" && minute%5 == 0, labels["path"] == "/export" && labels["code"] == "200":
		return 1
	default:
		return 0
	}
}

func look(t *testing.T, w world, change func(*Question)) map[string]gate.Result {
	t.Helper()
	metrics := gate.DefaultMetrics()
	question := Question{Limits: DefaultLimits(), Canary: metrics.For("canary", "v2"), Stable: metrics.For("stable", ""),
		Window: gate.Window{Start: monday, End: monday.Add(3 * time.Hour)}}
	if change != nil {
		change(&question)
	}
	results := map[string]gate.Result{}
	for _, result := range Look(t.Context(), w, question) {
		results[result.Name] = result
	}
	return results
}

func TestLook(t *testing.T) {
	const slices = NameSlices
	for _, tt := range []struct {
		name   string
		worse  func(labels model.Metric, minute int) (int64, bool)
		change func(*Question)
		want   map[string]gate.Verdict
		words  map[string][]string
	}{
		{name: "healthy", want: map[string]gate.Verdict{NameErrors: gate.Pass, NameLatency: gate.Pass, slices: gate.Pass}},
		{name: "thrice the errors", worse: func(labels model.Metric, _ int) (int64, bool) {
			return 1, labels["path"] == "/pay" && labels["code"] == "500"
		}, want: map[string]gate.Verdict{NameErrors: gate.Inconclusive},
			words: map[string][]string{NameErrors: {"% confidence", "beside", "0.181 % of stable's", "review",
				"criteria.relativeRatio"}}},
		{name: "thrice the errors, rolled back", worse: func(labels model.Metric, _ int) (int64, bool) {
			return 1, labels["path"] == "/pay" && labels["code"] == "500"
		}, change: func(q *Question) { q.Limits.RollBack = true }, want: map[string]gate.Verdict{NameErrors: gate.Fail}},
		{name: "a dead route", worse: func(labels model.Metric, _ int) (int64, bool) {
			if labels["path"] != "/export" {
				return 0, false
			}
			return map[model.LabelValue]int64{"200": 0, "500": 1}[labels["code"]], true
		}, want: map[string]gate.Verdict{slices: gate.Inconclusive},
			words: map[string][]string{slices: {`path="/export"`, "100 % of the canary's", "beside 0 % of stable's"}}},
		{name: "a slower middle", worse: func(labels model.Metric, _ int) (int64, bool) {
			return 65, labels["le"] == "0.1"
		}, want: map[string]gate.Verdict{NameErrors: gate.Pass, NameLatency: gate.Inconclusive},
			words: map[string][]string{NameLatency: {"longer than 100ms", "criteria.relativeSlower"}}},
		{name: "no slices", change: func(q *Question) { q.Limits.Slices = 0 },
			want: map[string]gate.Verdict{NameErrors: gate.Pass, slices: ""}},
		{name: "no latency", change: func(q *Question) { q.Limits.Slower = 0 },
			want: map[string]gate.Verdict{NameErrors: gate.Pass, NameLatency: ""}},
		{name: "within the warm-up", change: func(q *Question) { q.Window.End = monday.Add(4 * time.Minute) },
			want: map[string]gate.Verdict{NameErrors: gate.Pass, slices: ""}},
		{name: "impossible limits", change: func(q *Question) { q.Limits.Ratio = 0 },
			want: map[string]gate.Verdict{NameErrors: gate.Error}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			results := look(t, worldOf(func(track string, labels model.Metric, minute int) int64 {
				if track == "canary" && tt.worse != nil {
					if count, changes := tt.worse(labels, minute); changes {
						return count
					}
				}
				return healthy(track, labels, minute)
			}), tt.change)
			for name, want := range tt.want {
				if got := results[name]; got.Verdict != want {
					t.Errorf("%s: %q, want %q: %s", name, got.Verdict, want, got.Reason)
				}
			}
			for name, words := range tt.words {
				for _, word := range words {
					if !strings.Contains(results[name].Reason, word) {
						t.Errorf("%s does not say %q: %s", name, word, results[name].Reason)
					}
				}
			}
		})
	}
}

// A stable track without requests beside a canary with some is no pass.
func TestNothingToCompareWith(t *testing.T) {
	results := look(t, worldOf(func(track string, labels model.Metric, minute int) int64 {
		if track == "stable" {
			return 0
		}
		return healthy(track, labels, minute)
	}), nil)
	for _, name := range []string{NameErrors, NameLatency} {
		if got := results[name]; got.Verdict != gate.Inconclusive || !strings.Contains(got.Reason, "is it scraped?") {
			t.Errorf("%s: %s: %s", name, got.Verdict, got.Reason)
		}
	}
}

func TestLabelsThatMakeSlices(t *testing.T) {
	rise := gate.Rise{Pod: "a", By: 1, Labels: model.Metric{"code": "200", "path": "/pay", "tenant": "x",
		"track": "canary", "version": "v2", "app": "shop", "empty": ""}}
	slices := func(labels ...string) string {
		limits := DefaultLimits()
		limits.Labels = labels
		counter, err := NewCounter("code", "5..", limits)
		if err != nil {
			t.Fatal(err)
		}
		_, _, parts := counter.Count(gate.Block{Canary: []gate.Rise{rise}})
		var names []string
		for slice := range parts {
			names = append(names, slice.String())
		}
		sort.Strings(names)
		return strings.Join(names, " ")
	}
	if got := slices(); got != `path="/pay" pod="a" tenant="x"` {
		t.Errorf("found by themselves: %s", got)
	}
	if got := slices("tenant"); got != `pod="a" tenant="x"` {
		t.Errorf("named: %s", got)
	}
}

func TestCommonBounds(t *testing.T) {
	var many []string
	for i := range 40 {
		many = append(many, fmt.Sprint(i+1))
	}
	got := CommonBounds([]string{"0.50", "+Inf", "1", "5e-1", "x", "2"}, []string{"+Inf", "0.5", "1"})
	if fmt.Sprint(got) != "[0.5 1]" {
		t.Errorf("%v", got)
	}
	if got := CommonBounds(many, many); len(got) != mostBounds || got[0] != 1 || got[mostBounds-1] != 40 {
		t.Errorf("%v", got)
	}
}

// A bake shows only gross differences in errors: it gives findings alone, and none about new pods that are slow.
func TestLookAtBake(t *testing.T) {
	often := func(failing int64, slow bool) world {
		return worldOf(func(track string, labels model.Metric, minute int) int64 {
			count := 20 * healthy(track, labels, minute)
			switch {
			case track == "canary" && failing > 0 && labels["path"] == "/pay" && labels["code"] == "500":
				return failing
			case track == "canary" && slow && labels["le"] != "" && labels["le"] != "+Inf":
				return count / 2
			}
			return count
		})
	}
	silent := worldOf(func(track string, labels model.Metric, minute int) int64 {
		if track == "stable" {
			return 0
		}
		return healthy(track, labels, minute)
	})
	for _, tt := range []struct {
		name     string
		world    world
		rollBack bool
		want     gate.Verdict // of all results; empty for none
	}{
		{"healthy", often(0, false), false, ""},
		{"slow", often(0, true), false, ""},
		{"without requests of stable", silent, false, ""},
		{"0.8 % beside 0.2 %", often(60, false), false, gate.Inconclusive},
		{"0.8 % beside 0.2 %, rolled back", often(60, false), true, gate.Fail},
	} {
		t.Run(tt.name, func(t *testing.T) {
			metrics := gate.DefaultMetrics()
			limits := DefaultLimits()
			limits.RollBack = tt.rollBack
			results := LookAtBake(t.Context(), tt.world, Question{Limits: limits, Canary: metrics.For("canary", "v2"),
				Stable: metrics.For("stable", ""), Window: gate.Window{Start: monday, End: monday.Add(5 * time.Minute)}})
			if (tt.want == "") != (len(results) == 0) {
				t.Fatalf("%+v, want %q", results, tt.want)
			}
			for _, result := range results {
				if result.Verdict != tt.want || result.Review == tt.rollBack {
					t.Errorf("%s: %s (review %v), want %s: %s", result.Name, result.Verdict, result.Review, tt.want, result.Reason)
				}
			}
		})
	}
}
