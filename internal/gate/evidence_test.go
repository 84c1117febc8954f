package gate

import (
	"strings"
	"testing"
	"time"

	"github.com/prometheus/common/model"
)

// birthsOf are the selectors of the series that tell how old the canary's processes are.
const (
	upOfCanary      = `up{track="canary",version="week1"}`
	startedOfCanary = `process_start_time_seconds{track="canary",version="week1"}`
)

// at is a sample some time after t0.
func at(after time.Duration, value float64) model.SamplePair {
	return model.SamplePair{Timestamp: model.TimeFromUnixNano(t0.Add(after).UnixNano()), Value: model.SampleValue(value)}
}

// stream is a series of samples at any times.
func stream(labels string, samples ...model.SamplePair) *model.SampleStream {
	return &model.SampleStream{Metric: series(labels, 0).Metric, Values: samples}
}

// unix is a time after t0 as a start time.
func unix(after time.Duration) float64 { return float64(t0.Add(after).Unix()) }

// countsOf counts the errors among the canary's requests from t0 to ten minutes later.
func countsOf(t *testing.T, samples map[string]model.Matrix) Result {
	t.Helper()
	metrics := DefaultMetrics().For("canary", "week1")
	metrics.ScrapeInterval = 10 * time.Minute
	got := Evaluate(t.Context(), store{samples: samples}, Question{
		Metrics: metrics, Criteria: []Criterion{ErrorRate(0.005, 0.01)},
		Window: Window{Start: t0, End: t0.Add(10 * time.Minute)},
	}).Results[0]
	if got.Verdict == Error {
		t.Fatal(got.Reason)
	}
	return got
}

func wantCounts(t *testing.T, got Result, n, k int64) {
	t.Helper()
	if got.N != n || got.K != k {
		t.Errorf("counted %d bad of %d, want %d of %d: %s", got.K, got.N, k, n, explained(got))
	}
}

// told is what a result says.
func explained(r Result) string { return r.Reason + " " + strings.Join(r.Notes, "; ") }

// The pod is two days old, and Prometheus was down from before the lookback until after the start.
func TestAGapOfPrometheusCountsNoEarlierLife(t *testing.T) {
	pages := model.Matrix{
		stream("code=200,pod=a", at(-6*time.Minute, 200000), at(time.Minute, 200100), at(5*time.Minute, 200116)),
		stream("code=500,pod=a", at(-6*time.Minute, 4000), at(time.Minute, 4000), at(5*time.Minute, 4000)),
	}
	wantCounts(t, countsOf(t, map[string]model.Matrix{requests: pages}), 16, 0)
	for name, tt := range map[string]struct {
		births map[string]model.Matrix
		n, k   int64
	}{
		"started days ago": {map[string]model.Matrix{
			startedOfCanary: {stream("pod=a", at(time.Minute, unix(-48*time.Hour)), at(5*time.Minute, unix(-48*time.Hour)))},
		}, 16, 0},
		"started within the window": {map[string]model.Matrix{
			startedOfCanary: {stream("pod=a", at(time.Minute, unix(10*time.Second)), at(5*time.Minute, unix(10*time.Second)))},
		}, 204116, 4000},
		"scraped before its first request": {map[string]model.Matrix{
			upOfCanary: {stream("pod=a", at(time.Second, 1), at(time.Minute, 1))},
		}, 204116, 4000},
		"every scrape before failed": {map[string]model.Matrix{
			upOfCanary: {stream("pod=a", at(-time.Minute, 0), at(time.Second, 0), at(time.Minute, 1))},
		}, 16, 0},
		"another pod was scraped before": {map[string]model.Matrix{
			upOfCanary: {stream("pod=b", at(time.Second, 1))},
		}, 16, 0},
	} {
		t.Run(name, func(t *testing.T) {
			tt.births[requests] = model.Matrix{
				stream("code=200,pod=a", pages[0].Values[1:]...), stream("code=500,pod=a", pages[1].Values[1:]...),
			}
			wantCounts(t, countsOf(t, tt.births), tt.n, tt.k)
		})
	}
}

