package rollback

import (
	"context"
	"fmt"
	"time"

	"github.com/vextrus/finance-rollout/internal/ledger"
)

// InLedger is the Recorder that everybody uses: the rollout's ledger. What one process began there, another one finds
// and carries through.
type InLedger struct {
	Store ledger.Store
	// Now is the clock.
	Now func() time.Time
	// Who rolls back: a person, a pipeline or the guard.
	Who string
	// Image is the digest that is rolled back, Release the name of its release.
	Image, Release string
	// Released is the number of the latch that the stack's configuration releases, 0 for none: a rollback after that
	// engages another one.
	Released int
}

var _ Recorder = InLedger{}

// Begin implements Recorder. An image that is latched is not latched again, so that a repeated rollback is one.
func (l InLedger) Begin(ctx context.Context, reason string) error {
	_, err := ledger.Append(ctx, l.Store, l.Now, func(current *ledger.Ledger) ([]ledger.Entry, error) {
		state := current.State()
		if latch, latched := state.Latch(l.Image); latched && latch.Seq != l.Released {
			return nil, nil
		}
		return []ledger.Entry{l.begun(state, reason)}, nil
	})
	return err
}

func (l InLedger) begun(state ledger.State, reason string) ledger.Entry {
	return ledger.Entry{Kind: ledger.RollbackBegun, Who: l.Who, Release: l.Release, Image: l.Image, From: state.Weight,
		Reason: reason}
}

// Finish implements Recorder. An intent that could not be noted when the rollback began is noted with the outcome:
// without it the image would not be latched. A latch has one outcome in the ledger, and a second one only when steps
// of the first had failed: however often a canary is brought back by hand and taken out again, the ledger does not
// grow.
func (l InLedger) Finish(ctx context.Context, outcome Outcome) error {
	entry := ledger.Entry{Kind: ledger.RolledBack, Who: l.Who, Release: l.Release, Image: l.Image, Reason: outcome.Reason,
		Verdict: complete}
	if outcome.Evidence != "" {
		entry.Reason += "; evidence in " + outcome.Evidence
	}
	if err := outcome.Err(); err != nil {
		entry.Verdict = incomplete
		entry.Reason += fmt.Sprintf("; incomplete: %s", err)
	}
	_, err := ledger.Append(ctx, l.Store, l.Now, func(current *ledger.Ledger) ([]ledger.Entry, error) {
		if recorded, found := last(current, l.Image); found && (recorded.Verdict == complete || entry.Verdict == incomplete) {
			return nil, nil
		}
		state := current.State()
		latch, latched := state.Latch(l.Image)
		switch {
		case outcome.unnoted() && (!latched || latch.Seq == l.Released):
			return []ledger.Entry{l.begun(state, outcome.Reason), entry}, nil
		case !latched:
			return nil, nil // somebody released the latch meanwhile, which the outcome would engage again
		}
		return []ledger.Entry{entry}, nil
	})
	return err
}

// Verdicts of the entry that tells of a rollback's outcome.
const (
	complete   = "complete"
	incomplete = "incomplete"
)

// last is the outcome that the ledger holds of the image's present latch.
func last(history *ledger.Ledger, image string) (ledger.Entry, bool) {
	latch, latched := history.State().Latch(image)
	if !latched {
		return ledger.Entry{}, false
	}
	var found ledger.Entry
	for _, entry := range history.Entries() {
		if entry.Kind == ledger.RolledBack && entry.Image == image && entry.Seq > latch.Seq {
			found = entry
		}
	}
	return found, found.Seq > 0
}
