//go:build e2e

package e2e

import (
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/vextrus/finance-rollout/internal/ledger"
	"github.com/vextrus/finance-rollout/internal/terminal"
)

// TestCommands operates a whole rollout with the rollout command and checks its output and exit codes.
func TestCommands(t *testing.T) {
	takeTurn(t, 0)
	c := open(t, "cli", 30650)
	// An interrupted update waits that long for a track that no longer grows.
	c.config(t, "progressTimeout", "2m")
	c.up(t, "staging")
	sent := c.customers(t, 60)
	t.Cleanup(sent.end)
	c.up(t, "production")
	// Staging runs the full suite. This test does not depend on the stable track passing it on a busy machine.
	c.livenessOnly(t)
	inOrder(t, c, []part[*cluster]{
		{"status", commandStatus, true},
		{"refusals", commandRefusals, true},
		{"smoke and logs", commandSmoke, true},
		{"rehearse and attest", commandRehearse, true},
		{"advance", commandAdvance, true},
		{"interrupted", commandInterrupted, true},
		{"rollback by scale", commandScale, true},
		{"rollback by undo", commandUndo, true},
		{"rollback without Pulumi", commandWithoutPulumi, true},
		{"rollback by delete", commandDelete, true},
		{"finish", commandFinish, true},
	})
	sent.end()
	sent.expectAnswers(t)
}

// rollout runs the command, requires the exit code and returns everything that the command printed.
func (c *cluster) rollout(t *testing.T, code int, args ...string) string {
	t.Helper()
	command := exec.CommandContext(t.Context(), filepath.Join(c.root, ".local", "bin", "rollout"), args...)
	command.Dir, command.Env = t.TempDir(), c.env
	var progress strings.Builder
	command.Stderr = &progress
	output, err := command.Output()
	c.logged.Write(output)
	c.logged.WriteString(progress.String())
	if got := command.ProcessState.ExitCode(); got != code {
		t.Fatalf("rollout %s ends with %d, want %d: %v\n%s%s", strings.Join(args, " "), got, code, err, output,
			tail(progress.String()))
	}
	return string(output) + progress.String()
}

// expect runs the command, requires the exit code and checks that the output contains each of the words.
func (c *cluster) expect(t *testing.T, code int, args []string, words ...string) {
	t.Helper()
	output := c.rollout(t, code, args...)
	for _, word := range words {
		if !strings.Contains(output, word) {
			t.Errorf("rollout %s does not say %q:\n%s", strings.Join(args, " "), word, tail(output))
		}
	}
}

// standing is the output of status as JSON.
type standing struct {
	Phase, Order string
	Weight       struct{ Asked, Stands int }
	Tracks       []struct {
		Name                   string
		Exists                 bool
		Desired, Ready, Taking int
	}
	Latch *struct{ Seq int }
}

// standing asks for the status, and gives its exit code too.
func (c *cluster) standing(t *testing.T) (shown standing, code int) {
	t.Helper()
	command := exec.CommandContext(t.Context(), filepath.Join(c.root, ".local", "bin", "rollout"), "status", "-s",
		"production", "-o", "json")
	command.Env = c.env
	output, _ := command.Output() // the exit code says more than the error
	if err := json.Unmarshal(output, &shown); err != nil {
		t.Fatalf("status: %v\n%s", err, output)
	}
	return shown, command.ProcessState.ExitCode()
}

// expectStanding expects status to show the phase and the serving pods of both tracks.
func (c *cluster) expectStanding(t *testing.T, code int, phase string, stable, canary int) {
	t.Helper()
	eventually(t, "the phase is "+phase+", and the pods that leave are gone", func() bool {
		shown, got := c.standing(t)
		return got == code && shown.Phase == phase && shown.Tracks[0].Taking == stable && shown.Tracks[1].Taking == canary
	})
}

