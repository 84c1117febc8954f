package alerts

import (
	"encoding/json"
	"fmt"
	"strings"
)

// DashboardLink is the address of the dashboard with the uid in the Grafana at base; empty when base is.
func DashboardLink(base, uid string) string {
	if base == "" {
		return ""
	}
	return strings.TrimSuffix(base, "/") + "/d/" + uid
}

type target struct {
	RefID        string `json:"refId"`
	Expr         string `json:"expr"`
	LegendFormat string `json:"legendFormat"`
}

type grid struct {
	X int `json:"x"`
	Y int `json:"y"`
	W int `json:"w"`
	H int `json:"h"`
}

type panel struct {
	ID          int            `json:"id"`
	Type        string         `json:"type"`
	Title       string         `json:"title"`
	GridPos     grid           `json:"gridPos"`
	Targets     []target       `json:"targets"`
	FieldConfig map[string]any `json:"fieldConfig"`
	Datasource  map[string]any `json:"datasource"`
}

const dashboardColumns = 2

// Dashboard gives the JSON document of the Grafana dashboard: each of the gate's numbers by track.
func Dashboard(p Params) ([]byte, error) {
	if err := p.validate(); err != nil {
		return nil, err
	}
	pods := fmt.Sprintf("{namespace=%q,pod=~%q}", p.Namespace, p.App+"-.*")
	panels := []panel{
		p.panel("Requests per second", "reqps", 0, fmt.Sprintf("%s%s / 300", recordRequests, p.selector()),
			"{{track}} {{version}}"),
		p.panel("Share of the requests", "percentunit", 0,
			fmt.Sprintf("%s%s / on (namespace, app) group_left () sum by (namespace, app) (%s%s)", recordRequests, p.selector(),
				recordRequests, p.selector()), "{{track}} {{version}}"),
		p.panel("Error rate", "percentunit", p.ErrorRate, recordErrors+p.selector(), "{{track}} {{version}}"),
		p.panel("P95", "s", p.Latency.Seconds(), recordLatency+p.selector(), "{{track}} {{version}}"),
		p.panel("Restarts in 15 minutes", "short", 1, fmt.Sprintf("sum by (pod) "+
			"(increase(kube_pod_container_status_restarts_total%s[15m]))", pods), "{{pod}}"),
		p.panel("Memory", "bytes", 0, fmt.Sprintf("max by (pod) (container_memory_working_set_bytes%s)", pods), "{{pod}}"),
	}
	const width, height = 12, 8
	for i := range panels {
		panels[i].ID = i + 1
		panels[i].GridPos = grid{X: i % dashboardColumns * width, Y: i / dashboardColumns * height, W: width, H: height}
	}
	document, err := json.MarshalIndent(map[string]any{
		"uid":           p.DashboardUID,
		"title":         fmt.Sprintf("%s %s (%s)", p.App, p.Release, p.Environment),
		"tags":          []string{"finance-rollout", p.App, p.Environment},
		"timezone":      "utc",
		"refresh":       "30s",
		"schemaVersion": 39,
		"time":          map[string]string{"from": "now-3h", "to": "now"},
		"templating": map[string]any{"list": []any{map[string]any{
			"name": "datasource", "type": "datasource", "query": "prometheus", "label": "Prometheus",
		}}},
		"panels": panels,
	}, "", "  ")
	if err != nil {
		return nil, fmt.Errorf("encode dashboard: %w", err)
	}
	return document, nil
}

// panel is one time series; a limit above 0 is drawn as a line.
func (p Params) panel(title, unit string, limit float64, expr, legend string) panel {
	defaults := map[string]any{"unit": unit, "min": 0}
	if limit > 0 {
		defaults["thresholds"] = map[string]any{"mode": "absolute", "steps": []any{
			map[string]any{"color": "green", "value": nil}, map[string]any{"color": "red", "value": limit},
		}}
		defaults["custom"] = map[string]any{"thresholdsStyle": map[string]string{"mode": "line"}}
	}
	return panel{
		Type: "timeseries", Title: title,
		Targets:     []target{{RefID: "A", Expr: expr, LegendFormat: legend}},
		FieldConfig: map[string]any{"defaults": defaults, "overrides": []any{}},
		Datasource:  map[string]any{"type": "prometheus", "uid": "${datasource}"},
	}
}
