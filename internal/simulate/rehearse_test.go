package simulate

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/common/model"
	"gonum.org/v1/gonum/stat/distuv"

	"github.com/vextrus/finance-rollout/internal/gate"
	"github.com/vextrus/finance-rollout/internal/plan"
	"github.com/vextrus/finance-rollout/internal/quarantine"
	"github.com/vextrus/finance-rollout/internal/relative"
)

// served is a Prometheus that has scraped stable pods every 15 seconds: 150 requests a minute each, of which some fail
// by the pod and the minute.
type served struct {
	pods   []string
	length time.Duration
	failed func(pod string, minute int) int64
	// gone is the minute from which on a pod is no more; 0 for never.
	gone map[string]int
}

func (s served) Samples(_ context.Context, selector string, start, end time.Time) (model.Matrix, error) {
	var matrix model.Matrix
	if !strings.HasPrefix(selector, "http_requests_total{") || !strings.Contains(selector, `track="stable"`) {
		return nil, nil
	}
	for _, pod := range s.pods {
		for _, code := range []string{"200", "500"} {
			stream := &model.SampleStream{Metric: model.Metric{model.MetricNameLabel: "http_requests_total", "pod": model.
				LabelValue(pod), "namespace": "shop", "track": "stable", "code": model.LabelValue(code)}}
			total := int64(0)
			for at, quarter := origin, 0; !at.After(end) && !at.After(origin.Add(s.length)); at, quarter = at.Add(
				15*time.Second), quarter+1 {
				minute := quarter / 4
				if gone := s.gone[pod]; gone > 0 && minute >= gone {
					break
				}
				if quarter%4 == 0 {
					bad := s.failed(pod, minute)
					if code == "200" {
						total += 150 - bad
					} else {
						total += bad
					}
				}
				if at.After(start) {
					stream.Values = append(stream.Values, model.SamplePair{Timestamp: model.TimeFromUnixNano(at.UnixNano()),
						Value: model.SampleValue(total)})
				}
			}
			if len(stream.Values) > 0 {
				matrix = append(matrix, stream)
			}
		}
	}
	return matrix, nil
}

func (s served) LabelValues(context.Context, string, string, time.Time, time.Time) ([]string, error) {
	return nil, nil
}

func pastOf(t *testing.T, s served) *Past {
	t.Helper()
	metrics := gate.DefaultMetrics()
	past, err := ReadPast(t.Context(), s, metrics.For("stable", ""), gate.Window{Start: origin, End: origin.Add(s.length)},
		15*time.Second)
	if err != nil {
		t.Fatal(err)
	}
	return past
}

// sixHourLimits are those of soaks of six hours on errors alone.
func sixHourLimits() Limits {
	limits := testLimits()
	limits.Criteria, limits.Review = limits.Criteria[:1], nil
	limits.Soak = plan.Soak{Duration: 6 * time.Hour, Extension: 3 * time.Hour}
	return limits
}

func independent(pod string, minute int) int64 {
	source := rand.NewPCG(uint64(minute), uint64(pod[len(pod)-1])) //nolint:gosec // not negative
	return int64(distuv.Binomial{N: 150, P: 0.002, Src: source}.Rand())
}

func TestRehearsal(t *testing.T) {
	pods := []string{"a", "b", "c", "d"}
	burst := func(pod string, minute int) int64 {
		if pod == "b" && minute%120 == 60 {
			return 40
		}
		return 0
	}
	policy := quarantine.DefaultPolicy()
	for _, tt := range []struct {
		name   string
		failed func(pod string, minute int) int64
		change func(*Limits)
		check  func(r Rehearsal) bool
		words  []string
	}{
		{"independent errors", independent, nil, func(r Rehearsal) bool {
			return r.rolledBack() == 0 && r.Worse == 0 && r.Held == 0 && r.Bursts.Dispersion > 0.9 &&
				r.Bursts.Dispersion < 1.1 &&
				r.Bursts.Correlation < 0.01
		}, []string{"false rollbacks: 0 of 12", "4 stable pods played the canary"}},
		{"bursts at a pod", burst, nil, func(r Rehearsal) bool {
			return r.RolledBack[ByGuard] == 3 && r.Bursts.Dispersion > 20 && r.Bursts.Correlation > 0.1 &&
				r.Bursts.Worst == Worst{Pod: "b", At: origin.Add(59 * time.Minute), N: 150, K: 40}
		}, []string{"false rollbacks: 3 of 12", "pod b, by the guard", "guard.quarantine isolates",
			"the worst minute: 40 of 150 failed at pod b"}},
		{"bursts at a pod, with quarantine", burst, func(l *Limits) { l.Quarantine = &policy }, func(r Rehearsal) bool {
			return r.RolledBack[ByGuard] == 0 && r.Quarantined == 3
		}, []string{"quarantines: in 3 of 12 soaks"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			limits := sixHourLimits()
			if tt.change != nil {
				tt.change(&limits)
			}
			compared := relative.DefaultLimits()
			got, err := Rehearse(t.Context(), pastOf(t, served{pods: pods, length: 24 * time.Hour, failed: tt.failed}), limits,
				&compared)
			if err != nil || got.Trials != 12 || got.Pods != 4 || !tt.check(got) {
				t.Errorf("%+v, %v", got, err)
			}
			for _, words := range tt.words {
				if !strings.Contains(got.String(), words) {
					t.Errorf("no %q in\n%s", words, got)
				}
			}
		})
	}
}

// Pods that did not live long enough play nothing, and a past without any other is an error.
func TestARehearsalNeedsALongLife(t *testing.T) {
	short := served{pods: []string{"a", "b"}, length: 12 * time.Hour, failed: independent, gone: map[string]int{"b": 60}}
	got, err := Rehearse(t.Context(), pastOf(t, short), sixHourLimits(), nil)
	if err != nil || got.Pods != 1 || got.Short != 1 || got.Trials != 1 {
		t.Errorf("%+v, %v", got, err)
	}
	short.gone["a"] = 60
	if _, err := Rehearse(t.Context(), pastOf(t, short), sixHourLimits(), nil); !errors.Is(err, errShortPast) {
		t.Errorf("%v", err)
	}
	metrics := gate.DefaultMetrics()
	window := gate.Window{Start: origin, End: origin.Add(time.Hour)}
	_, err = ReadPast(t.Context(), served{}, metrics.For("stable", ""), window, time.Minute)
	if !errors.Is(err, errNoPast) {
		t.Errorf("without any pod: %v", err)
	}
	metrics.ErrorPattern = "("
	if _, err := ReadPast(t.Context(), short, metrics.For("stable", ""), window, time.Minute); err == nil {
		t.Error("a pattern that is none is accepted")
	}
}

// A pod that is worse than the others by far less than the limits is held by the comparison.
func TestARehearsalComparesWithStable(t *testing.T) {
	worse := func(pod string, minute int) int64 {
		if pod == "c" && minute%2 == 0 {
			return 1 // 0.33 %
		}
		return 0
	}
	compared := relative.DefaultLimits()
	got, err := Rehearse(t.Context(), pastOf(t, served{pods: []string{"a", "b", "c", "d"}, length: 24 * time.Hour,
		failed: worse}), sixHourLimits(), &compared)
	if err != nil || got.Worse != 3 || got.rolledBack() != 0 || !strings.Contains(fmt.Sprint(got.First), "c") {
		t.Errorf("%+v, %v", got, err)
	}
}
