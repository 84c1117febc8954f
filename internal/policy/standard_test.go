package policy

import (
	"go/build"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"sigs.k8s.io/yaml"
)

// The library brings pods that keep and break the level restricted in its newest version.
func TestTheLibrarysOwnPods(t *testing.T) {
	module, err := build.Import("k8s.io/pod-security-admission/test", ".", build.FindOnly)
	if err != nil {
		t.Fatal(err)
	}
	standard := named(t, "pod-standard")
	for _, side := range []string{"pass", "fail"} {
		files, err := filepath.Glob(filepath.Join(module.Dir, "testdata/restricted/v1.34", side, "*.yaml"))
		if err != nil {
			t.Fatal(err)
		}
		if len(files) < 20 {
			t.Fatalf("the library has %d pods that %s", len(files), side)
		}
		for _, file := range files {
			t.Run(side+"/"+filepath.Base(file), func(t *testing.T) {
				content, err := os.ReadFile(file)
				if err != nil {
					t.Fatal(err)
				}
				var pod map[string]any
				if err := yaml.Unmarshal(content, &pod); err != nil {
					t.Fatal(err)
				}
				if messages := judge(t, standard, pod); (len(messages) > 0) != (side == "fail") {
					t.Errorf("says %q", strings.Join(messages, "\n"))
				}
			})
		}
	}
}

// What a program may write instead of what the API takes is a finding and no silence.
func TestAPodThatCannotBeReadIsAFinding(t *testing.T) {
	pod := map[string]any{"pod": map[string]any{"containers": []any{
		map[string]any{"securityContext": map[string]any{"privileged": "true"}}}}}
	if messages := judge(t, named(t, "pod-standard"), pod); len(messages) != 1 ||
		!strings.Contains(messages[0], "cannot be judged") {
		t.Errorf("says %q", messages)
	}
}
