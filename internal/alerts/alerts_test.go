package alerts

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/vextrus/finance-rollout/internal/promql"
)

func params() Params {
	return Params{
		App: "finance-service", Environment: "production", Namespace: "vextrus-production", Release: "week1",
		Deployment: "finance-service-week1", RequestsTotal: "http_requests_total", StatusLabel: "code", ErrorPattern: "5..",
		DurationBucket: "http_request_duration_seconds_bucket", ErrorRate: 0.01, Latency: 500 * time.Millisecond,
		SlowShare:    0.05,
		MinRequests:  50,
		DashboardUID: "finance-week1", DashboardURL: "https://grafana.example.com/",
		RunbookURL: "https://runbook.example.com",
	}
}

func TestAGuardIsWatchedItself(t *testing.T) {
	names := func(p Params) string {
		var list []string
		for _, rule := range rulesOf(t, p) {
			if name, isAlert := rule["alert"].(string); isAlert {
				list = append(list, name)
			}
		}
		return strings.Join(list, " ")
	}
	p := params()
	if got := names(p); strings.Contains(got, "Guard") {
		t.Errorf("alerts about a guard without a guard: %s", got)
	}
	p.Guarded = true
	if got := names(p); !strings.Contains(got, "RolloutGuardDown RolloutGuardBlind RolloutGuardDisarmed") {
		t.Errorf("no alerts about the guard: %s", got)
	}
	for _, rule := range rulesOf(t, p) {
		labels, ok := rule["labels"].(map[string]any)
		if !ok {
			continue
		}
		// Only alerts that the guard can compare with its counts may ask for it.
		if counts := labels[LabelConfirm] == ConfirmCounts; counts != (rule["alert"] == "CanaryErrorRateHigh") {
			t.Errorf("%s has to be confirmed by counts: %v", rule["alert"], counts)
		}
		if strings.Contains(rule["alert"].(string), "Guard") && labels["action"] != ActionReview {
			t.Errorf("%s asks for %v", rule["alert"], labels["action"])
		}
	}
}

func rulesOf(t *testing.T, p Params) []map[string]any {
	t.Helper()
	spec, err := Rules(p)
	if err != nil {
		t.Fatal(err)
	}
	var rules []map[string]any
	for _, group := range spec["groups"].([]any) {
		for _, rule := range group.(map[string]any)["rules"].([]any) {
			rules = append(rules, rule.(map[string]any))
		}
	}
	return rules
}

func TestTheGuidesAlertsAskForTheRightAction(t *testing.T) {
	want := map[string]struct{ action, wait string }{
		"CanaryErrorRateHigh":            {ActionRollback, "5m"},
		"CanaryLatencyHigh":              {ActionReview, "5m"},
		"CanaryErrorRateWorseThanStable": {ActionReview, "5m"},
		"CanaryLatencyWorseThanStable":   {ActionReview, "5m"},
		"CanaryCrashLoop":                {ActionRollback, "0s"},
		"CanaryRestarts":                 {ActionReview, "0s"},
		"CanaryMemoryHigh":               {ActionReview, "5m"},
	}
	seen := 0
	for _, rule := range rulesOf(t, params()) {
		name, isAlert := rule["alert"].(string)
		if !isAlert {
			continue
		}
		seen++
		labels := rule["labels"].(map[string]any)
		if labels["action"] != want[name].action || rule["for"] != want[name].wait {
			t.Errorf("%s: action %v for %v, want %+v", name, labels["action"], rule["for"], want[name])
		}
		annotations := rule["annotations"].(map[string]any)
		if annotations["dashboard_url"] != "https://grafana.example.com/d/finance-week1" ||
			annotations["runbook_url"] != "https://runbook.example.com#"+strings.ToLower(name) {
			t.Errorf("%s: links %v", name, annotations)
		}
		if strings.Contains(name, "Rate") && !strings.Contains(rule["expr"].(string), ">= 50") {
			t.Errorf("%s does not ask for a minimum of requests: %s", name, rule["expr"])
		}
	}
	if seen != len(want) {
		t.Errorf("%d alerts, want %d", seen, len(want))
	}
}

// A crash, a restart and the memory of a sidecar are not the release's.
func TestAlertsAreAboutTheServicesContainer(t *testing.T) {
	watched := map[string]bool{"CanaryCrashLoop": true, "CanaryRestarts": true, "CanaryMemoryHigh": true}
	for _, container := range []string{"", "finance-service"} {
		p := params()
		p.Container = container
		for _, rule := range rulesOf(t, p) {
			name, _ := rule["alert"].(string)
			expression, _ := rule["expr"].(string)
			if named := strings.Contains(expression, `container="finance-service"`); named != (watched[name] && container != "") {
				t.Errorf("container %q: %s asks %s", container, name, expression)
			}
		}
	}
}

func TestNamesOfMetricsAreConfiguration(t *testing.T) {
	p := params()
	p.RequestsTotal, p.StatusLabel, p.ErrorPattern, p.DurationBucket = "app_requests", "status", "(5..|429)",
		"app_seconds_bucket"
	p.Selector = map[string]string{"path": "/api"}
	all, err := json.Marshal(rulesOf(t, p))
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"http_requests_total", "http_request_duration", "code=~"} {
		if strings.Contains(string(all), name) {
			t.Errorf("%s is still used", name)
		}
	}
	for _, name := range []string{"app_requests", `status=~\"(5..|429)\"`, "app_seconds_bucket", `path=\"/api\"`} {
		if !strings.Contains(string(all), name) {
			t.Errorf("%s is not used", name)
		}
	}
}

