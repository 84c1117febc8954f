package shift

import (
	"testing"
	"time"

	"github.com/vextrus/finance-rollout/internal/ledger"
)

// errands is the beginning of an update, and the errand where there is one, as the program's hook does it.
func (tr trial) errands(t *testing.T) error {
	t.Helper()
	if err := tr.Look(t.Context()); err != nil || tr.Errand() == "" {
		return err
	}
	return tr.RunErrand(t.Context())
}

// The engine runs the program for `pulumi destroy --run-program` too: its beginning writes nothing and rolls nothing
// back, however bad the canary is.
func TestTheBeginningOfAnUpdateWritesNothing(t *testing.T) {
	for name, change := range map[string]struct {
		loosened bool
		errand   string
	}{
		"a checkpoint is due": {false, "checkpoint"},
		"limits have changed": {true, "limits"},
	} {
		t.Run(name, func(t *testing.T) {
			tr := newTrial(t, 10, served{failing: 0.05}, born.Add(time.Hour))
			tr.standsAt(t, 10, born.Add(30*time.Second))
			if change.loosened {
				tr.write(t, ledger.Entry{Kind: ledger.ShiftReached, Release: "v2", Image: onTrial, Stable: oldImage, To: 10,
					Terms: tr.rollout.Terms()})
				tr.rollout.Settings.Criteria.ErrorRate *= 2
			}
			before := tr.kinds(t)
			if err := tr.Look(t.Context()); err != nil {
				t.Fatal(err)
			}
			if after := tr.kinds(t); after != before || len(tr.world.Scaled) > 0 {
				t.Errorf("the ledger holds %s, it was %s; scaled %v", after, before, tr.world.Scaled)
			}
			if tr.Errand() != change.errand {
				t.Errorf("the errand is %q", tr.Errand())
			}
		})
	}
}

// Where the guard has taken the checkpoint in the meantime, the hook finds nothing to do.
func TestAnErrandIsDoneOnce(t *testing.T) {
	tr := newTrial(t, 10, served{}, born.Add(time.Hour))
	tr.standsAt(t, 10, born.Add(30*time.Second))
	for range 2 {
		if err := tr.errands(t); err != nil {
			t.Fatal(err)
		}
		if err := tr.RunErrand(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	if wrote := tr.kinds(t); wrote != "shift-reached checkpoint" {
		t.Errorf("the ledger holds %s", wrote)
	}
}
