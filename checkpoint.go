package main

import (
	"context"
	"fmt"

	"github.com/vextrus/finance-rollout/internal/advance"
	"github.com/vextrus/finance-rollout/internal/gate"
	"github.com/vextrus/finance-rollout/internal/ledger"
	"github.com/vextrus/finance-rollout/internal/plan"
	"github.com/vextrus/finance-rollout/internal/rollout"
	"github.com/vextrus/finance-rollout/internal/soak"
)

// look reads the ledger at the beginning of a run, before the resources are made: whether something has interrupted
// the update before, and whether a checkpoint is due.
func (s *shift) look(ctx context.Context) error {
	if s.settings.IsSingle() {
		return nil
	}
	history, err := ledger.Read(ctx, s.store())
	if err != nil {
		// The gate refuses what needs the ledger; the way down needs none.
		return s.say.warn(err.Error())
	}
	state := history.State()
	s.interruption, s.unfinished = state.Interruption(), state.Shift()
	return s.checkpoint(ctx, state)
}

// checkpoint takes the soak's scheduled look, when one is due and the update is to leave the position as it is: an
// update that changes nothing calls no hook. One that asks to advance looks at the same evidence in any case. A
// canary that is shown to be bad is rolled back, and the update fails; whatever keeps from looking is told and keeps
// nobody from updating.
func (s *shift) checkpoint(ctx context.Context, state ledger.State) error {
	if s.dryRun || !s.canary.isKnown() || !s.stable.isKnown() {
		return nil
	}
	target, err := s.target(ctx)
	if err != nil {
		return err
	}
	now := s.edges.now()
	move, err := s.settings.Stages.Move(rollout.Standing(state), target)
	if err != nil || move.Kind != plan.Stay || !soak.Due(rollout.SoakSpec(s.settings).Plan, state, now) {
		return nil //nolint:nilerr // the advance gate refuses an illegal move, and says so
	}
	look := s.lookAtSoak(ctx, state, now)
	if err := s.note(ctx, look); err != nil {
		if err := s.say.warn(fmt.Sprintf("the checkpoint is not noted: %s", err)); err != nil {
			return err
		}
	}
	text := fmt.Sprintf("checkpoint at %d %%: %s, %s", state.Weight, look.Evaluation.Verdict(), look)
	switch look.Evaluation.Verdict() {
	case gate.Fail:
		outcome := s.rollBack(ctx, state.Image, state.Release,
			"a checkpoint of the soak failed: "+look.Evaluation.Reasons(gate.Fail),
			map[string]string{"soak": look.Evaluation.String()})
		return fmt.Errorf("%s\n%s", text, outcome)
	case gate.Error:
		return s.say.warn(text)
	default:
		return s.say.info(text)
	}
}

// note records a look at the soak in the ledger: a checkpoint when one is due, an extension when its time is over.
func (s *shift) note(ctx context.Context, look advance.Soak) error {
	_, err := soak.Note(ctx, s.store(), s.edges.now, s.edges.who(), look)
	return err
}
