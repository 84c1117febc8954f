package propose

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"sigs.k8s.io/yaml"

	"github.com/vextrus/finance-rollout/internal/settings"
	"github.com/vextrus/finance-rollout/internal/testkit"
)

// Pages as the usual libraries write them, shortened.
const (
	podinfo = `# TYPE http_requests_total counter
http_requests_total{status="200"} 40
# TYPE http_request_duration_seconds histogram
http_request_duration_seconds_bucket{method="GET",path="healthz",status="200",le="0.5"} 30
http_request_duration_seconds_bucket{method="GET",path="healthz",status="200",le="+Inf"} 30
http_request_duration_seconds_sum{method="GET",path="healthz",status="200"} 1
http_request_duration_seconds_count{method="GET",path="healthz",status="200"} 30
http_request_duration_seconds_bucket{method="GET",path="api_info",status="500",le="0.5"} 9
http_request_duration_seconds_bucket{method="GET",path="api_info",status="500",le="+Inf"} 10
http_request_duration_seconds_sum{method="GET",path="api_info",status="500"} 1
http_request_duration_seconds_count{method="GET",path="api_info",status="500"} 10
`
	spring = `# TYPE http_server_requests_seconds histogram
http_server_requests_seconds_bucket{outcome="SUCCESS",status="200",uri="/actuator/health",le="0.4"} 9
http_server_requests_seconds_bucket{outcome="SUCCESS",status="200",uri="/actuator/health",le="+Inf"} 9
http_server_requests_seconds_count{outcome="SUCCESS",status="200",uri="/actuator/health"} 9
http_server_requests_seconds_sum{outcome="SUCCESS",status="200",uri="/actuator/health"} 1
http_server_requests_seconds_bucket{outcome="SUCCESS",status="200",uri="/orders/{id}",le="0.4"} 9
http_server_requests_seconds_bucket{outcome="SUCCESS",status="200",uri="/orders/{id}",le="+Inf"} 9
http_server_requests_seconds_count{outcome="SUCCESS",status="200",uri="/orders/{id}"} 9
http_server_requests_seconds_sum{outcome="SUCCESS",status="200",uri="/orders/{id}"} 1
# TYPE http_client_requests_seconds summary
http_client_requests_seconds_count{status="200",uri="/auth/me"} 9
http_client_requests_seconds_sum{status="200",uri="/auth/me"} 1
`
	fastapi = `# TYPE http_requests_total counter
http_requests_total{handler="/items",method="GET",status="2xx"} 9
http_requests_total{handler="/health",method="GET",status="2xx"} 9
# TYPE http_request_duration_seconds histogram
http_request_duration_seconds_bucket{handler="/items",method="GET",le="0.1"} 9
http_request_duration_seconds_bucket{handler="/items",method="GET",le="0.5"} 9
http_request_duration_seconds_bucket{handler="/items",method="GET",le="1.0"} 9
http_request_duration_seconds_bucket{handler="/items",method="GET",le="+Inf"} 9
http_request_duration_seconds_count{handler="/items",method="GET"} 9
http_request_duration_seconds_sum{handler="/items",method="GET"} 1
`
	unleash = `# TYPE http_request_duration_milliseconds summary
http_request_duration_milliseconds{path="/api",method="GET",status="200",quantile="0.5"} 3
http_request_duration_milliseconds_sum{path="/api",method="GET",status="200"} 30
http_request_duration_milliseconds_count{path="/api",method="GET",status="200"} 10
`
	istio = `# TYPE istio_requests_total counter
istio_requests_total{reporter="destination",response_code="200"} 9
# TYPE istio_request_duration_milliseconds histogram
istio_request_duration_milliseconds_bucket{reporter="destination",response_code="200",le="500"} 9
istio_request_duration_milliseconds_bucket{reporter="destination",response_code="200",le="1000"} 9
istio_request_duration_milliseconds_bucket{reporter="destination",response_code="200",le="+Inf"} 9
istio_request_duration_milliseconds_count{reporter="destination",response_code="200"} 9
istio_request_duration_milliseconds_sum{reporter="destination",response_code="200"} 9
`
	openTelemetry = `# TYPE "http.server.request.duration" histogram
{"http.server.request.duration_bucket","http.response.status_code"="200","http.route"="/healthz",le="0.5"} 9
{"http.server.request.duration_bucket","http.response.status_code"="200","http.route"="/healthz",le="+Inf"} 9
{"http.server.request.duration_count","http.response.status_code"="200","http.route"="/healthz"} 9
{"http.server.request.duration_sum","http.response.status_code"="200","http.route"="/healthz"} 1
`
)

