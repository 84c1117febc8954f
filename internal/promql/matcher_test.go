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
		if m, err := ParseMatcher(text); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, %v", text, m, err)
		}
	}
}
