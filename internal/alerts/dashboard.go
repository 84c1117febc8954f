package alerts

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/vextrus/finance-rollout/internal/promql"
)

// DashboardLink is the address of the dashboard with the uid in the Grafana at base. It is empty where base is.
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

// Dashboard gives the JSON document of the Grafana dashboard: the gate's numbers by track. Its errors are those of
// [Rules].
func Dashboard(p Params) ([]byte, error) {
	if err := p.validate(); err != nil {
		return nil, err
	}
	s, err := p.series()
	if err != nil {
		return nil, err
	}
	const track = "{{track}} {{version}}"
	share := promql.Relative(s.requestsOf.both, promql.Sum(s.requestsOf.both, byApp...), byApp...)
	restarts := promql.Sum(promql.Increase(s.podRestarts, restartWindow), "pod")
	panels := []panel{
		p.panel("Requests per second", "reqps", 0, promql.Divided(s.requestsOf.both, window.Seconds()), track),
		p.panel("Share of the requests", "percentunit", 0, share, track),
		p.panel("Error rate", "percentunit", p.ErrorRate, s.errorsOf.both, track),
		p.panel("Restarts in 15 minutes", "short", 1, restarts, "{{pod}}"),
		p.panel("Memory", "bytes", 0, promql.Max(s.podMemory, "pod"), "{{pod}}"),
	}
	if p.Latency > 0 {
		latency := p.panel(p.percentile()+" latency", "s", p.Latency.Seconds(), s.latencyOf.both, track)
		panels = slices.Insert(panels, 3, latency)
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
