package gate

import (
	"strings"
	"testing"

	"github.com/prometheus/common/model"

	"github.com/vextrus/finance-rollout/internal/promql"
)

// A Prometheus that takes native histograms drops the classic series of the same name: buckets, count and sum.
func TestANativeHistogramIsToldFromAMissingMetric(t *testing.T) {
	const histogram, mend = "http_request_duration_seconds", "metrics.scrapeClassicHistograms"
	for name, tt := range map[string]struct {
		metric string
		names  []string
		word   string
	}{
		"buckets":       {histogram + "_bucket", []string{histogram, "http_requests_total"}, mend},
		"the count":     {histogram + "_count", []string{histogram}, mend},
		"the sum":       {histogram + "_sum", []string{histogram}, mend},
		"OpenTelemetry": {"http.server.request.duration_count", []string{"http.server.request.duration"}, mend},
		"another name": {histogram + "_bucket", []string{"http_requests_total", "http_server_request_seconds"},
			"correct its name"},
		"a longer name":   {histogram + "_bucket", []string{"http_request_duration_seconds_max"}, "correct its name"},
		"a plain counter": {"http_requests_total", []string{"http_requests"}, "correct its name"},
	} {
		named := string(model.MetricNameLabel) + " " + promql.NamesContaining(nameWords(tt.metric)...)
		got, err := noMetric(t.Context(), store{values: map[string][]string{named: tt.names}}, tt.metric, t0, t0)
		if err != nil || !strings.Contains(got, "there is no metric "+tt.metric) || !strings.Contains(got, tt.word) {
			t.Errorf("%s: %s, %v", name, got, err)
		}
	}
}
