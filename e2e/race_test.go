//go:build e2e

package e2e

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/vextrus/finance-rollout/internal/ledger"
)

// TestInterrupted runs updates at once, kills one halfway, and tries to bring back a rolled-back image.
func TestInterrupted(t *testing.T) {
	takeTurn(t, 5)
	atTen(t, open(t, "races", 30880), []part[*cluster]{
		{name: "locked stack", run: lockedStack},
		{name: "two states", run: twoStates},
		{name: "killed", run: killed},
		{name: "rolled back and refreshed", run: rolledBackAndRefreshed},
	})
}

// started is a running command.
type started struct {
	command *exec.Cmd
	output  bytes.Buffer
}

// start starts an update of the production stack.
func (c *cluster) start(t *testing.T) *started {
	t.Helper()
	return c.begin(t, "pulumi", "--color", "never", "--non-interactive", "up", "--stack", "production", "--yes",
		"--skip-preview")
}

// begin starts a command without waiting for its end.
func (c *cluster) begin(t *testing.T, name string, args ...string) *started {
	t.Helper()
	s := &started{command: exec.CommandContext(t.Context(), name, args...)}
	s.command.Dir, s.command.Env = c.root, c.env
	s.command.Stdout, s.command.Stderr = &s.output, &s.output
	if err := s.command.Start(); err != nil {
		t.Fatal(err)
	}
	return s
}

// wait waits for a command's end and returns everything that it printed.
func (c *cluster) wait(s *started) (string, error) {
	err := s.command.Wait()
	c.logged.Write(s.output.Bytes())
	return s.output.String(), err
}

// kill kills the update and its descendants, as a power cut does.
func (s *started) kill(t *testing.T) {
	t.Helper()
	pids := append([]int{s.command.Process.Pid}, descendants(t, s.command.Process.Pid)...)
	for _, pid := range pids {
		if err := syscall.Kill(pid, syscall.SIGKILL); err != nil && err != syscall.ESRCH {
			t.Fatal(err)
		}
	}
	_ = s.command.Wait() // it was killed
}

// descendants returns the processes below parent.
func descendants(t *testing.T, parent int) []int {
	t.Helper()
	var processes []int
	lists, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/children", parent))
	if err != nil {
		t.Fatal(err)
	}
	for _, list := range lists {
		content, err := os.ReadFile(list)
		if err != nil {
			continue // the thread is gone
		}
		for _, word := range strings.Fields(string(content)) {
			pid, err := strconv.Atoi(word)
			if err != nil {
				t.Fatal(err)
			}
			processes = append(append(processes, pid), descendants(t, pid)...)
		}
	}
	return processes
}

// emergency configures a weight that needs no evidence, since these tests are not about evidence.
func (c *cluster) emergency(t *testing.T, weight string) {
	t.Helper()
	c.config(t, "override.weight", weight)
	c.config(t, "override.reason", "the test does not wait for evidence")
	c.config(t, "canaryWeight", weight)
}

// settle returns to 10 % from any state of the cluster.
func (c *cluster) settle(t *testing.T) {
	t.Helper()
	c.unset(t, "override")
	c.config(t, "canaryWeight", "10")
	if output, err := c.pulumi(t, "up", "--stack", "production", "--yes", "--skip-preview", "--refresh"); err != nil {
		t.Fatalf("pulumi up --refresh -s production: %v\n%s", err, tail(output))
	}
	c.expectTracks(t, 9, 1)
}

// expectShift checks that since a mark exactly one shift to the weight has begun and been reached.
func (c *cluster) expectShift(t *testing.T, mark, weight int) {
	t.Helper()
	moves := c.noted(t, mark, ledger.ShiftBegun, ledger.ShiftReached)
	if len(moves) != 2 || moves[0].Kind != ledger.ShiftBegun || moves[1].Kind != ledger.ShiftReached ||
		moves[0].To != weight || moves[1].To != weight {
		t.Errorf("the shift to %d %% is not noted once as begun and once as reached:\n%s", weight, c.history(t))
	}
}