// The gate judges the quantile that criteria.slowShare sets; rules, texts and panels speak of the same one.
// A rule is evaluated inside the Prometheus that scrapes, which has no external labels, and counts no probes.
func TestRulesCountWhatTheGatesCount(t *testing.T) {
	p := params()
	p.Selector = map[string]string{"cluster": "eu-1", "prometheus_replica": "0", "job": "finance"}
	p.Customers = []promql.Matcher{promql.Matches("path", "/health.*").Not()}
	text := fmt.Sprint(Rules(p))
	for _, metric := range []string{"http_requests_total", "http_request_duration_seconds_bucket"} {
		want := metric + `{app="finance-service",job="finance",namespace="vextrus-production",path!~"/health.*"`
		if got, all := strings.Count(text, want), strings.Count(text, metric+"{"); got == 0 || got != all {
			t.Errorf("%d of %d selectors begin with %s: %s", got, all, want, text)
		}
	}
	if p.Selector["cluster"] != "eu-1" {
		t.Error("the selector was changed")
	}
}

func TestAlertsAndPanelsFollowTheSlowShare(t *testing.T) {
	for share, want := range map[float64]struct{ name, record, expression string }{
		0.05:  {"P95", "rollout:latency_seconds:p95_5m", "histogram_quantile(0.95, "},
		0.01:  {"P99", "rollout:latency_seconds:p99_5m", "histogram_quantile(0.99, "},
		0.001: {"P99.9", "rollout:latency_seconds:p99_9_5m", "histogram_quantile(0.999, "},
		0.5:   {"P50", "rollout:latency_seconds:p50_5m", "histogram_quantile(0.5, "},
	} {
		p := params()
		p.SlowShare = share
		recorded := false
		for _, rule := range rulesOf(t, p) {
			if rule["record"] == want.record {
				recorded = strings.HasPrefix(rule["expr"].(string), want.expression)
			}
			name, _ := rule["alert"].(string)
			if !strings.HasPrefix(name, "CanaryLatency") {
				continue
			}
			summary := rule["annotations"].(map[string]any)["summary"].(string)
			if !strings.Contains(summary, "the canary's "+want.name+" was") ||
				!strings.Contains(rule["expr"].(string), want.record+"{") {
				t.Errorf("%g: %s: %s: %s", share, name, summary, rule["expr"])
			}
		}
		if !recorded {
			t.Errorf("%g: %s is not recorded as %s...", share, want.record, want.expression)
		}
		document, err := Dashboard(p)
		if err != nil || !strings.Contains(string(document), `"title": "`+want.name+` latency"`) ||
			!strings.Contains(string(document), want.record+"{") {
			t.Errorf("%g: the dashboard does not show %s from %s (%v)", share, want.name, want.record, err)
		}
	}
}

func TestMissingParamsAreRefused(t *testing.T) {
	for name, change := range map[string]func(*Params){
		"release":   func(p *Params) { p.Release = "" },
		"error":     func(p *Params) { p.ErrorRate = 0 },
		"latency":   func(p *Params) { p.Latency = -1 },
		"share":     func(p *Params) { p.SlowShare = 0 },
		"all slow":  func(p *Params) { p.SlowShare = 1 },
		"no metric": func(p *Params) { p.RequestsTotal = "up or vector(1)" },
		"no label":  func(p *Params) { p.StatusLabel = "a:b" },
		"pattern":   func(p *Params) { p.ErrorPattern = "5(" },
		"uid":       func(p *Params) { p.DashboardUID = strings.Repeat("x", 41) },
		"histogram": func(p *Params) { p.DurationBucket = "" },
	} {
		p := params()
		change(&p)
		if _, err := Rules(p); err == nil {
			t.Errorf("%s: rules were made", name)
		}
		if _, err := Dashboard(p); err == nil {
			t.Errorf("%s: a dashboard was made", name)
		}
	}
}

func TestDashboard(t *testing.T) {
	document, err := Dashboard(params())
	if err != nil {
		t.Fatal(err)
	}
	var got struct {
		UID    string `json:"uid"`
		Panels []struct {
			ID      int    `json:"id"`
			Title   string `json:"title"`
			Targets []struct {
				Expr string `json:"expr"`
			} `json:"targets"`
			GridPos struct{ X, Y, W, H int } `json:"gridPos"`
		} `json:"panels"`
	}
	if err := json.Unmarshal(document, &got); err != nil {
		t.Fatal(err)
	}
	if got.UID != "finance-week1" || len(got.Panels) != 6 {
		t.Errorf("uid %q with %d panels", got.UID, len(got.Panels))
	}
	places := map[[2]int]string{}
	for _, panel := range got.Panels {
		place := [2]int{panel.GridPos.X, panel.GridPos.Y}
		if covered, occupied := places[place]; occupied {
			t.Errorf("%s covers %s", panel.Title, covered)
		}
		places[place] = panel.Title
		if len(panel.Targets) == 0 || panel.Targets[0].Expr == "" {
			t.Errorf("%s shows nothing", panel.Title)
		}
	}
	if link := DashboardLink("", "x"); link != "" {
		t.Errorf("a link without a Grafana: %s", link)
	}
}