func commandStatus(t *testing.T, c *cluster) {
	eventually(t, "the soak has evidence", func() bool {
		output, err := c.run(t, filepath.Join(c.root, ".local", "bin", "rollout"), "status", "-s", "production")
		return err == nil && strings.Contains(output, "P95 latency")
	})
	c.expect(t, terminal.ExitDone, []string{"status", "-s", "production"}, "SOAKING", "week1 soaks at 10 %", "9 of 9",
		"1 of 1", "error rate", "shift-reached")
	c.expectStanding(t, terminal.ExitDone, "soaking", 9, 1)
	c.expect(t, terminal.ExitDone, []string{"status", "-s", "staging"}, "SINGLE TRACK", "2 of 2")
	// status must not query the terminal's colours: on a terminal that does not answer, the query costs five seconds.
	if output, err := c.run(t, "script", "-qec", "env -u NO_COLOR -u CI TERM=xterm-256color "+filepath.Join(c.root,
		".local", "bin", "rollout")+" status -s staging", "/dev/null"); err != nil ||
		strings.Contains(output, "\x1b]11;?") || !strings.Contains(output, "\x1b[") {
		t.Errorf("on a terminal: %v\n%q", err, output)
	}
	c.config(t, "prometheus", "http://127.0.0.1:9")
	c.expect(t, terminal.ExitUnknown, []string{"status", "-s", "production"}, "not read: alerts", "127.0.0.1:9", "9 of 9")
	c.config(t, "prometheus", "monitoring/prometheus-operated:9090")
}

// commandRefusals checks commands that must be refused before anything changes.
func commandRefusals(t *testing.T, c *cluster) {
	before, mark := c.generations(t), c.mark(t)
	for _, tt := range []struct {
		code int
		args []string
		want string
	}{
		{terminal.ExitUsage, []string{"status", "-s", "prod"}, "it has production, staging"},
		{terminal.ExitUsage, []string{"rollback", "-s", "production", "--release", "v9"}, "the releases are week1"},
		{terminal.ExitUsage, []string{"rollback", "-s", "production", "--option", "undo", "--to-revision", "7"},
			"no revision 7"},
		{terminal.ExitUsage, []string{"rollback", "-s", "production"}, "pass --yes"},
		{terminal.ExitUsage, []string{"rollback", "-s", "staging"}, "has one track"},
		{terminal.ExitUsage, []string{"unlatch", "-s", "production", "--reason", "x", "--yes"}, "no latch"},
		{terminal.ExitUsage, []string{"finish", "-s", "production", "--yes"}, "a finish needs 100 %"},
		{terminal.ExitUsage, []string{"advance", "-s", "production", "--to", "33", "--yes"}, "30 % (3 of 10)"},
		{terminal.ExitFailed, []string{"advance", "-s", "production", "--to", "60", "--yes"}, "up to 30 %"},
		{terminal.ExitUsage, []string{"evidence", "get", "nothing", "-s", "production"}, "no evidence"},
	} {
		c.expect(t, tt.code, tt.args, tt.want)
	}
	c.config(t, "soak.duration", "1h")
	c.expect(t, terminal.ExitUnknown, []string{"advance", "-s", "production", "--yes"}, "soak too short", "of 1 h ")
	c.config(t, "soak.duration", "20s")
	t.Run("another cluster", func(t *testing.T) {
		c.config(t, "kubeContext", "elsewhere")
		c.expect(t, terminal.ExitFailed, []string{"status", "-s", "production"}, "elsewhere", "finance-rollout-local")
		c.config(t, "kubeContext", "finance-rollout-local")
		c.config(t, "namespace", "monitoring")
		c.expect(t, terminal.ExitFailed, []string{"rollback", "-s", "production", "--yes"}, "belongs to no stack")
		c.config(t, "namespace", c.production)
	})
	if diff := cmp.Diff(before, c.generations(t)); diff != "" {
		t.Errorf("something was changed (-before +after):\n%s", diff)
	}
	moves := []ledger.Kind{ledger.ShiftBegun, ledger.ShiftReached, ledger.RollbackBegun, ledger.LatchReleased}
	if ok := c.noted(t, mark, moves...); len(ok) > 0 {
		t.Errorf("refused commands left ledger entries: %v", ok)
	}
}