// lockedStack starts two updates of the same stack: the second reports the lock, the first completes.
func lockedStack(t *testing.T, c *cluster) {
	mark := c.mark(t)
	sent := c.customers(t, 50)
	whole := c.watchCapacity(t)
	c.emergency(t, "30")
	first := c.start(t)
	eventually(t, "the first update has its lock", func() bool {
		locks, _ := filepath.Glob(filepath.Join(c.dir, "state", ".pulumi", "locks", "*", "*", "*", "*"))
		return len(locks) > 0
	})
	c.refused(t, "the stack is currently locked")
	if output, err := c.wait(first); err != nil {
		t.Errorf("the first update: %v\n%s", err, tail(output))
	}
	c.expectTracks(t, 7, 3)
	c.expectShift(t, mark, 30)
	whole()
	c.settle(t)
	sent.end()
	sent.expectAnswers(t)
}

// secondOperator returns an operator with a copy of the state, so that Pulumi's lock does not keep the two apart.
func (c *cluster) secondOperator(t *testing.T) *cluster {
	t.Helper()
	dir := c.dir + "-second"
	if err := os.RemoveAll(dir); err != nil {
		t.Fatal(err)
	}
	if err := os.CopyFS(dir, os.DirFS(c.dir)); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	second := &cluster{root: c.root, dir: dir, kubernetes: c.kubernetes, nodePort: c.nodePort, staging: c.staging,
		production: c.production}
	second.env = append(os.Environ(), "PULUMI_OPTION_CWD="+dir, "PULUMI_BACKEND_URL=file://"+filepath.Join(dir, "state"),
		"ROLLOUT_USER=second")
	return second
}

// twoStates lets two operators update at once. If both want the same weight, the ledger records one shift. If one goes
// up and the second down, the way down wins.
func twoStates(t *testing.T, c *cluster) {
	sent := c.customers(t, 50)
	whole := c.watchCapacity(t)
	t.Run("the same", func(t *testing.T) {
		mark := c.mark(t)
		c.emergency(t, "30")
		second := c.secondOperator(t)
		one, two := c.start(t), second.start(t)
		outputOne, errOne := c.wait(one)
		outputTwo, errTwo := second.wait(two)
		if errOne != nil || errTwo != nil {
			t.Errorf("one: %v\n%s\nthe second: %v\n%s", errOne, tail(outputOne), errTwo, tail(outputTwo))
		}
		c.expectTracks(t, 7, 3)
		c.expectShift(t, mark, 30)
	})
	t.Run("up and down", func(t *testing.T) {
		mark := c.mark(t)
		second := c.secondOperator(t)
		c.emergency(t, "60")
		second.config(t, "canaryWeight", "0")
		up := c.start(t)
		eventually(t, "the way up is begun", func() bool { return len(c.noted(t, mark, ledger.ShiftBegun)) > 0 })
		down := second.up(t, "production")
		if !strings.Contains(down, "passed its gate") {
			t.Errorf("the way down: %s", tail(down))
		}
		output, err := c.wait(up)
		if err == nil || !strings.Contains(output, "moved on by second") {
			t.Errorf("the way up is not stopped: %v\n%s", err, tail(output))
		}
		c.expectTracks(t, 10, 0)
		c.expectEndpoints(t, 10, 0)
		moves := c.noted(t, mark, ledger.ShiftBegun, ledger.ShiftReached)
		if len(moves) != 3 || moves[0].To != 60 || moves[1].To != 0 || moves[2].To != 0 ||
			moves[2].Kind != ledger.ShiftReached || moves[2].Who != "second" {
			t.Errorf("the ledger:\n%s", c.history(t))
		}
	})
	whole()
	c.settle(t)
	sent.end()
	sent.expectAnswers(t)
}

