package promql

import (
	"strings"
	"testing"
)

func TestMatchers(t *testing.T) {
	for text, want := range map[string]string{
		`severity="critical"`:        `ALERTS{alertstate="firing",severity="critical"}`,
		` team =~ "pay.*|cards" `:    `ALERTS{alertstate="firing",team=~"pay.*|cards"}`,
		`alertname!="Watchdog"`:      `ALERTS{alertstate="firing",alertname!="Watchdog"}`,
		`alertname!~"Canary.*"`:      `ALERTS{alertstate="firing",alertname!~"Canary.*"}`,
		`name="a \"quoted\" } word"`: `ALERTS{alertstate="firing",name="a \"quoted\" } word"}`,
		"path=~`/api/\\d+`":          `ALERTS{alertstate="firing",path=~"/api/\\d+"}`,
		`team=""`:                    `ALERTS{alertstate="firing",team=""}`,
	} {
		m, err := ParseMatcher(text)
		if err != nil {
			t.Errorf("%s: %v", text, err)
			continue
		}
		if got, err := FiringThat([]Matcher{m}); err != nil || got != want {
			t.Errorf("%s: %s, %v; want %s", text, got, err, want)
		}
	}
	both := []Matcher{{"severity", "=", "critical"}, {"severity", "!=", "page"}}
	since, err := ActiveThat(both)
	if want := `ALERTS_FOR_STATE{severity="critical",severity!="page"}`; err != nil || since != want {
		t.Errorf("%s, %v; want %s", since, err, want)
	}
}

func TestParseMatcherRefuses(t *testing.T) {
	for text, want := range map[string]string{
		``: "such as", `severity`: "such as", `severity=critical`: "a quoted value", `severity='critical'`: "a quoted value",
		`severity=="critical"`: "such as", `{severity="critical"}`: "such as", `a="b",c="d"`: "such as",
		`a="b"} or vector(1)`: "such as", `a-b="c"`: "such as", `a=~"("`: "pattern", `a="\q"`: "not readable",
		`alertstate="pending"`: "alertstate", `__name__="up"`: "__name__",
	} {
		if m, err := ParseAlertMatcher(text); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, %v", text, m, err)
		}
	}
}

// A matcher, its negation and the test of a value agree.
func TestMatchersTestValues(t *testing.T) {
	for text, want := range map[string]struct{ yes, no, negated string }{
		`method="POST"`:                        {"POST", "GET", `method!="POST"`},
		`method!="GET"`:                        {"POST", "GET", `method="GET"`},
		`path=~"/health.*"`:                    {"/health/live", "/graphql", `path!~"/health.*"`},
		`path!~"/health|/metrics"`:             {"/healthy", "/health", `path=~"/health|/metrics"`},
		`"http.route"=~"/a.*"`:                 {"/a\nb", "/b", `"http.route"!~"/a.*"`},
		`http.response.status_code=~"5.."`:     {"500", "50", `"http.response.status_code"!~"5.."`},
		`user_agent!~"kube-probe/.*|Prom.*"`:   {"curl/8", "kube-probe/1.34", `user_agent=~"kube-probe/.*|Prom.*"`},
		"destination_workload=`orders-stable`": {"orders-stable", "orders", `destination_workload!="orders-stable"`},
	} {
		m, err := ParseMatcher(text)
		if err != nil {
			t.Errorf("%s: %v", text, err)
			continue
		}
		test, err := m.Compile()
		if err != nil || !test(want.yes) || test(want.no) {
			t.Errorf("%s: %v; takes %q and %q: %v, %v", text, err, want.yes, want.no, test(want.yes), test(want.no))
		}
		if got := m.Not().String(); got != want.negated || m.Not().Not() != m {
			t.Errorf("%s: negated %s, want %s", text, got, want.negated)
		}
	}
}

// Names beyond the classic characters are quoted wherever they stand.
func TestNamesOfOpenTelemetry(t *testing.T) {
	m := Matches("http.response.status_code", "5..")
	got, err := Selector("http.server.request.duration_bucket", map[string]string{"app": "a", "http.route": "/b"}, m)
	want := `{"http.server.request.duration_bucket",app="a","http.route"="/b","http.response.status_code"=~"5.."}`
	if err != nil || got != want {
		t.Errorf("got  %s, %v\nwant %s", got, err, want)
	}
	if got := Sum("a", "http.route", "pod"); got != `sum by ("http.route", pod) (a)` {
		t.Error(got)
	}
	for name, want := range map[string]bool{
		"up": true, "a:b": true, "http.server": true, "größe": true, "a-b": true, "k8s.io/x": true,
		"": false, "1a": false, ".a": false, "a b": false, "a\"b": false, "a{": false, "\xff": false,
	} {
		if got := IsMetric(name); got != want {
			t.Errorf("IsMetric(%q) = %v", name, got)
		}
	}
	for _, name := range []string{"a:b", "a-b", "__name__", "a b"} {
		if IsLabel(name) {
			t.Errorf("%q is no label", name)
		}
	}
}
