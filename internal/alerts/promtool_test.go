//go:build e2e

package alerts

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"sigs.k8s.io/yaml"
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
