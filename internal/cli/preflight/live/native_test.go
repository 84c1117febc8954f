package live

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/common/model"

	promtest "github.com/vextrus/finance-rollout/internal/testkit/prometheus"
)

// A Prometheus that takes native histograms has no classic series of them, and a counter may be one itself.
func TestNativeHistograms(t *testing.T) {
	native := model.Vector{{Metric: model.Metric{}, Histogram: &model.SampleHistogram{Count: 7, Sum: 1}}}
	const durations = "http_request_duration_seconds"
	for name, tt := range map[string]struct {
		metrics string
		server  func(*promtest.Server)
		want    []string
	}{
		"classic ones": {`{}`, func(*promtest.Server) {}, nil},
		"the durations": {`{}`, func(server *promtest.Server) {
			server.Labels(durations+"_bucket{", "le")
			server.Answer("increase("+durations+"{", native)
		}, []string{durations}},
		"a metric that is missing": {`{}`, func(server *promtest.Server) {
			server.Labels(durations+"_bucket{", "le")
			server.Answer("increase("+durations+"{", model.Vector{})
		}, nil},
		"the count that requests are counted by": {`{"requestsTotal":"` + durations + `_count"}`,
			func(server *promtest.Server) {
				server.Labels(durations+"_count{", "code")
				server.Answer("increase("+durations+"{", native)
			}, []string{durations}},
		"a counter that is a histogram": {`{"requestsTotal":"` + durations + `"}`, func(server *promtest.Server) {
			server.Labels(durations+"{", "code", "200")
			server.Answer("increase("+durations+"{", native)
		}, []string{durations}},
	} {
		t.Run(name, func(t *testing.T) {
			c, server := newCluster(t)
			tt.server(server)
			f := Gather(t.Context(), source(production(t, map[string]string{"metrics": tt.metrics}), c, nil))
			if !cmp.Equal(f.Prometheus.Native, tt.want) || f.Prometheus.MetricsErr != nil {
				t.Errorf("native are %q, want %q, %v; asked %q", f.Prometheus.Native, tt.want, f.Prometheus.MetricsErr,
					server.Asked())
			}
		})
	}
}
