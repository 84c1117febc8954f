package cli

import (
	"bytes"
	"context"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/spf13/cobra"

	"github.com/vextrus/finance-rollout/internal/terminal"
)

func TestExitCodes(t *testing.T) {
	tests := []struct {
		name string
		args []string
		code int
		want string // in what is printed
	}{
		{"help", []string{"--help"}, terminal.ExitDone, "rollout [command]"},
		{"nothing", nil, terminal.ExitDone, "rollout [command]"},
		{"unknown command", []string{"grd"}, terminal.ExitUsage, "unknown command"},
		{"unknown flag", []string{"guard", "--nope"}, terminal.ExitUsage, "--nope"},
		{"argument too many", []string{"guard", "x"}, terminal.ExitUsage, "takes no arguments"},
		{"no namespace", []string{"guard", "--identity", "one"}, terminal.ExitUsage, "set --namespace"},
		{"no cluster", []string{"guard", "--identity", "one", "--namespace", "shop", "--kubeconfig", "/nowhere"},
			terminal.ExitFailed, "/nowhere"},
		{"unknown stack", []string{"status", "-s", "prod"}, terminal.ExitUsage, "it has production, staging"},
		{"no project", []string{"status", "-s", "production", "-C", "/"}, terminal.ExitUsage, "no Pulumi project"},
		{"unknown output", []string{"status", "-s", "production", "-o", "yaml"}, terminal.ExitUsage, "table, json"},
		{"too quick", []string{"status", "--interval", "1ms"}, terminal.ExitUsage, "at least"},
		{"unlatch without a reason", []string{"unlatch", "-s", "production", "--reason", " "}, terminal.ExitUsage,
			"only released with a reason"},
		{"unlatch by its old name", []string{"resume", "-s", "production", "--reason", " "}, terminal.ExitUsage,
			"only released with a reason"},
		{"attest without a reference", []string{"attest", "security-audit"}, terminal.ExitUsage, "--ref"},
		{"attest until yesterday", []string{"attest", "security-audit", "--ref", "x", "--until", "2020-01-01"},
			terminal.ExitUsage, "not in the future"},
		{"attest with a wrong name", []string{"attest", "Security Audit", "--ref", "x"}, terminal.ExitUsage,
			"lower-case letters"},
		{"attest nothing", []string{"attest", "--ref", "x"}, terminal.ExitUsage, "name of the attestation is missing"},
		{"two stacks", []string{"smoke", "staging", "-s", "production"}, terminal.ExitUsage, "two stacks"},
		{"unknown track", []string{"smoke", "staging", "--track", "blue"}, terminal.ExitUsage, "canary, stable"},
		{"logs of what is over and goes on", []string{"logs", "-f", "-p"}, terminal.ExitUsage, "exclude each other"},
		{"evidence of two names", []string{"evidence", "get", "a", "b"}, terminal.ExitUsage, "takes one name"},
		{"a watch of less than nothing", []string{"rollback", "--watch", "-1s"}, terminal.ExitUsage, "durations from 0"},
		{"help of the guard", []string{"guard", "--help"}, terminal.ExitDone, "--dry-run"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Setenv("PULUMI_OPTION_CWD", filepath.Join("..", ".."))
			root, printed := rootCommand(), &bytes.Buffer{}
			root.SetArgs(tt.args)
			root.SetOut(printed)
			root.SetErr(printed)
			if code := execute(context.Background(), root); code != tt.code || !strings.Contains(printed.String(), tt.want) {
				t.Errorf("exit code %d, want %d:\n%s", code, tt.code, printed)
			}
		})
	}
}

// TestEveryCommandExplainsItself: a short and a long help, an example, and no two flags of one letter.
func TestEveryCommandExplainsItself(t *testing.T) {
	var walk func(cmd *cobra.Command)
	walk = func(cmd *cobra.Command) {
		for _, below := range cmd.Commands() {
			walk(below)
		}
		if cmd.HasSubCommands() || cmd.Name() == "help" || cmd.Parent() != nil && cmd.Parent().Name() == "completion" {
			return
		}
		if cmd.Short == "" || cmd.Example == "" {
			t.Errorf("%s has no help or no example", cmd.CommandPath())
		}
	}
	walk(rootCommand())
}

func TestCompletion(t *testing.T) {
	t.Setenv("PULUMI_OPTION_CWD", filepath.Join("..", ".."))
	for want, args := range map[string][]string{
		"production\nstaging\n":           {"status", "--stack", ""},
		"table\njson\n":                   {"status", "--output", ""},
		"scale\ndelete\nundo\n":           {"rollback", "--option", ""},
		"production\nstaging\n:4":         {"smoke", ""},
		"security-audit\ndatabase-backup": {"attest", ""},
	} {
		root, printed := rootCommand(), &bytes.Buffer{}
		root.SetArgs(append([]string{cobra.ShellCompNoDescRequestCmd}, args...))
		root.SetOut(printed)
		root.SetErr(&bytes.Buffer{})
		if err := root.Execute(); err != nil || !strings.HasPrefix(printed.String(), want) {
			t.Errorf("%q completes to %q: %v", args, printed, err)
		}
	}
}

func TestParseUntil(t *testing.T) {
	now := time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC)
	for text, want := range map[string]string{"7d": "2026-03-09T09:00:00Z", "12h": "2026-03-02T21:00:00Z",
		"2026-04-01": "2026-04-01T00:00:00Z", "2026-04-01T12:00:00+02:00": "2026-04-01T10:00:00Z"} {
		if end, err := parseUntil(text, now); err != nil || end.Format(time.RFC3339) != want {
			t.Errorf("%s ends at %s: %v", text, end, err)
		}
	}
	if _, err := parseUntil("soon", now); err == nil || !strings.Contains(err.Error(), "7d") {
		t.Errorf("soon: %v", err)
	}
}