func commandSmoke(t *testing.T, c *cluster) {
	c.expect(t, terminal.ExitDone, []string{"smoke", "staging"}, "Total Tests: 12", "Failed: 0", "2 pods")
	c.expect(t, terminal.ExitDone, []string{"logs", "-s", "production", "--tail", "5"}, "finance-service-week1-")
}

func commandRehearse(t *testing.T, c *cluster) {
	c.expect(t, terminal.ExitDone, []string{"rehearse", "-s", "production", "--yes"}, "no endpoint is left",
		"was out of traffic after")
	c.expect(t, terminal.ExitDone, []string{"attest", "security-audit", "-s", "production", "--ref", "audit-7", "--until",
		"30d"}, "attested security-audit")
	history := c.history(t)
	if rehearsal, ok := history.Rehearsal(); !ok || rehearsal.Verdict != "pass" || rehearsal.Stack != "staging" {
		t.Errorf("the ledger holds the rehearsal %+v", rehearsal)
	}
	if audit, ok := history.Attestation("security-audit"); !ok || audit.Link != "audit-7" || audit.Until == nil {
		t.Errorf("the ledger holds the attestation %+v", audit)
	}
	if output, err := c.run(t, "kubectl", "get", "deployments", "-n", c.staging, "-o", "name"); err != nil ||
		strings.Contains(output, "drill") {
		t.Errorf("the drill left Deployments behind: %v\n%s", err, output)
	}
}

// commandAdvance advances to 30 % as soon as the soak allows it. On a busy machine the evidence can change between the
// command's check and the hook's; the hook then refuses the update and nothing changes.
func commandAdvance(t *testing.T, c *cluster) {
	c.awaitSoak(t)
	for deadline := time.Now().Add(6 * time.Minute); ; time.Sleep(8 * time.Second) {
		output, err := c.run(t, filepath.Join(c.root, ".local", "bin", "rollout"), "advance", "-s", "production", "--yes")
		if err == nil {
			break
		}
		exit, ok := errors.AsType[*exec.ExitError](err)
		refused := ok && (exit.ExitCode() == terminal.ExitUnknown ||
			strings.Contains(output, "nothing was moved, and the configuration is restored"))
		if !refused || time.Now().After(deadline) {
			t.Fatalf("rollout advance: %v\n%s", err, tail(output))
		}
	}
	c.expectTracks(t, 7, 3)
	c.expectStanding(t, terminal.ExitDone, "soaking", 7, 3)
}

// rollBack rolls back and checks that the canary has no endpoints, the rollout settles in the phase and the report is
// written.
func (c *cluster) rollBack(t *testing.T, phase string, args ...string) {
	t.Helper()
	report := filepath.Join(t.TempDir(), "report.md")
	args = append([]string{"rollback", "-s", "production", "--yes", "--watch", "0s", "--reason", "the test wants it",
		"--report", report}, args...)
	c.expect(t, terminal.ExitDone, args, "no endpoint is left", "is out of traffic after", "nothing is left to do")
	c.expectStanding(t, terminal.ExitDone, phase, 10, 0)
	if output, err := c.pulumi(t, "preview", "--stack", "production", "--refresh", "--expect-no-changes"); err != nil {
		t.Errorf("the stack is at another position: %v\n%s", err, tail(output))
	}
	document, err := os.ReadFile(report)
	if err != nil || !strings.Contains(string(document), "the test wants it") ||
		!strings.Contains(string(document), "Smoke suite on the stable track: pass") {
		t.Errorf("the report: %v\n%s", err, document)
	}
}

