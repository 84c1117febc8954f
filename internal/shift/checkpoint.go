package shift

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

// Look reads the ledger at the beginning of an update, before any resource is registered: whether something has
// interrupted the update before this one, and whether a checkpoint is due.
func (s *Shift) Look(ctx context.Context) error {
	if s.rollout.Settings.IsSingle() {
		return nil
	}
	history, err := ledger.Read(ctx, s.rollout.Ledger())
	if err != nil {
		// The gate refuses what needs the ledger; the way down needs none.
		return s.log.Warn(err.Error())
	}
	state := history.State()
	s.interruption, s.unfinished = state.Interruption(), state.Shift()
	if err := s.rename(state); err != nil {
		return err
	}
	return s.checkpoint(ctx, state)
}

// rename refuses an update that gives a release that lives another name, before anything is made under a name: an
// update that changes nothing else calls no hook.
func (s *Shift) rename(state ledger.State) error {
	settings := s.rollout.Settings
	target := plan.Target{Weight: settings.Position().Weight}
	decision := advance.Rename(s.rollout.NameFacts(state, target))
	if !decision.Allowed() {
		return &advance.RefusedError{Decision: decision}
	}
	named, living := settings.NamedRelease(), state.Living()
	if living == "" || named == "" || named == living {
		return nil
	}
	return s.log.Info(fmt.Sprintf("%s goes to 0 %% under its own name; after that, %s can enter", living, named))
}

// checkpoint takes the soak's scheduled look when one is due and the update keeps the position: an update that
// changes nothing calls no hook. One that asks to advance looks at the same evidence anyway. A canary that fails is
// rolled back, and the update fails; a look that is not possible is reported and stops no update.
func (s *Shift) checkpoint(ctx context.Context, state ledger.State) error {
	if s.dryRun || !s.images.Canary.IsKnown() || !s.images.Stable.IsKnown() {
		return nil
	}
	target, err := s.target(ctx)
	if err != nil {
		return err
	}
	now := s.rollout.Clock.Now()
	move, err := s.rollout.Settings.Stages.Move(rollout.Standing(state), target)
	if err != nil || move.Kind != plan.Stay || !soak.Due(rollout.SoakSpec(s.rollout.Settings).Plan, state, now) {
		return nil //nolint:nilerr // the advance gate refuses an illegal move, and says so
	}
	look := s.rollout.Soak(ctx, state)
	if err := s.note(ctx, look); err != nil {
		if err := s.log.Warn(fmt.Sprintf("the checkpoint is not noted: %s", err)); err != nil {
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
		return s.log.Warn(text)
	default:
		return s.log.Info(text)
	}
}

// note records a look at the soak in the ledger: a checkpoint when one is due, an extension when its time is over.
func (s *Shift) note(ctx context.Context, look advance.Soak) error {
	_, err := soak.Note(ctx, s.rollout.Ledger(), s.rollout.Clock.Now, s.rollout.Who, look)
	return err
}
