package stack

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/vextrus/finance-rollout/internal/testkit"
)

// configure writes the file of a stack.
func configure(t *testing.T, dir, stack, text string) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(dir, "Pulumi."+stack+".yaml"), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// add adds keys to the file of the stack production.
func add(t *testing.T, dir, text string) {
	t.Helper()
	content, err := os.ReadFile(filepath.Join(dir, "Pulumi.production.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	configure(t, dir, "production", string(content)+text)
}

// A command puts the former values back after a move that moved nothing: what the file did not set is empty, also where
// the project has a default.
func TestValuesAreThoseOfTheFile(t *testing.T) {
	dir := project(t)
	add(t, dir, "  shop:week: 3\n  shop:override: { weight: 30, reason: a fix }\n")
	stack, err := Open(t.Context(), Options{Stack: "production", Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	got, err := stack.Values([]string{"image", "week", "override.weight", "override.other", "app", "soak.duration"})
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]string{"image": "orders:2", "week": "3", "override.weight": "30", "override.other": "", "app": "",
		"soak.duration": ""}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("values (-want +got):\n%s", diff)
	}
}

func TestValuesThatCannotBeRead(t *testing.T) {
	dir := project(t)
	stack, err := Open(t.Context(), Options{Stack: "production", Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{"", "a:b:c", "override["} {
		values, err := stack.Values([]string{path})
		if err == nil {
			t.Errorf("%q gave %q", path, values)
			continue
		}
		testkit.WantError(t, err, "config "+path)
	}
	configure(t, dir, "production", "config: [")
	_, err = stack.Values([]string{"image"})
	testkit.WantError(t, err, "read "+stack.file)
	if err := os.Remove(filepath.Join(dir, "Pulumi.yaml")); err != nil {
		t.Fatal(err)
	}
	_, err = stack.Values([]string{"image"})
	testkit.WantError(t, err, "no Pulumi project in "+dir, "--cwd")
}
