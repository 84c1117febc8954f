//go:build e2e

package e2e

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/vextrus/finance-rollout/internal/ledger"
	"github.com/vextrus/finance-rollout/internal/names"
	"github.com/vextrus/finance-rollout/internal/terminal"
)

// commandInterrupted interrupts an advance halfway and completes it with the same command. Meanwhile a second operator
// learns who holds the rollout.
func commandInterrupted(t *testing.T, c *cluster) {
	mark := c.mark(t)
	up := []string{"advance", "-s", "production", "--to", "60", "--override", "the test does not wait", "--yes"}
	first := c.begin(t, filepath.Join(c.root, ".local", "bin", "rollout"), up...)
	eventually(t, "the first operator holds the lease", func() bool {
		lease, err := c.kubernetes.CoordinationV1().Leases(c.production).Get(t.Context(),
			names.OperatorLease("finance-service"), metav1.GetOptions{})
		return err == nil && lease.Spec.HolderIdentity != nil && strings.Contains(*lease.Spec.HolderIdentity,
			"rollout advance")
	})
	c.expect(t, terminal.ExitFailed, up, "another operator changes this rollout", "(rollout advance, process ")
	eventually(t, "the move is allowed", func() bool { return len(c.noted(t, mark, ledger.ShiftBegun)) > 0 })
	if err := first.command.Process.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	output, err := c.wait(first)
	if code := first.command.ProcessState.ExitCode(); code != terminal.ExitFailed {
		t.Errorf("the interrupted command ends with %d: %v", code, err)
	}
	for _, word := range []string{"interrupted: Pulumi starts no further step", "was interrupted",
		"the present state: rollout status -s production"} {
		if !strings.Contains(output, word) {
			t.Errorf("the interrupted command does not say %q:\n%s", word, tail(output))
		}
	}
	if standing, _ := c.run(t, filepath.Join(c.root, ".local", "bin", "rollout"), "status", "-s",
		"production"); !strings.Contains(standing, "SHIFTING") ||
		!strings.Contains(standing, "the shift from 30 % to 60 % was admitted") {
		t.Errorf("status after the interruption:\n%s", standing)
	}
	c.expect(t, terminal.ExitDone, up, "its soak begins")
	c.expectTracks(t, 4, 6)
	if moves := c.noted(t, mark, ledger.ShiftBegun, ledger.ShiftReached); len(moves) != 2 {
		t.Errorf("the ledger tells of %d halves of one move:\n%s", len(moves), c.history(t))
	}
	if output, err := c.pulumi(t, "preview", "--stack", "production", "--refresh", "--expect-no-changes"); err != nil {
		t.Errorf("the stack is at another position: %v\n%s", err, tail(output))
	}
}