func TestOneSeriesCountsOnce(t *testing.T) {
	page := func(extra string, skip int) model.Matrix {
		return model.Matrix{series("code=200,pod=a"+extra, skip, 0, 40, 80, 120, 141),
			series("code=500,pod=a"+extra, skip, 0, 1, 3, 6, 9)}
	}
	later := func(extra string) model.Matrix { // a second later, by a server whose clock is right
		matrix := page(extra, 0)
		for _, stream := range matrix {
			for i := range stream.Values {
				stream.Values[i].Timestamp = stream.Values[i].Timestamp.Add(time.Second)
			}
		}
		return matrix
	}
	for name, pages := range map[string][]model.Matrix{
		"one":                       {page("", 0)},
		"two replicas":              {page(",prometheus_replica=0", 0), page(",prometheus_replica=1", 0)},
		"two replicas, a bit apart": {page(",prometheus_replica=0", 0), later(",prometheus_replica=1")},
		"two Services":              {page(",service=shop,job=shop", 0), page(",service=shop-stable,job=shop-stable", 0)},
		"two jobs, one without the container": {page(",container=app,job=a", 0),
			page(",job=b,instance=10.0.0.1:80", 0)},
	} {
		t.Run(name, func(t *testing.T) {
			var all model.Matrix
			for _, page := range pages {
				all = append(all, page...)
			}
			wantCounts(t, countsOf(t, map[string]model.Matrix{requests: all}), 150, 9)
		})
	}
}

// A replica that was down leaves a gap that the other one fills; each alone would miss a restart or recount.
func TestReplicasFillEachOthersGaps(t *testing.T) {
	got := countsOf(t, map[string]model.Matrix{requests: {
		series("code=200,pod=a,replica=0", 0, 0, 10, 20, 30, nan, nan, nan, nan, 40),
		series("code=200,pod=a,replica=1", 0, 0, 10, nan, nan, 50, 60, 20, 30, 40),
	}, startedOfCanary: {series("pod=a", 0, 1, 1, 1, 1, 1, 1, unix(85*time.Second), unix(85*time.Second))}})
	wantCounts(t, got, 100, 0)
}

// Processes of one pod that give different values are different ones.
func TestProcessesOfOnePodAddUp(t *testing.T) {
	got := countsOf(t, map[string]model.Matrix{requests: {
		series("code=200,pod=a,container=app", 0, 0, 10, 20), series("code=200,pod=a,container=proxy", 0, 0, 10, 20),
		series("code=200,pod=b,instance=10.0.0.1:81", 0, 0, 100, 200),
		series("code=200,pod=b,instance=10.0.0.1:82", 0, 900, 950, 951),
	}})
	wantCounts(t, got, 20+20+200+51, 0)
}

// A label of the target changes in the middle: the same counters are new series.
func TestARelabelledSeriesGoesOn(t *testing.T) {
	for _, label := range []string{"service", "job", "endpoint", "instance", "node", "prometheus", "cluster"} {
		got := countsOf(t, map[string]model.Matrix{requests: {
			series("code=200,pod=a,"+label+"=x", -1, 100000, 100040, 100080),
			series("code=500,pod=a,"+label+"=x", -1, 900, 900, 900),
			series("code=200,pod=a,"+label+"=y", 2, 100120, 100160), series("code=500,pod=a,"+label+"=y", 2, 900, 900),
		}})
		if got.N != 120 || got.K != 0 {
			t.Errorf("%s changes: %d bad of %d: %s", label, got.K, got.N, explained(got))
		}
	}
}

var nan = float64(model.ZeroSample.Value) / zero