// bringBack releases the latch and returns the canary to 10 %.
func (c *cluster) bringBack(t *testing.T) {
	t.Helper()
	c.expect(t, terminal.ExitDone, []string{"unlatch", "-s", "production", "--reason", "the test goes on", "--yes"},
		"is released")
	c.expect(t, terminal.ExitDone, []string{"advance", "-s", "production", "--to", "10", "--yes"}, "passed its gate",
		"its soak begins")
	c.expectTracks(t, 9, 1)
}

func commandScale(t *testing.T, c *cluster) {
	mark := c.mark(t)
	c.rollBack(t, "rolled back")
	c.expectTracks(t, 10, 0)
	c.expectRollback(t, mark, "the test wants it")
	c.expectEvidence(t, "the test wants it")
	c.expect(t, terminal.ExitDone, []string{"evidence", "get", "-s", "production"}, "the test wants it",
		"finance-service-week1-")
	c.expect(t, terminal.ExitFailed, []string{"advance", "-s", "production", "--to", "10", "--yes"}, "latched",
		"the test wants it")
	c.expect(t, terminal.ExitDone, []string{"rollback", "-s", "production", "--yes"}, "nothing to roll back")
	c.bringBack(t)
}

// commandUndo gives the canary a second image and rolls back to the first.
func commandUndo(t *testing.T, c *cluster) {
	before := c.committedImage(t)
	stable := c.configured(t, "production", "stableImage")
	c.config(t, "canary.env.LEFTOVER", "1")
	c.up(t, "production")
	c.dropCanaryConfig(t)
	c.config(t, "staging.required", "false")
	c.config(t, "image", stable)
	c.up(t, "production")
	// The restored image is not latched; it waits for an advance.
	c.rollBack(t, "idle", "--option", "undo")
	if output, err := c.run(t, "kubectl", "get", "deployment", "finance-service-week1", "-n", c.production, "-o",
		"yaml"); err != nil ||
		strings.Contains(output, "LEFTOVER") || !strings.Contains(output, "image: "+before) {
		t.Errorf("the undo left a variable of the older revision behind, or another image: %v\n%s", err, tail(output))
	}
	if after := c.committedImage(t); after != before {
		t.Errorf("the configuration has %s, before it was %s", after, before)
	}
	c.expect(t, terminal.ExitDone, []string{"advance", "-s", "production", "--to", "10", "--yes"}, "passed its gate")
	c.expectTracks(t, 9, 1)
}

// commandWithoutPulumi rolls back a stack that cannot be decrypted: the canary leaves traffic and the report lists the
// remaining steps. A second rollback completes them.
func commandWithoutPulumi(t *testing.T, c *cluster) {
	env := c.env
	c.env = append(slices.Clone(env), "PULUMI_CONFIG_PASSPHRASE=wrong")
	c.expect(t, terminal.ExitFailed, []string{"rollback", "-s", "production", "--yes", "--watch", "0s", "--report", "-"},
		"no endpoint is left", "is out of traffic after", "left to do", "pulumi up --refresh -s production")
	c.env = env
	c.expectTracks(t, 10, 0)
	c.expectStanding(t, terminal.ExitFailed, "rolled back", 10, 0)
	c.expect(t, terminal.ExitDone, []string{"rollback", "-s", "production", "--yes", "--watch", "0s", "--report", "-"},
		"nothing is left to do")
	c.expectStanding(t, terminal.ExitDone, "rolled back", 10, 0)
	c.bringBack(t)
}

func commandDelete(t *testing.T, c *cluster) {
	c.rollBack(t, "rolled back", "--option", "delete")
	if output, err := c.run(t, "kubectl", "get", "deployments", "-n", c.production, "-o", "name"); err != nil ||
		strings.Contains(output, "week1") {
		t.Errorf("the canary's Deployment is still there: %v\n%s", err, output)
	}
	if image := c.committedImage(t); image != "" {
		t.Errorf("the configuration still names %s", image)
	}
}
