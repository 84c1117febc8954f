package rollout

import (
	"context"

	"github.com/vextrus/finance-rollout/internal/advance"
	"github.com/vextrus/finance-rollout/internal/ledger"
	"github.com/vextrus/finance-rollout/internal/plan"
)

// Standing is the position of the rollout by its ledger.
func Standing(state ledger.State) plan.Standing {
	at := plan.Standing{Weight: state.Weight, Canary: state.Image, Stable: state.Stable, Former: state.Former}
	if state.Begun != nil {
		at.Begun = &plan.Target{Weight: state.Begun.To, Canary: state.Begun.Image, Stable: state.Begun.Stable}
	}
	return at
}

// NameFacts are the facts that the release's name is judged by.
func (r *Rollout) NameFacts(state ledger.State, target plan.Target) advance.Facts {
	return advance.Facts{
		Stages: r.Settings.Stages, Standing: Standing(state), Target: target,
		Living: state.Living(), Named: r.Settings.NamedRelease(), Stack: r.Settings.StackName(),
	}
}

// Facts are the facts that the move to the target is judged by. The soak's evidence takes minutes to read; soak is
// called only where the move needs it. What holds upward moves back is read for those alone.
func (r *Rollout) Facts(ctx context.Context, state ledger.State, target plan.Target, staging advance.Staging,
	soak func() advance.Soak) advance.Facts {
	s := r.Settings
	facts := r.NameFacts(state, target)
	facts.Now, facts.Staging = r.Clock.Now(), staging
	latchOf := func(image string) *advance.Latch {
		latch, engaged := state.Latch(image)
		if !engaged || latch.Seq == s.Latch.Release {
			return nil
		}
		return &advance.Latch{Entry: latch.Seq, When: latch.Time, Who: latch.Who, Reason: latch.Reason}
	}
	facts.Latch, facts.StableLatch = latchOf(target.Canary), latchOf(target.Stable)
	if s.Override.Weight.Set {
		facts.Override = &advance.Override{Weight: s.Override.Weight.Percent, Reason: s.Override.Reason}
	}
	move, err := facts.Stages.Move(facts.Standing, target)
	if err == nil {
		facts.Holds = r.Holds(ctx, state, move.Kind)
	}
	if err == nil && (move.Kind == plan.Advance || move.Kind == plan.Finish) {
		evidence := soak()
		facts.Soak = &evidence
	}
	return facts
}
