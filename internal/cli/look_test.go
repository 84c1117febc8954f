package cli

import (
	"bytes"
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/vextrus/finance-rollout/internal/simulate"
	"github.com/vextrus/finance-rollout/internal/terminal"
)

// called runs a command and gives its exit code and what it printed.
func called(t *testing.T, args ...string) (code int, printed string) {
	t.Helper()
	root, out := rootCommand(), &bytes.Buffer{}
	root.SetArgs(args)
	root.SetOut(out)
	root.SetErr(out)
	code = execute(context.Background(), root)
	return code, out.String()
}

// traffic writes a file into a folder of the test.
func traffic(t *testing.T, name, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestSimulateCommand(t *testing.T) {
	good := traffic(t, "good.csv", "time,track,n,k\n1m,canary,500,0\n2m,canary,500,0\n10m,canary,500,0\n")
	bad := traffic(t, "bad.csv", "time,track,n,k\n1m,canary,100,0\n2m,canary,100,60\n")
	wrong := traffic(t, "wrong.csv", "time,track,n,k\n1m,canary,1,2\n")
	export := traffic(t, "export.json", `{"status":"success","data":{"resultType":"vector","result":[]}}`)
	for name, tt := range map[string]struct {
		args []string
		code int
		want string
	}{
		"rolled back": {[]string{bad}, terminal.ExitFailed, "outcome: rolled back after 2m0s"},
		"undecided":   {[]string{good}, terminal.ExitUnknown, "outcome: undecided"},
		"other limits": {[]string{bad, "--rollback-error-rate", "0.9", "--bake", "0s"}, terminal.ExitUnknown,
			"outcome: undecided"},
		"passed": {[]string{"--rate", "5", "--errors", "0", "--slow", "0", "--for", "2h", "--soak", "1h"},
			terminal.ExitDone, "outcome: passed after"},
		"many": {[]string{"--rate", "5", "--errors", "0.4", "--for", "10m", "--runs", "3"}, terminal.ExitDone,
			"rolled back  guard  3"},
		"without a guard": {[]string{"--rate", "5", "--errors", "0.4", "--for", "10m", "--guard=false"},
			terminal.ExitFailed, "bake"},
		"no traffic":         {nil, terminal.ExitUsage, "name a file, or generate traffic with --rate"},
		"both":               {[]string{good, "--rate", "1"}, terminal.ExitUsage, "pass them or files, not both"},
		"wrong line":         {[]string{wrong}, terminal.ExitUsage, "wrong.csv: line 2: k is 2"},
		"missing file":       {[]string{"/nowhere.csv"}, terminal.ExitUsage, "no such file"},
		"wrong export":       {[]string{export}, terminal.ExitUsage, `is a "vector", not a matrix`},
		"two CSV files":      {[]string{good, bad}, terminal.ExitUsage, "several files must be exports"},
		"impossible limits":  {[]string{good, "--error-rate", "0.5"}, terminal.ExitUsage, "rollback limit is 0.01"},
		"impossible traffic": {[]string{"--rate", "-1"}, terminal.ExitUsage, "canary: rate -1"},
		"too many runs":      {[]string{"--rate", "1", "--runs", "0"}, terminal.ExitUsage, "--runs 0"},
		"nothing to keep": {[]string{"--rate", "1", "--runs", "2", "--save", "x"}, terminal.ExitUsage,
			"omit --runs"},
		"unknown format":     {[]string{good, "-o", "yaml"}, terminal.ExitUsage, `output "yaml"`},
		"no project to open": {[]string{good, "-s", "production", "-C", "/"}, terminal.ExitUsage, "no Pulumi project"},
		"would not overwrite": {[]string{"--rate", "1", "--for", "1m", "--save", good}, terminal.ExitUsage,
			"name a file that does not exist"},
	} {
		t.Run(name, func(t *testing.T) {
			code, printed := called(t, append([]string{"simulate"}, tt.args...)...)
			if code != tt.code || !strings.Contains(printed, tt.want) {
				t.Errorf("exit code %d, want %d with %q:\n%s", code, tt.code, tt.want, printed)
			}
		})
	}
}

// Generated traffic can be saved and judged again with the same outcome; `-o json` prints it for programs.
func TestSimulatedTrafficIsKept(t *testing.T) {
	file := filepath.Join(t.TempDir(), "kept.csv")
	code, first := called(t, "simulate", "--rate", "2", "--errors", "0.001", "--turns", "1h", "--errors-then", "0.4",
		"--for", "2h", "--save", file, "-o", "json")
	if code != terminal.ExitFailed {
		t.Fatalf("exit code %d:\n%s", code, first)
	}
	_, second := called(t, "simulate", file, "-o", "json")
	if first != second {
		t.Error("another outcome the second time")
	}
	var result simulate.Result
	if err := json.Unmarshal([]byte(first), &result); err != nil || result.Outcome().Action != simulate.RolledBack {
		t.Errorf("%+v, %v", result, err)
	}
}

func TestCommandsThatLookRefuseBadInput(t *testing.T) {
	for name, tt := range map[string]struct {
		args []string
		want string
	}{
		"diagnose: window":       {[]string{"diagnose", "--window", "1s"}, "--window 1s: allowed are 30s to 6h"},
		"diagnose: path":         {[]string{"diagnose", "--health-path", "health"}, "paths that begin with /"},
		"diagnose: argument":     {[]string{"diagnose", "x"}, "takes no arguments"},
		"diagnose: no project":   {[]string{"diagnose", "-s", "production", "-C", "/"}, "no Pulumi project"},
		"report: two formats":    {[]string{"report", "--html", "-o", "json"}, "exclude each other"},
		"report: no project":     {[]string{"report", "-s", "production", "-C", "/"}, "no Pulumi project"},
		"preflight: format":      {[]string{"preflight", "-o", "xml"}, `output "xml": allowed are table, json`},
		"preflight: no project":  {[]string{"preflight", "-s", "production", "-C", "/"}, "no Pulumi project"},
		"preflight: no argument": {[]string{"preflight", "x"}, "takes no arguments"},
	} {
		t.Run(name, func(t *testing.T) {
			if code, printed := called(t, tt.args...); code != terminal.ExitUsage || !strings.Contains(printed, tt.want) {
				t.Errorf("exit code %d, want %q:\n%s", code, tt.want, printed)
			}
		})
	}
}

// A report is written to a new file, and over none that exists.
func TestWriteTo(t *testing.T) {
	path := filepath.Join(t.TempDir(), "report.md")
	output, err := terminal.NewOutput(terminal.FormatTable, &bytes.Buffer{})
	if err != nil {
		t.Fatal(err)
	}
	write := func(output *terminal.Output) error {
		return output.Print(nil, func(terminal.Style) string { return "hello" })
	}
	if err := writeTo(path, output, write); err != nil {
		t.Fatal(err)
	}
	if text, err := os.ReadFile(path); err != nil || string(text) != "hello\n" {
		t.Errorf("%q, %v", text, err)
	}
	if err := writeTo(path, output, write); terminal.ExitCode(err) != terminal.ExitUsage {
		t.Errorf("written over: %v", err)
	}
}
