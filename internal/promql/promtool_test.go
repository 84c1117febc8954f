//go:build e2e

package promql

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"sigs.k8s.io/yaml"
)

// TestFiredSinceInPrometheus has Prometheus' own rule tester evaluate the query in the sixth to tenth minute: an alert
// from before counts as long as it fires, a new one counts even where it has resolved.
func TestFiredSinceInPrometheus(t *testing.T) {
	const still, gone, again, pending, unknown = "Still", "Gone", "Again", "Pending", "NoAge"
	query, err := FiredSince(map[string]string{"release": "week1"}, time.Unix(360, 0), 4*time.Minute)
	if err != nil {
		t.Fatal(err)
	}
	series := func(name, state, fires, since string) []map[string]any {
		list := []map[string]any{{"values": fires,
			"series": `ALERTS{alertname="` + name + `",alertstate="` + state + `",release="week1"}`}}
		if since != "" {
			list = append(list, map[string]any{"values": since,
				"series": `ALERTS_FOR_STATE{alertname="` + name + `",release="week1"}`})
		}
		return list
	}
	var input []map[string]any
	for _, list := range [][]map[string]any{
		series(still, "firing", "_x2 1x10", "_x2 120x10"),
		series(gone, "firing", "_x2 1x5 stale", "_x2 120x5 stale"),
		series(again, "firing", "_x6 1x1 stale", "_x6 400x1 stale"),
		series(pending, "pending", "_x6 1x5", "_x6 400x5"),
		series(unknown, "firing", "_x6 1x1 stale", ""),
	} {
		input = append(input, list...)
	}
	var want []map[string]any
	for _, name := range []string{still, again, unknown} {
		want = append(want, map[string]any{"labels": `{alertname="` + name + `"}`, "value": 1})
	}
	content, err := yaml.Marshal(map[string]any{"tests": []any{map[string]any{
		"interval": "1m", "input_series": input, "promql_expr_test": []any{map[string]any{
			"expr": Max(query, "alertname"), "eval_time": "10m", "exp_samples": want}},
	}}})
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "alerts.yaml")
	if err := os.WriteFile(path, content, 0o600); err != nil {
		t.Fatal(err)
	}
	if output, err := exec.CommandContext(t.Context(), "promtool", "test", "rules", path).CombinedOutput(); err != nil {
		t.Errorf("promtool: %v\n%s\n%s", err, output, content)
	}
}