func TestProposals(t *testing.T) {
	for name, tt := range map[string]struct {
		page  string
		want  Proposal
		notes []string
	}{
		"podinfo: the counter knows no path": {podinfo, Proposal{Requests: "http_request_duration_seconds_count",
			Status: "status", ErrorPattern: "5..", Histogram: "http_request_duration_seconds_bucket", Unit: "s",
			Latency:   500 * time.Millisecond,
			PathLabel: "path", Probes: []string{"healthz"}}, []string{"another counter by status: http_requests_total"}},
		"Spring": {spring, Proposal{Requests: "http_server_requests_seconds_count", Status: "status", ErrorPattern: "5..",
			Histogram: "http_server_requests_seconds_bucket", Unit: "s", Latency: 400 * time.Millisecond,
			PathLabel: "uri", Probes: []string{"/actuator/health"}}, []string{"400ms is the nearest", "http_client_requests"}},
		"FastAPI": {fastapi, Proposal{Requests: "http_requests_total", Status: "status", ErrorPattern: "5xx|5XX",
			Histogram: "http_request_duration_seconds_bucket", Unit: "s", Latency: 500 * time.Millisecond, PathLabel: "handler",
			Probes: []string{"/health"}}, nil},
		"Unleash: no histogram": {unleash, Proposal{Requests: "http_request_duration_milliseconds_count", Status: "status",
			ErrorPattern: "5..", PathLabel: "path"}, []string{"no histogram", "no value of the label path looks like a probe"}},
		"Istio": {istio, Proposal{Requests: "istio_requests_total", Status: "response_code", ErrorPattern: "5..",
			Histogram: "istio_request_duration_milliseconds_bucket", Unit: "ms", Latency: 500 * time.Millisecond},
			[]string{"no label of it names the path"}},
		"OpenTelemetry": {openTelemetry, Proposal{Requests: "http.server.request.duration_count",
			Status: "http.response.status_code", ErrorPattern: "5..", Histogram: "http.server.request.duration_bucket",
			Unit: "s", Latency: 500 * time.Millisecond, PathLabel: "http.route", Probes: []string{"/healthz"}}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := FromPage(strings.NewReader(tt.page))
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tt.want, got, cmpopts.IgnoreFields(Proposal{}, "Notes"), cmpopts.EquateEmpty()); diff != "" {
				t.Error(diff)
			}
			for _, word := range tt.notes {
				if !strings.Contains(strings.Join(got.Notes, "\n"), word) {
					t.Errorf("no note of %q: %q", word, got.Notes)
				}
			}
			loads(t, got)
		})
	}
}

// loads takes the proposal into a stack.
func loads(t *testing.T, p Proposal) {
	t.Helper()
	var written map[string]any
	if err := yaml.UnmarshalStrict([]byte(p.YAML("shop")), &written); err != nil {
		t.Fatalf("%v:\n%s", err, p.YAML("shop"))
	}
	config := testkit.Config{"image": "a:2", "stableImage": "a:1", "secretEnv": "{}", "prometheus": "a/b:9090",
		"smoke": `{"originFrom":"","tokenFrom":""}`}
	for key, value := range written {
		encoded, err := yaml.Marshal(value)
		if err != nil {
			t.Fatal(err)
		}
		json, err := yaml.YAMLToJSON(encoded)
		if err != nil {
			t.Fatal(err)
		}
		config[strings.TrimPrefix(key, "shop:")] = string(json)
	}
	s, err := settings.Load("production", config)
	if err != nil {
		t.Fatalf("%v:\n%s", err, p.YAML("shop"))
	}
	if s.Metrics.RequestsTotal != p.Requests || time.Duration(s.Criteria.Latency) != p.Latency {
		t.Errorf("%+v, %v", s.Metrics, s.Criteria.Latency)
	}
}

func TestPagesWithoutRequests(t *testing.T) {
	for page, want := range map[string]string{
		"":                     "no metric of HTTP requests",
		"<html>login</html>\n": "no page of metrics",
		"# TYPE http_requests_total counter\nhttp_requests_total{method=\"GET\"} 3\n": "it has http_requests_total",
		"go_goroutines 3\n": "docs/metrics.md",
	} {
		if _, err := FromPage(strings.NewReader(page)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v", page, err)
		}
	}
}
