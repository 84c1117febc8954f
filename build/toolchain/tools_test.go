package toolchain

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/util/version"
)

func TestParseVersion(t *testing.T) {
	tests := []struct{ name, output, want string }{
		{"kubectl", "Client Version: v1.34.4\nKustomize Version: v5.7.1\n", "1.34.4"},
		{"kubectl with a suffix", "Client Version: v1.32.4-dispatcher\n", "1.32.4"},
		{"kubelet", "Kubernetes v1.34.4\n", "1.34.4"},
		{"etcd", "etcd Version: 3.6.5\nGit SHA: Not provided\nGo Version: go1.26.0\n", "3.6.5"},
		{"pulumi", "v3.259.0\n", "3.259.0"},
		{"pulumi built from source", "v3.240.0-alpha.1+dirty", "3.240.0"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			got, err := parseVersion(test.output)
			if err != nil {
				t.Fatal(err)
			}
			if got.String() != version.MustParseGeneric(test.want).String() {
				t.Errorf("version %s, want %s", got, test.want)
			}
		})
	}
	for _, output := range []string{"", "command not found", "v1.34"} {
		if got, err := parseVersion(output); err == nil {
			t.Errorf("%q gives version %s, want an error", output, got)
		}
	}
}

func TestFits(t *testing.T) {
	for v, want := range map[string]bool{
		"1.32.9": false, "1.33.0": true, "1.34.4": true, "1.35.9": true, "1.36.0": false, "2.0.0": false,
	} {
		if got := kubectl.fits(version.MustParseGeneric(v)); got != want {
			t.Errorf("kubectl %s fits: %t, want %t", v, got, want)
		}
	}
}

// kubectl and languageHost are found on PATH, the second beside Pulumi.
var (
	kubectl      = Tool{Name: "kubectl", Min: "1.33.0", Below: "1.36.0", Probe: []string{"version", "--client"}}
	languageHost = Tool{Name: "pulumi-language-go", Beside: "pulumi"}
)

// fake puts a program that prints the text into dir.
func fake(t *testing.T, dir, name, text string) string {
	t.Helper()
	path := filepath.Join(dir, name)
	if err := os.WriteFile(path, []byte("#!/bin/sh\necho '"+text+"'\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestFindTakesTheFirstFittingCopyOnPath(t *testing.T) {
	old, fitting, toolDir := t.TempDir(), t.TempDir(), t.TempDir()
	fake(t, old, "kubectl", "Client Version: v1.32.4-dispatcher")
	want := fake(t, fitting, "kubectl", "Client Version: v1.34.1")
	fake(t, toolDir, "kubectl", "Client Version: v1.34.4")
	t.Setenv("PATH", strings.Join([]string{toolDir, old, fitting}, string(filepath.ListSeparator)))
	if got := kubectl.find(t.Context(), toolDir); got != want {
		t.Errorf("found %q, want %q", got, want)
	}
	t.Setenv("PATH", strings.Join([]string{toolDir, old}, string(filepath.ListSeparator)))
	if got := kubectl.find(t.Context(), toolDir); got != "" {
		t.Errorf("found %q, which does not fit or is our own", got)
	}
}

func TestFindTakesTheLanguageHostOfALinkedPulumi(t *testing.T) {
	system, toolDir := t.TempDir(), t.TempDir()
	pulumi := fake(t, system, "pulumi", "v3.250.0")
	want := fake(t, system, "pulumi-language-go", "")
	host := languageHost
	if got := host.find(t.Context(), toolDir); got != "" {
		t.Errorf("found %q without a linked pulumi", got)
	}
	if err := link(pulumi, filepath.Join(toolDir, "pulumi")); err != nil {
		t.Fatal(err)
	}
	if got := host.find(t.Context(), toolDir); got != want {
		t.Errorf("found %q, want %q", got, want)
	}
}

func TestLinkReplaces(t *testing.T) {
	path := filepath.Join(t.TempDir(), "bin", "tool")
	for _, target := range []string{"/one", "/two", "/two"} {
		if err := link(target, path); err != nil {
			t.Fatal(err)
		}
		if got, err := os.Readlink(path); err != nil || got != target {
			t.Errorf("link to %q, error %v; want %q", got, err, target)
		}
	}
}

func TestStampFollowsWhatABuildDependsOn(t *testing.T) {
	source := t.TempDir()
	dir := filepath.Join(source, "m")
	if err := os.Mkdir(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	write := func(name, content string) {
		t.Helper()
		if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	write("go.mod", "module m")
	write("go.sum", "")
	b := &Builder{Source: source}
	seen := map[string]string{}
	check := func(change string, module Module) {
		t.Helper()
		stamp, err := b.stamp(module)
		if err != nil {
			t.Fatal(err)
		}
		if earlier, ok := seen[stamp]; ok {
			t.Errorf("%s: same stamp as %s", change, earlier)
		}
		seen[stamp] = change
		again, err := b.stamp(module)
		if err != nil || again != stamp {
			t.Errorf("%s: the stamp is not stable", change)
		}
	}
	module := Module{Dir: "m"}
	check("first", module)
	write("go.sum", "x")
	check("go.sum", module)
	write("main.go", "package main")
	check("source", module)
	module.Variables = []string{"main.version=1"}
	check("variable", module)
	module.Flags = []string{"-tags=x"}
	check("flag", module)
	module.Embed = &Embed{Version: "1"}
	check("embedded version", module)
}

func TestWithVersion(t *testing.T) {
	got, err := withVersion([]byte(`{"name":"kubernetes","types":{"a":{"version":"x"}}}`), "4.25.0")
	if err != nil {
		t.Fatal(err)
	}
	var object struct {
		Name, Version string
		Types         map[string]map[string]string
	}
	if err := json.Unmarshal(got, &object); err != nil {
		t.Fatal(err)
	}
	if object.Name != "kubernetes" || object.Version != "4.25.0" || object.Types["a"]["version"] != "x" {
		t.Errorf("got %s", got)
	}
}

func TestBuiltName(t *testing.T) {
	for pkg, want := range map[string]string{
		"k8s.io/kubernetes/cmd/kubelet":                                   "kubelet",
		"go.etcd.io/etcd/server/v3":                                       "server",
		"github.com/prometheus-operator/prometheus-operator/cmd/operator": "operator",
		"./coredns": "coredns",
		".":         "m",
	} {
		if got := (Tool{Package: pkg}).built("m"); got != want {
			t.Errorf("go build names %s %q, want %q", pkg, got, want)
		}
	}
}
