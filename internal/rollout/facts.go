package rollout

import (
	"context"

	"github.com/vextrus/finance-rollout/internal/advance"
	"github.com/vextrus/finance-rollout/internal/identity"
	"github.com/vextrus/finance-rollout/internal/ledger"
	"github.com/vextrus/finance-rollout/internal/plan"
)

// Standing is the position of the rollout by its ledger.
func Standing(state ledger.State) plan.Standing {
	at := plan.Standing{Weight: state.Weight, Canary: state.Image, Stable: state.Stable, Former: state.Former,
		Identity: state.Identity.Hash(), Configuration: state.Identity.Configuration(),
		StableConfiguration: state.StableIdentity.Configuration(), FormerConfigurations: map[string]string{}}
	for _, image := range state.Former {
		if former := state.Formerly(image); former != nil {
			at.FormerConfigurations[image] = former.Configuration()
		}
	}
	if state.Begun != nil {
		at.Begun = &plan.Target{Weight: state.Begun.To, Canary: state.Begun.Image, Stable: state.Begun.Stable,
			Configuration: state.Known(state.Begun.Identity).Configuration()}
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

// Facts are the facts that the move to the target is judged by. The release is the identity on the canary track by the
// configuration, nil where it is unknown. The soak's evidence takes minutes to read; soak is
// called only where the move needs it. What holds upward moves back is read for those alone.
func (r *Rollout) Facts(ctx context.Context, state ledger.State, target plan.Target, release identity.Identity,
	staging advance.Staging, soak func() advance.Soak) advance.Facts {
	s := r.Settings
	facts := r.NameFacts(state, target)
	facts.Now, facts.Staging = r.Clock.Now(), staging
	facts.OfStable = identity.Describe(identity.Changes(state.StableIdentity, release))
	facts.OfTrial = identity.Describe(identity.Changes(state.OnTrial(), release))
	latchOf := func(image string, release identity.Identity) *advance.Latch {
		latch, parts, engaged := state.LatchOf(image, release)
		if !engaged || latch.Seq == s.Latch.Release {
			return nil
		}
		return &advance.Latch{Entry: latch.Seq, When: latch.Time, Who: latch.Who, Reason: latch.Reason,
			Parts: identity.Describe(parts), Suspects: identity.Describe(state.Suspects(latch))}
	}
	facts.Latch, facts.StableLatch = latchOf(target.Canary, release), latchOf(target.Stable, nil)
	if s.Override.Weight.Set {
		facts.Override = &advance.Override{Weight: s.Override.Weight.Percent, Reason: s.Override.Reason}
	}
	for _, limit := range s.LooseLimits() {
		if !limit.Passes {
			continue
		}
		facts.Loose = append(facts.Loose, advance.LooseLimit{Key: limit.Key, Floor: limit.Floor, Given: limit.Given,
			Allowed: limit.Allowed, Reason: limit.String()})
	}
	move, err := facts.Stages.Move(facts.Standing, target)
	if err == nil {
		facts.Holds = r.Holds(ctx, state, move, target.Canary)
	}
	if err == nil && move.Kind == plan.Advance {
		facts.Disarmed = r.Disarmed(ctx, state)
	}
	if err == nil && (move.Kind == plan.Advance || move.Kind == plan.Finish) {
		evidence := soak()
		facts.Soak = &evidence
	}
	return facts
}
