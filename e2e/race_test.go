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

// TestInterrupted lets updates meet, die, and come back to what was rolled back.
func TestInterrupted(t *testing.T) {
	t.Parallel()
	atTen(t, "-races", 30880, []part{
		{"locked stack", lockedStack},
		{"two states", twoStates},
		{"killed", killed},
		{"rolled back and refreshed", rolledBackAndRefreshed},
	})
}

// started is a command that runs.
type started struct {
	command *exec.Cmd
	output  bytes.Buffer
}

// start begins an update of the production stack.
func (c *cluster) start(t *testing.T) *started {
	t.Helper()
	return c.begin(t, "pulumi", "--color", "never", "--non-interactive", "up", "--stack", "production", "--yes",
		"--skip-preview")
}

// begin starts a command and does not wait for its end.
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

// wait gives what the command printed when it has ended.
func (c *cluster) wait(s *started) (string, error) {
	err := s.command.Wait()
	c.logged.Write(s.output.Bytes())
	return s.output.String(), err
}

// kill ends the update and all that it started, as a machine does that loses its power.
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

// descendants are the processes below one.
func descendants(t *testing.T, parent int) []int {
	t.Helper()
	var found []int
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
			found = append(append(found, pid), descendants(t, pid)...)
		}
	}
	return found
}

// emergency lets a weight through without evidence, which is not what these tests are about.
func (c *cluster) emergency(t *testing.T, weight string) {
	t.Helper()
	c.config(t, "override.weight", weight)
	c.config(t, "override.reason", "the test does not wait for evidence")
	c.config(t, "canaryWeight", weight)
}

// settle goes back to 10 % from wherever the cluster stands.
func (c *cluster) settle(t *testing.T) {
	t.Helper()
	if output, err := c.pulumi(t, "config", "rm", "--stack", "production", "override"); err != nil {
		t.Fatalf("%v\n%s", err, output)
	}
	c.config(t, "canaryWeight", "10")
	if output, err := c.pulumi(t, "up", "--stack", "production", "--yes", "--skip-preview", "--refresh"); err != nil {
		t.Fatalf("pulumi up --refresh -s production: %v\n%s", err, tail(output))
	}
	c.expectTracks(t, 9, 1)
}

// expectShift fails the test unless one shift to a weight was begun and one reached since a mark.
func (c *cluster) expectShift(t *testing.T, mark, weight int) {
	t.Helper()
	moves := c.noted(t, mark, ledger.ShiftBegun, ledger.ShiftReached)
	if len(moves) != 2 || moves[0].Kind != ledger.ShiftBegun || moves[1].Kind != ledger.ShiftReached ||
		moves[0].To != weight || moves[1].To != weight {
		t.Errorf("the shift to %d %% is not noted once as begun and once as reached:\n%s", weight, c.history(t))
	}
}

// lockedStack starts two updates of the same stack: the second is told of the first, which goes on.
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

// other is a second operator with a copy of the state of his own, so that no lock of Pulumi's keeps the two apart.
func (c *cluster) other(t *testing.T) *cluster {
	t.Helper()
	dir := c.dir + "-other"
	if err := os.RemoveAll(dir); err != nil {
		t.Fatal(err)
	}
	if err := os.CopyFS(dir, os.DirFS(c.dir)); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	other := &cluster{root: c.root, dir: dir, kubernetes: c.kubernetes, nodePort: c.nodePort, staging: c.staging,
		production: c.production}
	other.env = append(os.Environ(), "PULUMI_OPTION_CWD="+dir, "PULUMI_BACKEND_URL=file://"+filepath.Join(dir, "state"),
		"ROLLOUT_USER=other")
	return other
}

// twoStates lets two operators update at once. When both want the same, it is noted once. When one goes on and the
// other back, the one who goes back wins.
func twoStates(t *testing.T, c *cluster) {
	sent := c.customers(t, 50)
	whole := c.watchCapacity(t)
	t.Run("the same", func(t *testing.T) {
		mark := c.mark(t)
		c.emergency(t, "30")
		other := c.other(t)
		mine, his := c.start(t), other.start(t)
		output, err := c.wait(mine)
		outputOther, errOther := other.wait(his)
		if err != nil || errOther != nil {
			t.Errorf("one: %v\n%s\nthe other: %v\n%s", err, tail(output), errOther, tail(outputOther))
		}
		c.expectTracks(t, 7, 3)
		c.expectShift(t, mark, 30)
	})
	t.Run("up and down", func(t *testing.T) {
		mark := c.mark(t)
		other := c.other(t)
		c.emergency(t, "60")
		other.config(t, "canaryWeight", "0")
		mine := c.start(t)
		eventually(t, "the way up is begun", func() bool { return len(c.noted(t, mark, ledger.ShiftBegun)) > 0 })
		down := other.up(t, "production")
		if !strings.Contains(down, "passed its gate") {
			t.Errorf("the way down: %s", tail(down))
		}
		output, err := c.wait(mine)
		if err == nil || !strings.Contains(output, "moved on by other") {
			t.Errorf("the way up goes on: %v\n%s", err, tail(output))
		}
		c.expectTracks(t, 10, 0)
		c.expectEndpoints(t, 10, 0)
		moves := c.noted(t, mark, ledger.ShiftBegun, ledger.ShiftReached)
		if len(moves) != 3 || moves[0].To != 60 || moves[1].To != 0 || moves[2].To != 0 ||
			moves[2].Kind != ledger.ShiftReached || moves[2].Who != "other" {
			t.Errorf("the ledger:\n%s", c.history(t))
		}
	})
	whole()
	c.settle(t)
	sent.end()
	sent.expectAnswers(t)
}

// killed ends an update in the middle of its shift, as a power cut does: the next one completes it.
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

// rolledBackAndRefreshed tries every way back for an image that was rolled back, and lets another one in.
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
	c.expectRollback(t, mark, "csrf")

	good := c.push(t, "v3")
	if output, err := c.pulumi(t, "config", "set", "--stack", "staging", "image", good); err != nil {
		t.Fatalf("%v\n%s", err, output)
	}
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

// push builds a version of the example service, pushes it and gives its reference by digest.
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
