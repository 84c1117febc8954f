package guard

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/vextrus/finance-rollout/internal/gate"
	"github.com/vextrus/finance-rollout/internal/promql"
)

func namesFor(t *testing.T, change func(*gate.Metrics), limit time.Duration) *Names {
	t.Helper()
	metrics := gate.DefaultMetrics()
	change(&metrics)
	names, err := NewNames(metrics, nil, limit)
	if err != nil {
		t.Fatal(err)
	}
	return names
}

// The guard counts the requests that meet every matcher, as Prometheus does: a missing label is an empty value, and a
// label of the scrape is none of the page's.
func TestMatchersSelectOnThePage(t *testing.T) {
	for text, want := range map[string]gate.Counts{
		`path!~"/health.*"`:              {N: 9, K: 3},
		`path="/graphql"`:                {N: 9, K: 3},
		`method!="get"`:                  {N: 9, K: 3},
		`path=~"/health.*"`:              {N: 77, K: 77},
		`absent=""`:                      {N: 86, K: 80},
		`namespace="shop"`:               {N: 86, K: 80},
		`pod=~"shop-v2-.*"`:              {N: 86, K: 80},
		`path!~"/graphql|/health(/.*)?"`: {},
	} {
		matcher, err := promql.ParseMatcher(text)
		if err != nil {
			t.Fatal(err)
		}
		names := namesFor(t, func(m *gate.Metrics) { m.Matchers = []promql.Matcher{matcher} }, 500*time.Millisecond)
		rise := read(t, &counters{names: names, fromZero: true}, exposed(6, 3, 9, 9))
		if rise.Requests != want {
			t.Errorf("%s: %+v, want %+v", text, rise.Requests, want)
		}
	}
}

func TestWithoutALatencyNoHistogramIsRead(t *testing.T) {
	names := namesFor(t, func(*gate.Metrics) {}, 0)
	broken := strings.ReplaceAll(exposed(6, 3, 9, 9), `le="0.50"`, `le="half"`)
	rise := read(t, &counters{names: names, fromZero: true}, broken)
	if rise.Requests != (gate.Counts{N: 86, K: 80}) || rise.Slow.N != 0 || rise.SlowErr != nil || rise.Odd != "" {
		t.Errorf("%+v", rise)
	}
	none := newTracker(gate.ErrorRate(0.005, 0.01), Config{SlowShare: 0.05}.latency(), time.Now())
	if verdict := none.slowness().Verdict; verdict != gate.Inconclusive {
		t.Errorf("slowness without a limit: %s", verdict)
	}
}

const openTelemetry = `# TYPE "http.server.request.duration" histogram
{"http.server.request.duration_bucket","http.response.status_code"="200","http.route"="/a",le="0.25"} 5
{"http.server.request.duration_bucket","http.response.status_code"="200","http.route"="/a",le="0.5"} 8
{"http.server.request.duration_bucket","http.response.status_code"="200","http.route"="/a",le="+Inf"} 9
{"http.server.request.duration_count","http.response.status_code"="200","http.route"="/a"} 9
{"http.server.request.duration_count","http.response.status_code"="502","http.route"="/a"} 2
{"http.server.request.duration_count","http.response.status_code"="503","http.route"="/health"} 40
{"unfinished
http_requests_total{code="200"} 1000
`

// Names beyond the classic characters are asked for in the format that has them, and are read.
func TestNamesOfOpenTelemetry(t *testing.T) {
	names := namesFor(t, func(m *gate.Metrics) {
		m.RequestsTotal, m.StatusLabel = "http.server.request.duration_count", "http.response.status_code"
		m.DurationBucket = "http.server.request.duration_bucket"
		m.Exclude = map[string]string{"http.route": "/health.*"}
	}, 500*time.Millisecond)
	asked := ""
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked = r.Header.Get("Accept")
		_, _ = io.WriteString(w, openTelemetry)
	}))
	defer server.Close()
	c := &counters{names: names, fromZero: true}
	rise, err := fetch(t.Context(), newScrapeClient(nil), server.URL, c, time.Now)
	if err != nil || rise.Requests != (gate.Counts{N: 11, K: 2}) || rise.Slow != (gate.Counts{N: 9, K: 1}) ||
		rise.Odd != "" {
		t.Errorf("%+v, %v", rise, err)
	}
	if !strings.Contains(asked, "escaping=allow-utf-8") || !c.named {
		t.Errorf("asked for %s; named %v", asked, c.named)
	}
	if classic := namesFor(t, func(*gate.Metrics) {}, time.Second).accept(); strings.Contains(classic, "utf-8") {
		t.Errorf("classic names ask for %s", classic)
	}
}

// A GraphQL server answers 200 with errors: its operations are counted by their outcome.
func TestErrorsInsideA200(t *testing.T) {
	names := namesFor(t, func(m *gate.Metrics) {
		m.RequestsTotal, m.StatusLabel, m.ErrorPattern = "graphql_operations_total", "outcome", "error"
		m.Exclude = nil
	}, 0)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(w, `graphql_operations_total{outcome="ok",operation="query"} 90
graphql_operations_total{outcome="error",operation="query"} 6
graphql_operations_total{outcome="error",operation="mutation"} 4
http_requests_total{code="200"} 100
`)
	}))
	defer server.Close()
	c := &counters{names: names, fromZero: true}
	rise, err := fetch(t.Context(), newScrapeClient(nil), server.URL, c, time.Now)
	if err != nil || rise.Requests != (gate.Counts{N: 100, K: 10}) {
		t.Errorf("%+v, %v", rise, err)
	}
}

func TestScrapesByHTTPS(t *testing.T) {
	server := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(w, exposed(6, 3, 9, 9))
	}))
	defer server.Close()
	for name, tt := range map[string]struct {
		tls  *ScrapeTLS
		want string
	}{
		"an unknown authority": {&ScrapeTLS{}, "certificate"}, "any certificate": {&ScrapeTLS{InsecureSkipVerify: true}, ""},
	} {
		c := &counters{names: someNames(), fromZero: true}
		rise, err := fetch(t.Context(), newScrapeClient(tt.tls), server.URL, c, time.Now)
		if tt.want == "" && (err != nil || rise.Requests.N != 9) || tt.want != "" && (err == nil ||
			!strings.Contains(err.Error(), tt.want)) {
			t.Errorf("%s: %+v, %v", name, rise, err)
		}
	}
	for want, config := range map[string]Config{"http": {}, "https": {TLS: &ScrapeTLS{}}} {
		if got := (&runner{config: config}).scheme(); got != want {
			t.Errorf("%+v: %s", config.TLS, got)
		}
	}
}
