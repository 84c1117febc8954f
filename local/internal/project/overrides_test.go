package project

import (
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

var full = Options{
	Kubeconfig: "/k", Context: "local", Prometheus: "monitoring/prometheus:9090",
	Image: "r/x@sha256:aa", StableImage: "r/x@sha256:bb", Guard: "r/guard@sha256:cc", Suffix: "-cli",
	NodePorts: map[string]int{"staging": 30081, "production": 30080},
}

// TestDerivedStacksDifferByTheTableAlone compares what the lab runs with what ships. A key is added here on purpose or
// not at all: each one hides how the committed value behaves.
func TestDerivedStacksDifferByTheTableAlone(t *testing.T) {
	both := []string{"image", "kubeContext", "kubeconfig", "metrics", "namespace", "prometheus", "resources", "service"}
	allowed := map[string][]string{
		"staging": both,
		"production": slices.Sorted(slices.Values(append([]string{"bake", "criteria", "floors", "guard", "soak",
			"stableImage"}, both...))),
	}
	options := full
	options.Dir = t.TempDir()
	var err error
	if options.Repo, err = filepath.Abs(filepath.Join("..", "..", "..")); err != nil {
		t.Fatal(err)
	}
	if err := Write(options); err != nil {
		t.Fatal(err)
	}
	for _, stack := range Stacks {
		committed, derived := config(t, options.Repo, stack), config(t, options.Dir, stack)
		var different []string
		for key := range union(committed, derived) {
			if !cmp.Equal(committed[key], derived[key]) {
				different = append(different, strings.TrimPrefix(key, prefix))
			}
		}
		slices.Sort(different)
		expected := slices.DeleteFunc(slices.Clone(allowed[stack]), func(key string) bool {
			return cmp.Equal(committed[prefix+key], derived[prefix+key])
		})
		if diff := cmp.Diff(expected, different); diff != "" {
			t.Errorf("%s differs in other keys than the table's (-table +stack):\n%s", stack, diff)
		}
	}
}

func TestEveryOverrideHasAReason(t *testing.T) {
	for _, stack := range Stacks {
		seen := map[string]bool{}
		for _, override := range full.overrides(stack, "n") {
			if len(override.Reason) < 20 || seen[override.Key] {
				t.Errorf("%s: %s is there twice or without a reason: %q", stack, override.Key, override.Reason)
			}
			seen[override.Key] = true
		}
		// These hid faults of what ships.
		for _, key := range []string{"probes", "release", "shutdown", "monitoring", "progressTimeout"} {
			if seen[key] {
				t.Errorf("%s overrides %s", stack, key)
			}
		}
	}
	for _, override := range full.overrides("production", "n") {
		if metrics, ok := override.Value.(map[string]any); ok && override.Key == "metrics" && metrics["selector"] != nil {
			t.Error("the lab selects series that production counts")
		}
	}
}

func config(t *testing.T, dir, stack string) map[string]any {
	t.Helper()
	file, err := read(filepath.Join(dir, "Pulumi."+stack+".yaml"))
	if err != nil {
		t.Fatal(err)
	}
	values, ok := file["config"].(map[string]any)
	if !ok {
		t.Fatalf("%s has no config", stack)
	}
	return values
}

func union(a, b map[string]any) map[string]any {
	all := maps.Clone(a)
	maps.Copy(all, b)
	return all
}
