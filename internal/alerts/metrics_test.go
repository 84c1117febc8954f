package alerts

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/vextrus/finance-rollout/internal/promql"
)

func TestWithoutALatencyNothingAsksForAHistogram(t *testing.T) {
	p := params()
	p.Latency, p.SlowShare, p.DurationBucket = 0, 0, ""
	document, err := Dashboard(p)
	if err != nil {
		t.Fatal(err)
	}
	all := strings.ToLower(fmt.Sprint(rulesOf(t, p)) + string(document))
	for _, word := range []string{"latency", "histogram", "duration", "bucket"} {
		if strings.Contains(all, word) {
			t.Errorf("%s is still asked for", word)
		}
	}
	if !strings.Contains(all, "canaryerrorratehigh") || !strings.Contains(all, "canarycrashloop") {
		t.Error("the other alerts are gone")
	}
}

// Rules, alerts and panels are in seconds, whatever the histogram counts in.
func TestHistogramsInOtherUnits(t *testing.T) {
	for unit, want := range map[time.Duration]string{
		time.Second: "histogram_quantile(", time.Millisecond: "0.001 * histogram_quantile(",
		time.Microsecond: "1e-06 * histogram_quantile(", 0: "histogram_quantile(",
	} {
		p := params()
		p.DurationUnit = unit
		for _, rule := range rulesOf(t, p) {
			if rule["record"] == p.recordLatency() && !strings.HasPrefix(rule["expr"].(string), want) {
				t.Errorf("%v: %s", unit, rule["expr"])
			}
		}
	}
}

// Series of a mesh carry no labels of the pods: each track has rules of its own, which add the labels.
func TestTracksByMatchers(t *testing.T) {
	p := params()
	p.RequestsTotal, p.StatusLabel = "istio_requests_total", "response_code"
	p.Canary = []promql.Matcher{promql.Equal("destination_workload", "finance-service-week1")}
	p.Stable = []promql.Matcher{promql.Equal("destination_workload", "finance-service-stable")}
	seen := map[string]bool{}
	for _, rule := range rulesOf(t, p) {
		if rule["record"] != recordErrors {
			continue
		}
		labels := rule["labels"].(map[string]any)
		track, expression := labels["track"].(string), rule["expr"].(string)
		seen[track] = true
		deployment := map[string]string{"canary": "week1", "stable": "stable"}[track]
		want := `istio_requests_total{destination_workload="finance-service-` + deployment + `",response_code=~"5.."}`
		if !strings.Contains(expression, want) || strings.Contains(expression, "app=") ||
			strings.Contains(expression, "by (") {
			t.Errorf("%s: %s", track, expression)
		}
		if labels["app"] != p.App || labels["namespace"] != p.Namespace || track == "canary" && labels["version"] != "week1" {
			t.Errorf("%s: labels %v", track, labels)
		}
	}
	if !seen["canary"] || !seen["stable"] {
		t.Errorf("tracks %v", seen)
	}
}

func TestNamesOfOpenTelemetryAreQuoted(t *testing.T) {
	p := params()
	p.RequestsTotal, p.StatusLabel = "http.server.request.duration_count", "http.response.status_code"
	p.DurationBucket = "http.server.request.duration_bucket"
	text := fmt.Sprint(rulesOf(t, p))
	for _, want := range []string{`{"http.server.request.duration_count",app="finance-service"`,
		`"http.response.status_code"=~"5.."}`, `{"http.server.request.duration_bucket",app=`} {
		if !strings.Contains(text, want) {
			t.Errorf("no %s in %s", want, text)
		}
	}
}
