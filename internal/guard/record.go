package guard

import (
	"slices"
	"strings"
	"time"

	"github.com/vextrus/finance-rollout/internal/ledger"
)

// record is what the ledger says about a rollout, by its last reading.
type record struct {
	// state is nil until the ledger was read.
	state *ledger.State
	// version is that of the ConfigMap at the last reading, which began at readAt; reading is whether one runs.
	version string
	readAt  time.Time
	reading bool
	// pendingSince is since when the ledger keeps out a canary that is there; zero while it does not.
	pendingSince time.Time
}

// startReading reports whether the ledger is to be read now, and notes that its reading begins.
func (r *record) startReading(version string, now time.Time) bool {
	if r.reading || version == r.version && now.Sub(r.readAt) < rereadLedger {
		return false
	}
	r.reading, r.version, r.readAt = true, version, now
	return true
}

// weight is the canary's weight in percent, during a shift the weight it is moving to.
func (r *record) weight() int {
	switch {
	case r.state == nil:
		return unknownWeight
	case r.state.Begun != nil:
		return r.state.Begun.To
	default:
		return r.state.Weight
	}
}

// isLatched reports whether the ledger keeps pods out that run the image and are made of the identity.
func (r *record) isLatched(image, identity string) bool {
	if r.state == nil {
		return false
	}
	_, latched := r.state.LatchOn(image, identity)
	return latched
}

// pending reports whether the ledger asks for a rollback: one that was begun and has no outcome yet, or that of
// something latched whose Deployment has pods again. It notes since when.
func (r *record) pending(image, identity string, present bool, now time.Time) bool {
	if r.state == nil {
		return false
	}
	if r.state.Unfinished == nil && (!present || !r.isLatched(image, identity)) {
		r.pendingSince = time.Time{}
		return false
	}
	if r.pendingSince.IsZero() {
		r.pendingSince = now
	}
	return true
}

// patience is how long the guard leaves a pending rollback to the writer that began it. A guard that began one and
// does not act any more is dead or cut off.
func (r *record) patience(inTraffic bool) time.Duration {
	begun := r.state.Unfinished
	switch {
	case begun == nil:
		return time.Second // the watches may lag behind a rollback that has just ended
	case strings.HasPrefix(begun.Who, guardPrefix):
		return 0
	case inTraffic:
		return 3 * time.Second
	default:
		return 45 * time.Second
	}
}

// unwatched is the last rollback whose watch over stable was not concluded.
func unwatched(history *ledger.Ledger) (ledger.Entry, bool) {
	for _, entry := range slices.Backward(history.Entries()) {
		switch entry.Kind {
		case ledger.Watched:
			return ledger.Entry{}, false
		case ledger.RolledBack:
			return entry, true
		}
	}
	return ledger.Entry{}, false
}
