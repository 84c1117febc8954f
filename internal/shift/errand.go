package shift

import (
	"context"

	"github.com/vextrus/finance-rollout/internal/ledger"
	"github.com/vextrus/finance-rollout/internal/plan"
	"github.com/vextrus/finance-rollout/internal/rollout"
	"github.com/vextrus/finance-rollout/internal/soak"
)

// Errand says what this update has to do in the ledger before it changes anything, and that no other resource asks
// for: limits that changed, a checkpoint that is due. It is empty for nothing, and known after [Shift.Look].
func (s *Shift) Errand() string { return s.errand }

// seeErrand looks for the errand of this update and does nothing of it. A preview tells of limits that changed.
func (s *Shift) seeErrand(ctx context.Context, state ledger.State) error {
	if s.dryRun {
		return s.noteLimits(ctx, state)
	}
	due, err := s.isCheckpointDue(ctx, state)
	if err != nil {
		return err
	}
	switch {
	case len(changedLimits(state, s.rollout.Terms())) > 0:
		s.errand = "limits"
	case due:
		s.errand = "checkpoint"
	}
	return nil
}

// RunErrand does the errand, by the ledger as it is now: the guard may have taken the checkpoint. A canary that fails
// its checkpoint is rolled back. It is for a hook, which the engine calls in an update and at no other time that it
// runs the program.
func (s *Shift) RunErrand(ctx context.Context) error {
	history, err := ledger.Read(ctx, s.rollout.Ledger())
	if err != nil {
		return s.announce(ctx, err)
	}
	state := history.State()
	if err := s.noteLimits(ctx, state); err != nil {
		return err
	}
	return s.checkpoint(ctx, state)
}

// isCheckpointDue is true when the update keeps the position and the soak's schedule has a checkpoint now. An update
// that asks to advance looks at the same evidence anyway.
func (s *Shift) isCheckpointDue(ctx context.Context, state ledger.State) (bool, error) {
	if !s.images.Canary.IsKnown() || !s.images.Stable.IsKnown() {
		return false, nil
	}
	target, err := s.target(ctx)
	if err != nil {
		return false, err
	}
	move, err := s.rollout.Settings.Stages.Move(rollout.Standing(state), target)
	if err != nil || move.Kind != plan.Stay {
		return false, nil //nolint:nilerr // the advance gate refuses an illegal move, and says so
	}
	return soak.Due(rollout.SoakSpec(s.rollout.Settings).Plan, state, s.rollout.Clock.Now()), nil
}
