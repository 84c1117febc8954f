package soak

import (
	"time"

	"github.com/vextrus/finance-rollout/internal/advance"
	"github.com/vextrus/finance-rollout/internal/gate"
	"github.com/vextrus/finance-rollout/internal/ledger"
	"github.com/vextrus/finance-rollout/internal/plan"
)

// Due tells whether a checkpoint of the plan's schedule lies after the last one that the ledger holds, and not after
// now. Nothing is due while no canary has requests, and while a shift is under way: the stage that is left is over
// then.
func Due(schedule plan.Soak, state ledger.State, now time.Time) bool {
	if state.Weight == 0 || state.SoakSince.IsZero() || state.Begun != nil {
		return false
	}
	last := time.Duration(0)
	if !state.LastCheckpoint.IsZero() {
		last = state.LastCheckpoint.Sub(state.SoakSince)
	}
	return schedule.Due(last, now.Sub(state.SoakSince))
}

// Checkpoint is the ledger's entry for a look at the soak. The second result is false when no checkpoint is due by
// the ledger as it is, be it because somebody else took it, or because the look is at a stage that is over.
func Checkpoint(look advance.Soak, state ledger.State, now time.Time, who string) (ledger.Entry, bool) {
	if !look.Since.Equal(state.SoakSince) || !Due(look.Plan, state, now) {
		return ledger.Entry{}, false
	}
	verdict := look.Evaluation.Verdict()
	entry := ledger.Entry{
		Kind: ledger.Checkpoint, Who: who, Release: state.Release, Image: state.Image, From: state.Weight, To: state.Weight,
		Verdict: string(verdict), Numbers: Numbers(look.Evaluation), Soaked: int64(look.Soaked / time.Second),
	}
	if verdict != gate.Pass {
		entry.Reason = look.Evaluation.Reasons(verdict)
	}
	return entry, true
}