// killed kills an update in the middle of its shift, as a power cut does: the next update completes the shift.
func killed(t *testing.T, c *cluster) {
	mark := c.mark(t)
	sent := c.customers(t, 50)
	whole := c.watchCapacity(t)
	c.emergency(t, "30")
	first := c.start(t)
	eventually(t, "the canary grows", func() bool {
		canary, err := c.kubernetes.AppsV1().Deployments(c.production).Get(t.Context(), "finance-service-week1",
			metav1.GetOptions{})
		return err == nil && *canary.Spec.Replicas == 3
	})
	first.kill(t)
	if reached := c.noted(t, mark, ledger.ShiftReached); len(reached) > 0 {
		t.Fatalf("the update was through before it was killed:\n%s", c.history(t))
	}
	c.refused(t, "the stack is currently locked", "pulumi cancel")
	if output, err := c.pulumi(t, "cancel", "--stack", "production", "--yes"); err != nil {
		t.Fatalf("pulumi cancel: %v\n%s", err, output)
	}
	c.up(t, "production")
	c.expectTracks(t, 7, 3)
	c.expectEndpoints(t, 7, 3)
	c.expectShift(t, mark, 30)
	whole()
	c.settle(t)
	sent.end()
	sent.expectAnswers(t)
}

// rolledBackAndRefreshed tries every way to bring a rolled-back image back, and then deploys a fixed one.
func rolledBackAndRefreshed(t *testing.T, c *cluster) {
	mark := c.mark(t)
	sent := c.customers(t, 50)
	bad := c.committedImage(t)
	c.config(t, "canary.env.FAULTS", "csrf")
	c.refused(t, "csrf", "rolled back")
	c.dropCanaryConfig(t)
	for _, args := range [][]string{{"up"}, {"refresh"}, {"up"}, {"up", "--refresh"}} {
		output, err := c.pulumi(t, append(args, "--stack", "production", "--yes", "--skip-preview")...)
		if args[0] == "up" && (err == nil || !strings.Contains(output, "was rolled back")) || args[0] == "refresh" &&
			err != nil {
			t.Errorf("pulumi %s: %v\n%s", strings.Join(args, " "), err, tail(output))
		}
		c.expectEndpoints(t, 10, 0)
	}
	c.expectTracks(t, 10, 0)
	// Another configuration is another release, which enters and is rolled back.
	entries := c.expectNoted(t, mark, ledger.StagingVerified, ledger.ShiftBegun, ledger.RollbackBegun, ledger.RolledBack)
	if len(entries) == 4 && !strings.Contains(entries[2].Reason, "csrf") {
		t.Errorf("the rollback is noted as %q", entries[2].Reason)
	}

	good := c.push(t, "v3")
	c.configOf(t, "staging", "image", good)
	c.up(t, "staging")
	mark = c.mark(t)
	c.config(t, "image", good)
	c.up(t, "production")
	c.expectTracks(t, 9, 1)
	c.expectEndpoints(t, 9, 1)
	_, digest, _ := strings.Cut(good, "@")
	for _, entry := range c.expectNoted(t, mark, ledger.StagingVerified, ledger.ShiftBegun, ledger.ShiftReached) {
		if entry.Image != digest {
			t.Errorf("entry %d is about %s", entry.Seq, entry.Image)
		}
	}
	c.config(t, "image", bad)
	output, err := c.pulumi(t, "preview", "--stack", "production")
	if err == nil || !strings.Contains(output, "was rolled back") {
		t.Errorf("the preview of the rolled-back image: %v\n%s", err, tail(output))
	}
	c.refused(t, "was rolled back")
	c.config(t, "image", good)
	c.up(t, "production")
	c.expectTracks(t, 9, 1)
	sent.end()
	sent.expectAnswers(t)
}

// push builds a version of the example service, pushes it and returns its reference by digest.
func (c *cluster) push(t *testing.T, version string) string {
	t.Helper()
	binary := filepath.Join(c.dir, "finance-service-"+version)
	if output, err := c.run(t, "go", "build", "-buildvcs=false", "-ldflags", "-s -w -X main.version="+version, "-o",
		binary, "./examples/finance-service"); err != nil {
		t.Fatalf("%v\n%s", err, output)
	}
	reference, err := c.run(t, filepath.Join(c.root, ".local", "bin", "local"), "push", "--root", c.root,
		"--binary", binary, "--entrypoint", "/bin/finance-service", "--name", "vextrus/finance", "--tag", version)
	if err != nil {
		t.Fatalf("%v\n%s", err, reference)
	}
	return strings.TrimSpace(reference)
}
