//go:build e2e

package alerts

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"sigs.k8s.io/yaml"
)

// TestAlertsFireInPrometheus lets Prometheus' own rule tester evaluate the rules over made-up series.
func TestAlertsFireInPrometheus(t *testing.T) {
	dir := t.TempDir()
	guarded := params()
	guarded.Guarded = true
	spec, err := Rules(guarded)
	if err != nil {
		t.Fatal(err)
	}
	rules, err := yaml.Marshal(spec)
	if err != nil {
		t.Fatal(err)
	}
	scenario, err := os.ReadFile("testdata/alerts.yaml")
	if err != nil {
		t.Fatal(err)
	}
	for name, content := range map[string][]byte{"rules.yaml": rules, "alerts.yaml": scenario} {
		if err := os.WriteFile(filepath.Join(dir, name), content, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	command := exec.CommandContext(t.Context(), "promtool", "test", "rules", "alerts.yaml")
	command.Dir = dir
	if output, err := command.CombinedOutput(); err != nil {
		t.Fatalf("promtool: %v\n%s", err, output)
	}
}
