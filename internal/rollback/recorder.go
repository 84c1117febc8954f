package rollback

import (
	"context"
	"fmt"
	"time"

	"github.com/vextrus/finance-rollout/internal/ledger"
)

// InLedger is the Recorder of production: the rollout's ledger. Another process finds there a rollback that this one
// began, and completes it.
type InLedger struct {
	Store ledger.Store
	// Now is the clock.
	Now func() time.Time
	// Who is the person, the pipeline or the guard that rolls back.
	Who string
	// Image is the digest that is rolled back, Release the name of its release.
	Image, Release string
	// Identity is the short form of what the canary's pods are made of; empty where it is unknown.
	Identity string
	// Released is the entry number of the latch that the stack's configuration releases, 0 for none: a rollback after the
	// release engages another latch.
	Released int
}

var _ Recorder = InLedger{}

// Begin implements Recorder. It does not latch a latched image again, so that a repeated rollback counts once.
func (l InLedger) Begin(ctx context.Context, reason string) error {
	_, err := ledger.Append(ctx, l.Store, l.Now, func(current *ledger.Ledger) ([]ledger.Entry, error) {
		state := current.State()
		if latch, latched := state.LatchOn(l.Image, l.Identity); latched && latch.Seq != l.Released {
			return nil, nil
		}
		return []ledger.Entry{l.begun(state, reason)}, nil
	})
	return err
}

func (l InLedger) begun(state ledger.State, reason string) ledger.Entry {
	return ledger.Entry{Kind: ledger.RollbackBegun, Who: l.Who, Release: l.Release, Image: l.Image, From: state.Weight,
		Identity: l.Identity, Reason: reason}
}

// Finish implements Recorder. It also records an intent that Begin could not record: without it the image would not be
// latched. A latch has one outcome in the ledger, and a second one only if steps of the first had failed. The ledger
// therefore does not grow when a canary is brought back by hand and taken out repeatedly.
func (l InLedger) Finish(ctx context.Context, outcome Outcome) error {
	entry := ledger.Entry{Kind: ledger.RolledBack, Who: l.Who, Release: l.Release, Image: l.Image, Identity: l.Identity,
		Reason: outcome.Reason, Verdict: complete}
	if outcome.Evidence != "" {
		entry.Reason += "; evidence in " + outcome.Evidence
	}
	if err := outcome.Err(); err != nil {
		entry.Verdict = incomplete
		entry.Reason += fmt.Sprintf("; incomplete: %s", err)
	}
	_, err := ledger.Append(ctx, l.Store, l.Now, func(current *ledger.Ledger) ([]ledger.Entry, error) {
		if recorded, ok := l.last(current); ok && (recorded.Verdict == complete || entry.Verdict == incomplete) {
			return nil, nil
		}
		state := current.State()
		latch, latched := state.LatchOn(l.Image, l.Identity)
		switch {
		case outcome.unnoted() && (!latched || latch.Seq == l.Released):
			return []ledger.Entry{l.begun(state, outcome.Reason), entry}, nil
		case !latched:
			return nil, nil // the latch was released meanwhile, and the outcome would engage it again
		}
		return []ledger.Entry{entry}, nil
	})
	return err
}

// Verdicts of the entry with a rollback's outcome.
const (
	complete   = "complete"
	incomplete = "incomplete"
)

// last is the outcome of the current latch; the second result is false when the ledger holds none.
func (l InLedger) last(history *ledger.Ledger) (ledger.Entry, bool) {
	latch, latched := history.State().LatchOn(l.Image, l.Identity)
	if !latched {
		return ledger.Entry{}, false
	}
	var outcome ledger.Entry
	for _, entry := range history.Entries() {
		if entry.Kind == ledger.RolledBack && entry.Image == l.Image && entry.Seq > latch.Seq {
			outcome = entry
		}
	}
	return outcome, outcome.Seq > 0
}
