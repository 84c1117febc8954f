//go:build e2e

package e2e

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/vextrus/finance-rollout/internal/ledger"
)

// history reads the ledger of the production stack, which verifies its checksums.
func (c *cluster) history(t *testing.T) *ledger.Ledger {
	t.Helper()
	live, err := c.kubernetes.CoreV1().ConfigMaps(c.production).Get(t.Context(), c.app+"-ledger",
		metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	parsed, err := ledger.Parse(live.Data)
	if err != nil {
		t.Fatalf("the ledger: %v", err)
	}
	return parsed
}

// mark returns the number of the ledger's last entry.
func (c *cluster) mark(t *testing.T) int {
	t.Helper()
	entries := c.history(t).Entries()
	return entries[len(entries)-1].Seq
}

// noted returns the entries after a mark, of the given kinds or else of all.
func (c *cluster) noted(t *testing.T, mark int, kinds ...ledger.Kind) []ledger.Entry {
	t.Helper()
	return slices.DeleteFunc(c.history(t).Entries(), func(entry ledger.Entry) bool {
		return entry.Seq <= mark || len(kinds) > 0 && !slices.Contains(kinds, entry.Kind)
	})
}

// expectNoted checks that the entries after a mark are of exactly these kinds, and returns them. It ignores the
// kinds whose number depends on the machine's speed: checkpoints, smoke tests, the guard's verdicts on stable after a
// rollback, and the guard's extensions of a soak that ends undecided while a part runs.
func (c *cluster) expectNoted(t *testing.T, mark int, want ...ledger.Kind) []ledger.Entry {
	t.Helper()
	entries := slices.DeleteFunc(c.noted(t, mark), func(entry ledger.Entry) bool {
		byGuard := strings.HasPrefix(entry.Who, "guard/")
		// Limits change between the parts of a test, which set what they need and set it back, and the guard is told.
		return entry.Kind == ledger.Checkpoint || entry.Kind == ledger.SmokeTested || entry.Kind == ledger.LimitsChanged ||
			entry.Kind == ledger.GuardConfigured ||
			byGuard && (entry.Kind == ledger.Verdict || entry.Kind == ledger.Watched ||
				entry.Kind == ledger.Extended && !slices.Contains(want, entry.Kind))
	})
	var got []ledger.Kind
	for _, entry := range entries {
		got = append(got, entry.Kind)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("the ledger (-want +got):\n%s\n%s", diff, c.history(t))
	}
	return entries
}

// expectRollback checks that the only entries after a mark are those of one rollback with the reason.
func (c *cluster) expectRollback(t *testing.T, mark int, reason string) {
	t.Helper()
	entries := c.expectNoted(t, mark, ledger.RollbackBegun, ledger.RolledBack)
	if len(entries) == 2 && (!strings.Contains(entries[0].Reason, reason) ||
		!strings.Contains(entries[1].Reason, "evidence in")) {
		t.Errorf("the rollback is noted as %q and %q", entries[0].Reason, entries[1].Reason)
	}
}

// expectEndpoints waits until the Service has that many ready endpoints of each track.
func (c *cluster) expectEndpoints(t *testing.T, stable, canary int) {
	t.Helper()
	eventually(t, "the endpoints of the Service follow the tracks", func() bool {
		slices, err := c.kubernetes.DiscoveryV1().EndpointSlices(c.production).List(t.Context(),
			metav1.ListOptions{LabelSelector: "kubernetes.io/service-name=finance-service"})
		if err != nil {
			return false
		}
		stables, canaries := 0, 0
		for _, slice := range slices.Items {
			for _, endpoint := range slice.Endpoints {
				switch {
				case endpoint.Conditions.Ready == nil || !*endpoint.Conditions.Ready:
				case strings.Contains(endpoint.TargetRef.Name, "-stable-"):
					stables++
				default:
					canaries++
				}
			}
		}
		return stables == stable && canaries == canary
	})
}