func TestResetsBelongToAProcess(t *testing.T) {
	oneStart := []float64{unix(-time.Hour), unix(-time.Hour), unix(-time.Hour), unix(-time.Hour), unix(-time.Hour)}
	for name, tt := range map[string]struct {
		matrix  model.Matrix
		started []float64
		n, k    int64
		note    string
	}{
		"a restart that the errors hide, by the start time": {
			matrix:  model.Matrix{series("code=200", 0, 9500, 340), series("code=500", 0, 50, 60)},
			started: []float64{unix(-time.Hour), unix(5 * time.Second)}, n: 400, k: 60,
		},
		"a restart that everything hides, by the start time": {
			matrix:  model.Matrix{series("code=200", 0, 5, 340), series("code=500", 0, 0, 60)},
			started: []float64{unix(-time.Hour), unix(5 * time.Second)}, n: 400, k: 60,
		},
		"a restart that waits for its confirmation": {
			matrix: model.Matrix{series("code=200", 0, 9500, 340, 350, 360), series("code=500", 0, 50, 60, 60, 60)},
		},
		"a restart that the errors hide, without a start time": {
			matrix: model.Matrix{series("code=200", 0, 9500, 340, 350, 360, 370, 380),
				series("code=500", 0, 50, 60, 60, 60, 60, 60)},
			n: 440, k: 60,
		},
		"a restart whose errors stay as many": {
			matrix: model.Matrix{series("code=200", 0, 0, 100, 40, 40, 40, 41, 42),
				series("code=500", 0, 0, 1, 1, 2, 2, 2, 2)}, n: 145, k: 3,
		},
		"a start time that jitters": {
			matrix:  model.Matrix{series("code=200", 0, 100, 110, 120)},
			started: []float64{unix(-time.Hour), unix(-time.Hour) + 0.4, unix(-time.Hour) - 0.3}, n: 20,
		},
		"a counter that falls without a restart": {
			matrix:  model.Matrix{series("code=200", 0, 100, 110, 120, 130), series("code=500", 0, 50, 50, 7, 8)},
			started: oneStart, n: 21, k: 1, note: "1 scrapes of the scraped process are not counted",
		},
		"an idle series that the exporter forgets": {
			matrix: model.Matrix{series("code=200", 0, 100000, 100010, 100020, 100030),
				series("code=500", 0, 4000, 4000, 4000, 4000), series("code=404", 0, 3, 3, nan, nan)}, n: 30,
		},
		"one that it begins anew": {
			matrix: model.Matrix{series("code=200", 0, 100000, 100010, 100020, 100030, 100040),
				series("code=500", 0, 4000, 4000, nan, 7, 8)}, n: 41, k: 1,
		},
		"one that returns as it was": {
			matrix: model.Matrix{series("code=200", 0, 100000, 100010, 100020, 100030, 100040),
				series("code=500", 0, 4000, 4000, nan, 4000, 4001)}, n: 41, k: 1,
		},
		"a restart behind a missed scrape": {
			matrix: model.Matrix{series("code=200", 0, 100, nan, 40, 50, 51, 52, 53),
				series("code=500", 0, 7, nan, 2, 2, 2, 2, 2)}, n: 55, k: 2,
		},
	} {
		t.Run(name, func(t *testing.T) {
			samples := map[string]model.Matrix{requests: tt.matrix}
			if tt.started != nil {
				samples[startedOfCanary] = model.Matrix{series("app=shop", 0, tt.started...)}
			}
			got := countsOf(t, samples)
			wantCounts(t, got, tt.n, tt.k)
			if notes := strings.Join(got.Notes, "\n"); (notes != "") != (tt.note != "") || !strings.Contains(notes, tt.note) {
				t.Errorf("notes %q", notes)
			}
		})
	}
}

