package main

import (
	"bytes"
	"os/exec"
	"slices"
	"strings"
	"testing"
)

func TestRun(t *testing.T) {
	t.Setenv("KUBERNETES_SERVICE_HOST", "")
	for name, tt := range map[string]struct {
		args []string
		code int
		want string
	}{
		"help":         {[]string{"guard", "--help"}, 0, ""},
		"no namespace": {[]string{"guard", "--identity", "one"}, 1, "set --namespace"},
		"no cluster": {[]string{"guard", "--identity", "one", "--namespace", "shop", "--kubeconfig", "/nowhere"}, 1,
			"/nowhere"},
		"another command": {[]string{"rollback"}, 1, "unknown command"},
		"hostile":         {[]string{"guard", "--\x1b[2Jwipe"}, 1, "--wipe"},
	} {
		var problems bytes.Buffer
		if code := run(t.Context(), tt.args, &problems); code != tt.code || !strings.Contains(problems.String(), tt.want) ||
			strings.Contains(problems.String(), "\x1b") {
			t.Errorf("%s: %d, %q", name, code, problems.String())
		}
	}
}

// shown are the packages of the operator's command that the guard's page is made of.
var shown = []string{"dashboard", "evidence", "guarded", "report", "status"}

// The modules that make the operator's command large stay out of the image, and so do its commands.
func TestTheGuardIsSmall(t *testing.T) {
	output, err := exec.CommandContext(t.Context(), "go", "list", "-deps", ".").CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, output)
	}
	for dependency := range strings.Lines(string(output)) {
		dependency = strings.TrimSpace(dependency)
		for _, large := range []string{"github.com/pulumi/", "github.com/go-git/", "github.com/google/go-containerregistry",
			"finance-rollout/components", "finance-rollout/internal/program"} {
			if strings.Contains(dependency, large) {
				t.Errorf("the guard has %s", dependency)
			}
		}
		if _, name, ok := strings.Cut(dependency, "finance-rollout/internal/cli"); ok &&
			!slices.Contains(shown, strings.TrimPrefix(name, "/")) {
			t.Errorf("the guard has the command's %s", dependency)
		}
	}
}
