package main

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"sigs.k8s.io/yaml"
)

// fuzzTests finds every fuzz test of the repository by what it is: a function that takes a *testing.F.
func fuzzTests(t *testing.T, root string) []string {
	t.Helper()
	var fuzzers []string
	err := filepath.WalkDir(root, func(path string, entry fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case entry.IsDir() && (entry.Name() == ".local" || entry.Name() == ".git"):
			return fs.SkipDir
		case !strings.HasSuffix(path, "_test.go"):
			return nil
		}
		file, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.SkipObjectResolution)
		if err != nil {
			return err
		}
		folder, err := filepath.Rel(root, filepath.Dir(path))
		for _, declared := range file.Decls {
			if function, ok := declared.(*ast.FuncDecl); ok && function.Recv == nil && isFuzz(function) {
				fuzzers = append(fuzzers, "./"+filepath.ToSlash(folder)+" "+function.Name.Name)
			}
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	slices.Sort(fuzzers)
	return fuzzers
}

func isFuzz(function *ast.FuncDecl) bool {
	if !strings.HasPrefix(function.Name.Name, "Fuzz") || len(function.Type.Params.List) != 1 {
		return false
	}
	pointer, ok := function.Type.Params.List[0].Type.(*ast.StarExpr)
	if !ok {
		return false
	}
	named, ok := pointer.X.(*ast.SelectorExpr)
	return ok && named.Sel.Name == "F"
}

// A fuzz test that `make fuzz` does not find is never run for longer than its seeds.
func TestMakeFuzzRunsEveryFuzzTest(t *testing.T) {
	root := ".."
	command := exec.CommandContext(t.Context(), "make", "--no-print-directory", "fuzz", "GO=echo", "FUZZTIME=7s")
	command.Dir = root
	output, err := command.CombinedOutput()
	if err != nil {
		t.Fatalf("make fuzz: %v\n%s", err, output)
	}
	var run []string
	for line := range strings.Lines(string(output)) {
		fields := strings.Fields(line)
		if len(fields) != 8 || fields[6] != "7s" {
			t.Fatalf("make fuzz runs %q", line)
		}
		run = append(run, fields[7]+" "+strings.Trim(fields[4], "^$"))
	}
	slices.Sort(run)
	want := fuzzTests(t, root)
	if diff := cmp.Diff(want, run); diff != "" {
		t.Errorf("fuzz tests (-there are +are run):\n%s", diff)
	}
	for _, parser := range []string{
		"internal/settings FuzzLoad", "internal/smoke FuzzParse", "internal/ledger FuzzParse", "internal/guard FuzzWebhook",
		"internal/guard FuzzRead",
		"internal/simulate FuzzCSV",
	} {
		if !slices.Contains(run, "./"+parser) {
			t.Errorf("what comes from outside is not fuzzed by %s", parser)
		}
	}
}

// Each is run for a minute at least, and the job may take as long as that takes.
func TestFuzzingIsPartOfEveryCheck(t *testing.T) {
	raw, err := os.ReadFile("../.github/workflows/check.yaml")
	if err != nil {
		t.Fatal(err)
	}
	var workflow struct {
		Jobs map[string]struct {
			Limit int `json:"timeout-minutes"`
			Steps []struct{ Run string }
		}
	}
	if err := yaml.Unmarshal(raw, &workflow); err != nil {
		t.Fatal(err)
	}
	job := workflow.Jobs["fuzz"]
	if steps := job.Steps; len(steps) == 0 || steps[len(steps)-1].Run != "make fuzz FUZZTIME=1m" {
		t.Errorf("the job runs %q", steps)
	}
	// As much again for compiling.
	if tests := len(fuzzTests(t, "..")); job.Limit < 2*tests {
		t.Errorf("%d minutes for %d fuzz tests", job.Limit, tests)
	}
}
