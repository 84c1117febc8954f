package shift

import (
	"fmt"
	"time"

	"github.com/vextrus/finance-rollout/internal/ledger"
)

// tellUnverified warns of a shift that an earlier update began and that has not passed its gate: the update was killed,
// or it left the gate out, as --exclude and --target can. The pods may have the requests already.
func (s *Shift) tellUnverified(state ledger.State) error {
	text := unverified(state)
	if text == "" {
		return nil
	}
	return s.log.Warn(fmt.Sprintf("%s: `pulumi up -s %s`, without --exclude and --target, runs them", text,
		s.rollout.Settings.StackName()))
}

// unverified says that the release on trial was never verified where it is on its way to; empty where it was, and on
// the way down, which needs no proof.
func unverified(state ledger.State) string {
	begun := state.Begun
	if begun == nil || begun.To == 0 || begun.To < state.Weight {
		return ""
	}
	return fmt.Sprintf("%s was never verified at %d %%: the shift that %s began at %s (entry %d of the ledger) has "+
		"passed neither its smoke suite nor its bake", begun.Release, begun.To, begun.Who,
		begun.Time.UTC().Format(time.RFC3339), begun.Seq)
}
