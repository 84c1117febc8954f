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

// TestCommands operates a rollout with the rollout command alone, by its output and its exit codes.
func TestCommands(t *testing.T) {
	t.Parallel()
	c := open(t, "-cli", 30650)
	t.Cleanup(func() { c.destroyLeftovers(t) })
	c.up(t, "staging")
	sent := c.customers(t, 60)
	t.Cleanup(sent.end)
	c.up(t, "production")
	// The whole suite is run in staging; whether the stable track passes it on a busy machine is not what is tested here.
	c.livenessOnly(t)
	for _, part := range []struct {
		name string
		run  func(*testing.T, *cluster)
	}{
		{"status", commandStatus},
		{"refusals", commandRefusals},
		{"smoke and logs", commandSmoke},
		{"rehearse and attest", commandRehearse},
		{"advance", commandAdvance},
		{"interrupted", commandInterrupted},
		{"rollback by scale", commandScale},
		{"rollback by undo", commandUndo},
		{"rollback without Pulumi", commandWithoutPulumi},
		{"rollback by delete", commandDelete},
		{"finish", commandFinish},
	} {
		if !t.Run(part.name, func(t *testing.T) { part.run(t, c) }) {
			t.Fatal("the rest stands on this")
		}
	}
	sent.end()
	sent.expectAnswers(t)
}

// rollout runs the command and expects its exit code. What it gives is its outcome alone.
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

// expect runs the command and expects its output to hold each of the words.
func (c *cluster) expect(t *testing.T, code int, args []string, words ...string) {
	t.Helper()
	output := c.rollout(t, code, args...)
	for _, word := range words {
		if !strings.Contains(output, word) {
			t.Errorf("rollout %s does not say %q:\n%s", strings.Join(args, " "), word, tail(output))
		}
	}
}

// standing is what status tells, by JSON.
type standingOf struct {
	Phase, Order string
	Weight       struct{ Asked, Stands int }
	Tracks       []struct {
		Name                   string
		Exists                 bool
		Desired, Ready, Taking int
	}
	Latch *struct{ Seq int }
}