// Several worker processes behind one port: every scrape asks another one, and nobody sends a request.
func TestWorkersBehindOnePortAreNotCounted(t *testing.T) {
	workers := map[string][2][2]float64{
		"one has errors":  {{95, 5}, {900, 0}},
		"both have":       {{80, 20}, {900, 30}},
		"of equal length": {{95, 5}, {90, 10}},
	}
	for name, worker := range workers {
		for order, turns := range map[string][]int{
			"in turn": {0, 1, 0, 1, 0, 1, 0, 1, 0, 1, 0, 1}, "at random": {0, 1, 1, 0, 0, 1, 0, 0, 1, 1, 0, 1, 0, 1},
		} {
			for _, started := range []bool{false, true} {
				var good, bad, starts []float64
				for _, turn := range turns {
					good, bad = append(good, worker[turn][0]), append(bad, worker[turn][1])
					starts = append(starts, unix(-time.Hour-time.Duration(turn)*time.Minute))
				}
				samples := map[string]model.Matrix{requests: {series("code=200", 0, good...), series("code=500", 0, bad...)}}
				if started {
					samples[startedOfCanary] = model.Matrix{series("app=shop", 0, starts...)}
				}
				metrics := DefaultMetrics().For("canary", "week1")
				metrics.ScrapeInterval = 10 * time.Minute
				for scrapes := 2; scrapes <= len(turns); scrapes++ {
					got := Evaluate(t.Context(), store{samples: samples}, Question{
						Metrics: metrics, Criteria: []Criterion{needing(ErrorRate(0.005, 0.01), 100)},
						Window: Window{Start: t0, End: t0.Add(time.Duration(scrapes-1) * step)},
					}).Results[0]
					if got.Verdict == Fail || got.Verdict == Pass || got.N > 0 && name != "both have" {
						t.Errorf("%s, %s, start times %v, %d scrapes: %s, %d bad of %d: %s", name, order, started, scrapes,
							got.Verdict, got.K, got.N, explained(got))
					}
				}
			}
		}
	}
}

func TestOneSeriesWithoutItsLabelIsLeftOut(t *testing.T) {
	got := countsOf(t, map[string]model.Matrix{requests: {
		series("code=200,pod=a", 0, 0, 990), series("code=500,pod=a", 0, 0, 3), series("method=GET,pod=a", 0, 0, 7),
		series("method=PUT,pod=b", 0, 5, 5),
	}})
	wantCounts(t, got, 993, 3)
	notes := strings.Join(got.Notes, "\n")
	if len(got.Notes) != 1 || !strings.Contains(notes, "7 requests are left out") ||
		!strings.Contains(notes, `no label "code"`) || !strings.Contains(notes, "and 1 more") {
		t.Errorf("notes %q", notes)
	}
}

func TestManyRequestsWithoutTheirLabelAreAnError(t *testing.T) {
	_, _, err := errorCounts(model.Matrix{series("code=200", 0, 0, 90), series("method=GET", 0, 0, 10)}, t0, "5..")
	if err == nil || !strings.Contains(err.Error(), `no label "code"`) {
		t.Errorf("error %v", err)
	}
}

// Probes and scrapes are no evidence: neither that a release is good, nor how bad it is.
func TestProbesAreNoEvidence(t *testing.T) {
	metrics := DefaultMetrics().For("canary", "week1")
	metrics.Exclude = map[string]string{"path": "/health.*|/metrics"}
	customers := `http_requests_total{track="canary",version="week1",path!~"/health.*|/metrics"}`
	probes := series("code=200,path=/health/live", 0, 0, 20, 40, 60, 90)
	for _, judge := range []func(*testing.T, store, Question) Result{
		func(t *testing.T, s store, q Question) Result { return Evaluate(t.Context(), s, q).Results[0] },
		func(t *testing.T, s store, q Question) Result { return EvaluateSoak(t.Context(), s, q).Results[0] },
	} {
		for name, ofCustomers := range map[string]model.Matrix{
			"no series of a customer": nil, "an idle one": {series("code=200,path=/graphql", 0, 9, 9, 9, 9, 9)},
		} {
			samples := map[string]model.Matrix{requests: append(model.Matrix{probes}, ofCustomers...), customers: ofCustomers}
			for _, minimum := range []int64{0, 50} {
				got := judge(t, store{samples: samples}, Question{Metrics: metrics, Window: window,
					Criteria: []Criterion{needing(ErrorRate(0.005, 0.01), minimum)}})
				if got.Verdict != Inconclusive || !strings.Contains(got.Reason, "no customer requests: all 90 requests") {
					t.Errorf("%s, %d needed: %s: %s", name, minimum, got.Verdict, got.Reason)
				}
			}
		}
	}
	exact := metrics.With(map[string]string{"path": "/graphql"})
	if selector, err := exact.Select("up"); err != nil || strings.Contains(selector, "!~") {
		t.Errorf("the exact path is excluded too: %s, %v", selector, err)
	}
}
