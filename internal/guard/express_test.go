package guard

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"github.com/vextrus/finance-rollout/internal/identity"
	"github.com/vextrus/finance-rollout/internal/ledger"
	"github.com/vextrus/finance-rollout/internal/names"
)

// expressed are the identities around a change of the express lane: stable's and the release's before it, and the one
// that the change makes of the release.
type expressed struct{ stable, release, changed identity.Identity }

// newExpressed is a world in which the canary has the change, and stable does not have it yet.
func newExpressed(t *testing.T, stable, canary int) (*world, expressed) {
	t.Helper()
	of := func(digest, password string) identity.Identity {
		return identity.Identity{identity.Image: digest, identity.Secret + "finance-db": password}
	}
	ids := expressed{of("sha256:0000", "old"), of(image, "old"), of(image, "new")}
	w := newWorld(t, stable, 0)
	w.made = ids.changed.Hash()
	for i := range canary {
		w.add(fmt.Sprintf("finance-v2-%d", i), names.Canary)
	}
	w.scaled["finance-v2"] = canary
	stands := reached()
	stands.Identity, stands.StableIdentity = ids.release.Hash(), ids.stable.Hash()
	stands.Identities = map[string]identity.Identity{ids.release.Hash(): ids.release, ids.stable.Hash(): ids.stable}
	w.record(stands, ledger.Entry{Kind: ledger.ExpressBegun, Release: "v2", Image: image, Stable: "sha256:0000",
		Reason: "leaked", Identity: ids.changed.Hash(),
		Identities: map[string]identity.Identity{ids.changed.Hash(): ids.changed}})
	return w, ids
}

// expectChangeLatched checks that the change is kept out, and neither the release that it came to nor its image.
func (w *world) expectChangeLatched(t *testing.T, ids expressed) {
	t.Helper()
	history, err := ledger.Read(context.Background(), ledger.InConfigMap{Cluster: w, Namespace: space,
		Name: "finance-ledger"})
	if err != nil {
		t.Fatal(err)
	}
	state := history.State()
	if _, parts, latched := state.LatchOf(image, ids.changed); !latched ||
		identity.Describe(parts) != "secret finance-db changed" {
		t.Errorf("the change is latched: %t by %q", latched, identity.Describe(parts))
	}
	if entry, _, latched := state.LatchOf(image, ids.release); latched {
		t.Errorf("the release without the change is latched by entry %d", entry.Seq)
	}
	if state.StableIdentity.Hash() != ids.stable.Hash() || state.Express != nil || state.Unfinished != nil {
		t.Errorf("stable runs %v, under way are %v and %v", state.StableIdentity, state.Express, state.Unfinished)
	}
}

// A change of the express lane that makes the canary bad goes with it. The image is not at fault.
func TestABadExpressChangeIsLatchedWithoutItsImage(t *testing.T) {
	t.Parallel()
	w, ids := newExpressed(t, 2, 1)
	w.guarded()
	w.customers(2, 1, 0)
	w.eventually("rolled back", func() bool { return w.out() && strings.HasSuffix(w.kinds(), "rolled-back") })
	w.expectChangeLatched(t, ids)
}

// The steps that failed are repeated, whatever the latch covers.
func TestTheRollbackOfAnExpressChangeIsCompleted(t *testing.T) {
	t.Parallel()
	w, ids := newExpressed(t, 2, 1)
	w.refusals = map[string]int{"finance-stable": 7}
	w.guarded()
	w.customers(2, 1, 0)
	w.eventually("stable is whole", func() bool {
		return w.out() && strings.HasSuffix(w.kinds(), "rollback-begun rolled-back rolled-back")
	})
	w.expectChangeLatched(t, ids)
}

// Pods with a change that was rolled back stay out when somebody scales them up by hand.
func TestALatchedExpressChangeIsKeptOut(t *testing.T) {
	t.Parallel()
	w, ids := newExpressed(t, 3, 0)
	w.record(ledger.Entry{Kind: ledger.RollbackBegun, Who: "ci", Release: "v2", Image: image,
		Identity: ids.changed.Hash()},
		ledger.Entry{Kind: ledger.RolledBack, Release: "v2", Image: image, Verdict: "complete"})
	w.guarded()
	before := w.kinds()
	w.add("finance-v2-9", names.Canary)
	w.mu.Lock()
	w.scaled["finance-v2"] = 1
	w.mu.Unlock()
	w.changed()
	w.eventually("out again", w.out)
	if got := w.kinds(); got != before {
		t.Errorf("the ledger holds %s", got)
	}
	w.expectChangeLatched(t, ids)
}
