package settings

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/vextrus/finance-rollout/internal/promql"
	"github.com/vextrus/finance-rollout/internal/testkit"
)

func TestLatencyMayBeOff(t *testing.T) {
	for given, want := range map[string]Latency{
		`{"latency":"off"}`: 0, `{"latency":false}`: 0, `{"latency":"250ms"}`: Latency(250 * time.Millisecond),
		`{}`: Latency(500 * time.Millisecond),
	} {
		s, err := Load("production", production("criteria", given, "metrics", `{"durationBucket":"a_bucket"}`))
		if err != nil || s.Criteria.Latency != want {
			t.Errorf("%s: %v, %v", given, s.Criteria.Latency, err)
		}
	}
	// A service without a histogram names none.
	for latency, accepted := range map[string]bool{"off": true, "1s": false} {
		_, err := Load("production", production("criteria", `{"latency":"`+latency+`"}`, "metrics", `{"durationBucket":""}`))
		if accepted != (err == nil) {
			t.Errorf("latency %s without a histogram: %v", latency, err)
		}
	}
}

func TestMetricsAsAServiceHasThem(t *testing.T) {
	for name, given := range map[string]string{
		"all but probes": `{"matchers":["path!~\"/health.*|/metrics\"","method=\"POST\""]}`,
		"OpenTelemetry": `{"requestsTotal":"http.server.request.duration_count","statusLabel":"http.response.status_code",
			"durationBucket":"http.server.request.duration_bucket","selector":{"http.route":"/graphql"}}`,
		"milliseconds":         `{"durationUnit":"ms"}`,
		"exclusions as a list": `{"exclude":["path=~\"/health.*\"","user_agent=~\"kube-probe/.*\""]}`,
		"no exclusions":        `{"exclude":{}}`,
		"https":                `{"scheme":"https","tls":{"serverName":"metrics.internal"}}`,
		"https by any name":    `{"scheme":"https","tls":{"insecureSkipVerify":true}}`,
		"a mesh": `{"requestsTotal":"istio_requests_total","statusLabel":"response_code",
			"tracks":["destination_workload=\"$deployment\"","destination_workload_namespace=\"$namespace\""]}`,
		"known by the pod alone": `{"tracks":["pod=~\"$deployment-[a-z0-9]+-[a-z0-9]+\""]}`,
	} {
		if _, err := Load("production", production("metrics", given)); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestMetricsThatAreRefused(t *testing.T) {
	for name, tt := range map[string]struct {
		key, given string
		want       []string
	}{
		"a matcher without quotes": {"metrics", `{"matchers":["path!~/health"]}`,
			[]string{`config metrics.matchers[0] is "path!~/health"`, "a quoted value", `method="POST"`}},
		"an operator of another language": {"metrics", `{"matchers":["a=\"b\"","code>=\"500\""]}`,
			[]string{"config metrics.matchers[1]", "=, !=, =~ and !~"}},
		"a pattern": {"metrics", `{"matchers":["path=~\"(\""]}`, []string{"config metrics.matchers[0]", `pattern "("`}},
		"an exclusion": {"metrics", `{"exclude":["path=~\"/health\"","agent"]}`,
			[]string{"config metrics.exclude", "entry 1, agent", "a quoted value"}},
		"exclusions as a text": {"metrics", `{"exclude":"/health"}`, []string{"config metrics.exclude"}},
		"a unit":               {"metrics", `{"durationUnit":"seconds"}`, []string{`config metrics.durationUnit is "seconds"`, "s, ms and us"}},
		"a scheme": {"metrics", `{"scheme":"HTTPS"}`,
			[]string{`config metrics.scheme is "HTTPS"`, "http and https", "metrics.scheme https -s production"}},
		"a path": {"metrics", `{"path":"metrics"}`, []string{"config metrics.path", "begin with /"}},
		"TLS without https": {"metrics", `{"tls":{"serverName":"a"}}`,
			[]string{"config metrics.tls", "metrics.scheme https -s production"}},
		"tracks that are one": {"metrics", `{"tracks":["namespace=\"$namespace\""]}`,
			[]string{"config metrics.tracks", "$deployment or $track", "-s production"}},
		"a name with a space": {"metrics", `{"requestsTotal":"http requests"}`, []string{"metrics.requestsTotal", "letters, digits"}},
		"no limit": {"criteria", `{"latency":"0s"}`,
			[]string{`config criteria.latency is "0s"`, "write off", "criteria.latency off -s production"}},
		"a limit without a unit": {"criteria", `{"latency":500}`,
			[]string{`config criteria.latency is "500"`, "write 500s", "-s production"}},
		"a limit in words": {"criteria", `{"latency":"none"}`, []string{"config criteria.latency", "500ms", "off"}},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := Load("production", production(tt.key, tt.given))
			testkit.WantError(t, err, tt.want...)
		})
	}
}

func TestConditionsOfCustomers(t *testing.T) {
	s, err := Load("production", production("metrics",
		`{"matchers":["method=\"POST\""],"exclude":["path=~\"/health.*\"","agent!=\"customer\""]}`))
	if err != nil {
		t.Fatal(err)
	}
	want := []promql.Matcher{promql.Equal("method", "POST"), promql.Matches("path", "/health.*").Not(),
		promql.Equal("agent", "customer")}
	if diff := cmp.Diff(want, s.Metrics.Conditions()); diff != "" {
		t.Error(diff)
	}
	if !strings.Contains(s.Metrics.Exclude.String(), `path=~"/health.*"`) {
		t.Error(s.Metrics.Exclude)
	}
}

func TestAuthoritiesOfScrapesAreAConfigMapAndItsKey(t *testing.T) {
	for text, want := range map[string]string{
		"pods-ca/ca.crt": "", "pods-ca": "configmap/key", "Pods/ca": "configmap/key", "pods/ca crt": "configmap/key",
	} {
		s, err := Load("production", production("metrics", `{"scheme":"https","tls":{"ca":"`+text+`"}}`))
		if want == "" && (err != nil || s.Metrics.TLS.CA != text) {
			t.Errorf("%s: %v", text, err)
		}
		if want != "" && (err == nil || !strings.Contains(err.Error(), want) ||
			!strings.Contains(err.Error(), "pulumi config set --path metrics.tls.ca authorities/ca.crt -s production")) {
			t.Errorf("%s: %v", text, err)
		}
	}
	if _, err := Load("production", production("metrics", `{"tls":{"ca":"pods-ca/ca.crt"}}`)); err == nil ||
		!strings.Contains(err.Error(), "metrics.scheme is http") {
		t.Errorf("by http: %v", err)
	}
}

// The usual probes and scrapes are no customers, however the metrics spell their paths.
func TestProbesAndScrapesAreLeftOut(t *testing.T) {
	left := promql.Matches("path", Defaults().Metrics.Exclude.Patterns["path"])
	takes, err := left.Compile()
	if err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]bool{
		"/health": true, "/health/ready": true, "/healthz": true, "healthz": true, "readyz": true, "metrics": true,
		"/metrics": true, "livez": true, "/healthy": false, "/graphql": false, "": false, "/api/health": false,
		"lives": false,
	} {
		if takes(path) != want {
			t.Errorf("%q is left out: %v", path, !want)
		}
	}
}
