package stack

import (
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// What is written is read again as it was given, and the rest of the file stays: comments, and encrypted values.
func TestSettingsAreWrittenIntoTheFile(t *testing.T) {
	dir := project(t)
	add(t, dir, "  # why a login\n"+
		"  shop:registry: { server: registry.example.com, username: ci, password: { secure: v1:abc } }\n")
	stack, err := Open(t.Context(), Options{Stack: "production", Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	values := map[string]any{
		"stableImage": "orders@sha256:1", "canaryWeight": 0, "env": map[string]any{"PORT": "8080", "DEBUG": "true"},
		"secretEnv": map[string]any{},
		"pod":       map[string]any{"spec": map[string]any{"nodeSelector": map[string]any{"a": "b"}}},
	}
	tried, err := stack.With(values)
	if tried == nil || tried.StableImage != "orders@sha256:1" || tried.Env["PORT"] != "8080" {
		t.Fatalf("the settings would be %+v: %v", tried, err)
	}
	if before, err := stack.Given(); err != nil || before["env"] != nil {
		t.Errorf("a look wrote: %v: %v", before, err)
	}
	if err := stack.Write(values); err != nil {
		t.Fatal(err)
	}
	given, err := stack.Given()
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]any{"stableImage": "orders@sha256:1", "canaryWeight": 0.0, "env": values["env"],
		"secretEnv": values["secretEnv"], "pod": values["pod"], "replicas": 10.0, "registry": Sealed{}}
	for key, value := range want {
		if diff := cmp.Diff(value, given[key]); diff != "" {
			t.Errorf("%s (-want +got):\n%s", key, diff)
		}
	}
	text, err := os.ReadFile(stack.file)
	if err != nil || !strings.Contains(string(text), "# why a login") || !strings.Contains(string(text), "v1:abc") {
		t.Errorf("the file lost something: %v\n%s", err, text)
	}
	again, err := Open(t.Context(), Options{Stack: "production", Dir: dir})
	if again == nil || again.Settings.Env["DEBUG"] != "true" || len(again.Settings.SecretEnv) != 0 {
		t.Errorf("read again: %v", err)
	}
}
