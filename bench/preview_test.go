package main

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
	"sigs.k8s.io/yaml"

	"github.com/vextrus/finance-rollout/bench/internal/measure"
)

func TestTheEmptyProgramIsBuiltAsTheProductIs(t *testing.T) {
	root := t.TempDir()
	empty := pulumi{measure.Shell{Root: root, Project: filepath.Join(root, ".local", "bench")}}
	for definition, want := range map[string]any{
		"runtime: go\n":          "go",
		"runtime:\n  name: go\n": map[string]any{"name": "go"},
		"runtime: {name: go, options: {buildTarget: bin/x}}\n": map[string]any{
			"name": "go", "options": map[string]any{"buildTarget": filepath.Join(empty.Project, "program")},
		},
	} {
		if err := os.WriteFile(filepath.Join(root, "Pulumi.yaml"), []byte(definition), 0o600); err != nil {
			t.Fatal(err)
		}
		raw, err := emptyProject(empty)
		if err != nil {
			t.Fatal(err)
		}
		var got map[string]any
		if err := yaml.Unmarshal(raw, &got); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(map[string]any{"name": "finance-rollout-bench", "runtime": want, "main": "../../bench/empty"},
			got); diff != "" {
			t.Errorf("%s: %s", definition, diff)
		}
	}
}

func TestAProductWithoutProjectIsAnError(t *testing.T) {
	root := t.TempDir()
	if raw, err := emptyProject(pulumi{measure.Shell{Root: root, Project: filepath.Join(root, "bench")}}); err == nil {
		t.Errorf("%s", raw)
	}
}