// expectStanding expects status to show the phase and the serving pods of both tracks.
func (c *cluster) expectStanding(t *testing.T, code int, phase string, stable, canary int) {
	t.Helper()
	var found standingOf
	eventually(t, "the phase is "+phase+", and the pods that leave are gone", func() bool {
		command := exec.CommandContext(t.Context(), filepath.Join(c.root, ".local", "bin", "rollout"), "status", "-s",
			"production", "-o", "json")
		command.Env = c.env
		output, _ := command.Output()
		if err := json.Unmarshal(output, &found); err != nil {
			t.Fatalf("status: %v\n%s", err, output)
		}
		return command.ProcessState.ExitCode() == code && found.Phase == phase && found.Tracks[0].Taking == stable &&
			found.Tracks[1].Taking == canary
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
	// A terminal that answers no question about its colours is asked none: the question would cost five seconds.
	if output, err := c.run(t, "script", "-qec", "env -u NO_COLOR -u CI TERM=xterm-256color "+filepath.Join(c.root,
		".local", "bin", "rollout")+" status -s staging", "/dev/null"); err != nil ||
		strings.Contains(output, "\x1b]11;?") || !strings.Contains(output, "\x1b[") {
		t.Errorf("on a terminal: %v\n%q", err, output)
	}
	c.config(t, "prometheus", "http://127.0.0.1:9")
	c.expect(t, terminal.ExitUnknown, []string{"status", "-s", "production"}, "not read: alerts", "127.0.0.1:9", "9 of 9")
	c.config(t, "prometheus", "monitoring/prometheus-operated:9090")
}

// commandRefusals are refused before anything changes.
func commandRefusals(t *testing.T, c *cluster) {
	before, mark := c.generations(t), c.mark(t)
	for _, tt := range []struct {
		code int
		args []string
		want string
	}{
		{terminal.ExitUsage, []string{"status", "-s", "prod"}, "it has production, staging"},
		{terminal.ExitUsage, []string{"rollback", "-s", "production", "--release", "v9"}, "there are week1"},
		{terminal.ExitUsage, []string{"rollback", "-s", "production", "--option", "undo", "--to-revision", "7"},
			"no revision 7"},
		{terminal.ExitUsage, []string{"rollback", "-s", "production"}, "pass --yes"},
		{terminal.ExitUsage, []string{"rollback", "-s", "staging"}, "one track and no canary"},
		{terminal.ExitUsage, []string{"unlatch", "-s", "production", "--reason", "x", "--yes"}, "no latch"},
		{terminal.ExitUsage, []string{"finish", "-s", "production", "--yes"}, "from 100 %"},
		{terminal.ExitUsage, []string{"advance", "-s", "production", "--to", "33", "--yes"}, "30 % (3 of 10)"},
		{terminal.ExitFailed, []string{"advance", "-s", "production", "--to", "60", "--yes"}, "up to 30 %"},
		{terminal.ExitUsage, []string{"evidence", "get", "nothing", "-s", "production"}, "nothing was kept"},
	} {
		c.expect(t, tt.code, tt.args, tt.want)
	}
	c.config(t, "soak.duration", "1h")
	c.expect(t, terminal.ExitUnknown, []string{"advance", "-s", "production", "--yes"}, "soak too short", "of 1 h 0 min")
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
	if found := c.noted(t, mark, moves...); len(found) > 0 {
		t.Errorf("noted without need: %v", found)
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
	if rehearsal, found := history.Rehearsal(); !found || rehearsal.Verdict != "pass" || rehearsal.Stack != "staging" {
		t.Errorf("the ledger holds the rehearsal %+v", rehearsal)
	}
	if audit, found := history.Attestation("security-audit"); !found || audit.Link != "audit-7" || audit.Until == nil {
		t.Errorf("the ledger holds the attestation %+v", audit)
	}
	if output, err := c.run(t, "kubectl", "get", "deployments", "-n", c.staging, "-o", "name"); err != nil ||
		strings.Contains(output, "drill") {
		t.Errorf("the drill left something behind: %v\n%s", err, output)
	}
}

// commandAdvance goes on to 30 % as soon as the soak lets it. On a busy machine the evidence may turn between the
// command's look and the hook's: then the update is refused, and nothing is changed.
func commandAdvance(t *testing.T, c *cluster) {
	for deadline := time.Now().Add(4 * time.Minute); ; time.Sleep(3 * time.Second) {
		output, err := c.run(t, filepath.Join(c.root, ".local", "bin", "rollout"), "advance", "-s", "production", "--yes")
		if err == nil {
			break
		}
		exit, ok := errors.AsType[*exec.ExitError](err)
		refused := ok && (exit.ExitCode() == terminal.ExitUnknown ||
			strings.Contains(output, "nothing was moved, and the configuration is as before"))
		if !refused || time.Now().After(deadline) {
			t.Fatalf("rollout advance: %v\n%s", err, tail(output))
		}
	}
	c.expectTracks(t, 7, 3)
	c.expectStanding(t, terminal.ExitDone, "soaking", 7, 3)
}

// rollBack rolls back and expects the canary's endpoints to be gone, the state settled in that phase and the report
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

// bringBack releases the latch and gives the canary its first requests again.
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

// commandUndo gives the canary another image and goes back to the one before.
func commandUndo(t *testing.T, c *cluster) {
	before := c.committedImage(t)
	stable, err := c.pulumi(t, "config", "get", "stableImage", "--stack", "production")
	if err != nil {
		t.Fatalf("%v\n%s", err, stable)
	}
	c.config(t, "canary.env.LEFTOVER", "1")
	c.up(t, "production")
	c.dropCanaryConfig(t)
	c.config(t, "staging.required", "false")
	c.config(t, "image", strings.TrimSpace(stable))
	c.up(t, "production")
	// The image that it went back to is not latched, and waits for an advance.
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

// commandWithoutPulumi takes the canary out where the stack cannot be decrypted, says what is left, and settles when
// it is asked again.
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
