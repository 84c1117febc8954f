package gate

import (
	"testing"
	"time"

	"github.com/prometheus/common/model"
)

// The suite sends 32 requests. It ran before the window, and again in the middle of it; Prometheus scraped both within
// the window. The customers sent 16 requests that no scrape mixes with the suite's.
func TestTheSmokeSuitesRequestsAreNoEvidence(t *testing.T) {
	metrics := DefaultMetrics().For("canary", "week1")
	metrics.ScrapeInterval = 10 * time.Minute
	suites := []Window{
		{Start: t0.Add(-20 * time.Second), End: t0.Add(-10 * time.Second)},
		{Start: t0.Add(190 * time.Second), End: t0.Add(200 * time.Second)},
	}
	page := func(values ...float64) []model.SamplePair {
		var samples []model.SamplePair
		for i, value := range values {
			samples = append(samples, at(time.Duration(i)*time.Minute-30*time.Second, value))
		}
		return samples
	}
	scraped := map[string]model.Matrix{upOfCanary: {stream("pod=a", page(1, 1, 1, 1, 1, 1)...)}}
	for name, tt := range map[string]struct {
		pages     []model.SamplePair
		births    map[string]model.Matrix
		except    []Window
		requested int64
	}{
		"counted with them":    {pages: page(0, 32, 39, 44, 80, 84), requested: 84},
		"counted without them": {pages: page(0, 32, 39, 44, 80, 84), except: suites, requested: 7 + 5 + 4},
		"the suite's were the first": {pages: page(0, 32, 39, 44, 80, 84)[1:], births: scraped, except: suites,
			requested: 16},
		"of a process that started before the suite": {pages: page(0, 32, 39, 44, 80, 84)[2:], except: suites, requested: 9,
			births: map[string]model.Matrix{startedOfCanary: {stream("pod=a", at(90*time.Second, unix(-40*time.Second)))}}},
		"clocks that differ by three seconds": {pages: page(0, 32, 39, 44, 80, 84), requested: 7 + 5,
			except: []Window{suites[0], {Start: suites[1].Start, End: t0.Add(207 * time.Second)}}},
	} {
		t.Run(name, func(t *testing.T) {
			samples := map[string]model.Matrix{requests: {stream("code=200,pod=a", tt.pages...)}}
			for selector, matrix := range tt.births {
				samples[selector] = matrix
			}
			got := Evaluate(t.Context(), store{samples: samples}, Question{
				Metrics: metrics, Criteria: []Criterion{ErrorRate(0.005, 0.01)},
				Window: Window{Start: t0, End: t0.Add(5 * time.Minute), Except: tt.except},
			}).Results[0]
			if got.Verdict == Error {
				t.Fatal(got.Reason)
			}
			wantCounts(t, got, tt.requested, 0)
		})
	}
}
