package soak

import (
	"time"

	"github.com/vextrus/finance-rollout/internal/ledger"
	"github.com/vextrus/finance-rollout/internal/plan"
)

// IsUnderWay reports whether a stage soaks. It does not while no canary takes requests, or while a shift is under way:
// the stage is over by then.
func IsUnderWay(state ledger.State) bool {
	return state.Weight > 0 && !state.SoakSince.IsZero() && state.Begun == nil
}

// Due reports whether the plan's schedule has a checkpoint after the last one in the ledger and not after now. Nothing
// is due where no soak is under way.
func Due(schedule plan.Soak, state ledger.State, now time.Time) bool {
	if !IsUnderWay(state) {
		return false
	}
	last := time.Duration(0)
	if !state.LastCheckpoint.IsZero() {
		last = state.LastCheckpoint.Sub(state.SoakSince)
	}
	return schedule.Due(last, now.Sub(state.SoakSince))
}
