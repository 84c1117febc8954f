//go:build e2e

package alerts

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"sigs.k8s.io/yaml"

	"github.com/vextrus/finance-rollout/internal/promql"
)

// TestAlertsFireInPrometheus has Prometheus' own rule tester evaluate the rules over series of the test's.
func TestAlertsFireInPrometheus(t *testing.T) {
	guarded, strict := params(), params()
	guarded.Guarded = true
	strict.SlowShare = 0.01
	for scenario, p := range map[string]Params{"alerts.yaml": guarded, "p99.yaml": strict} {
		t.Run(scenario, func(t *testing.T) { runRuleTester(t, p, scenario) })
	}
}

func runRuleTester(t *testing.T, p Params, scenario string) {
	t.Helper()
	dir := t.TempDir()
	spec, err := Rules(p)
	if err != nil {
		t.Fatal(err)
	}
	rules, err := yaml.Marshal(spec)
	if err != nil {
		t.Fatal(err)
	}
	series, err := os.ReadFile(filepath.Join("testdata", scenario))
	if err != nil {
		t.Fatal(err)
	}
	for name, content := range map[string][]byte{"rules.yaml": rules, scenario: series} {
		if err := os.WriteFile(filepath.Join(dir, name), content, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	command := exec.CommandContext(t.Context(), "promtool", "test", "rules", scenario)
	command.Dir = dir
	if output, err := command.CombinedOutput(); err != nil {
		t.Fatalf("promtool: %v\n%s", err, output)
	}
}

// Prometheus reads the rules of every kind of metrics: names of OpenTelemetry, tracks by matchers, no latency.
func TestRulesAreReadByPrometheus(t *testing.T) {
	telemetry, mesh, withoutLatency := params(), params(), params()
	telemetry.RequestsTotal, telemetry.StatusLabel = "http.server.request.duration_count", "http.response.status_code"
	telemetry.DurationBucket = "http.server.request.duration_bucket"
	telemetry.Customers = []promql.Matcher{promql.Matches("http.route", "/health.*").Not()}
	mesh.Canary = []promql.Matcher{promql.Equal("destination_workload", "finance-service-week1")}
	mesh.Stable = []promql.Matcher{promql.Equal("destination_workload", "finance-service-stable")}
	mesh.DurationUnit = time.Millisecond
	withoutLatency.Latency = 0
	for name, p := range map[string]Params{"telemetry": telemetry, "mesh": mesh, "without latency": withoutLatency} {
		spec, err := Rules(p)
		if err != nil {
			t.Fatal(err)
		}
		rules, err := yaml.Marshal(spec)
		if err != nil {
			t.Fatal(err)
		}
		path := filepath.Join(t.TempDir(), "rules.yaml")
		if err := os.WriteFile(path, rules, 0o600); err != nil {
			t.Fatal(err)
		}
		if output, err := exec.CommandContext(t.Context(), "promtool", "check", "rules", path).CombinedOutput(); err != nil {
			t.Errorf("%s: %v\n%s", name, err, output)
		}
	}
}
