//go:build e2e

package e2e

import (
	"bufio"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/vextrus/finance-rollout/internal/operator"
)

// commandFinish takes the release from nothing to the end, and is interrupted on the way.
func commandFinish(t *testing.T, c *cluster) {
	image, err := c.pulumi(t, "config", "get", "image", "--stack", "staging")
	if err != nil {
		t.Fatalf("%v\n%s", err, image)
	}
	image = strings.TrimSpace(image)
	c.config(t, "image", image)
	c.bringBack(t)
	c.config(t, "bake.duration", "0s")
	override := []string{"--override", "the test does not wait", "--yes"}
	// Before the shift: in it, Pulumi waits for the hook that waits for pods before it ends.
	c.interrupt(t, "Updating (production)", append([]string{"advance", "-s", "production", "--to", "30"}, override...)...)
	output, err := c.run(t, filepath.Join(c.root, ".local", "bin", "rollout"), "status", "-s", "production")
	if !strings.Contains(output, "SHIFTING") && !strings.Contains(output, "SOAKING") {
		t.Errorf("status does not explain an interrupted advance: %v\n%s", err, output)
	}
	for _, weight := range []string{"30", "60", "100"} {
		c.expect(t, operator.ExitDone, append([]string{"advance", "-s", "production", "--to", weight}, override...), "its soak begins")
	}
	c.expect(t, operator.ExitUnknown, []string{"finish", "-s", "production", "--yes"}, "soak too short")
	c.expect(t, operator.ExitDone, append([]string{"finish", "-s", "production"}, override...), "against: ")
	c.expectTracks(t, 10, 0)
	c.expectStanding(t, operator.ExitDone, "idle", 10, 0)
	if stable, err := c.pulumi(t, "config", "get", "stableImage", "--stack", "production"); err != nil || strings.TrimSpace(stable) != image {
		t.Errorf("the stable image is %q, want %q: %v", strings.TrimSpace(stable), image, err)
	}
	if output, err := c.pulumi(t, "preview", "--stack", "production", "--refresh", "--expect-no-changes"); err != nil {
		t.Errorf("the stack is at another position: %v\n%s", err, tail(output))
	}
}

// interrupt runs the rollout command, sends it Ctrl-C as soon as it says the words, and expects it to end as one that failed.
func (c *cluster) interrupt(t *testing.T, words string, args ...string) {
	t.Helper()
	command := exec.CommandContext(t.Context(), filepath.Join(c.root, ".local", "bin", "rollout"), args...)
	command.Dir, command.Env = t.TempDir(), c.env
	read, write := io.Pipe()
	command.Stdout, command.Stderr = write, write
	if err := command.Start(); err != nil {
		t.Fatal(err)
	}
	said := make(chan bool, 1)
	go func() {
		lines, sent := bufio.NewScanner(read), false
		for lines.Scan() {
			if !sent && strings.Contains(lines.Text(), words) {
				sent = command.Process.Signal(os.Interrupt) == nil
			}
		}
		_, _ = io.Copy(io.Discard, read)
		said <- sent
	}()
	err := command.Wait()
	_ = write.Close() // a pipe in memory
	if sent := <-said; !sent || err == nil {
		t.Fatalf("rollout %s: interrupted %v, ended with %v", strings.Join(args, " "), sent, err)
	}
}
