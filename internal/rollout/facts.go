package rollout

import (
	"time"

	"github.com/vextrus/finance-rollout/internal/advance"
	"github.com/vextrus/finance-rollout/internal/ledger"
	"github.com/vextrus/finance-rollout/internal/plan"
	"github.com/vextrus/finance-rollout/internal/settings"
)

// Standing is where the rollout stands by its ledger.
func Standing(state ledger.State) plan.Standing {
	at := plan.Standing{Weight: state.Weight, Canary: state.Image, Stable: state.Stable, Former: state.Former}
	if state.Begun != nil {
		at.Begun = &plan.Target{Weight: state.Begun.To, Canary: state.Begun.Image, Stable: state.Begun.Stable}
	}
	return at
}

// Facts are what the move to the target is judged by. The evidence of the soak is gathered by look, and only where
// the move needs it.
func Facts(s *settings.Settings, state ledger.State, target plan.Target, staging advance.Staging, now time.Time,
	look func() advance.Soak) advance.Facts {
	facts := advance.Facts{Now: now, Stages: s.Stages, Standing: Standing(state), Target: target, Staging: staging}
	if latch, engaged := state.Latch(target.Canary); engaged && latch.Seq != s.Latch.Release {
		facts.Latch = &advance.Latch{Entry: latch.Seq, When: latch.Time, Who: latch.Who, Reason: latch.Reason}
	}
	if s.Override.Weight.Set {
		facts.Override = &advance.Override{Weight: s.Override.Weight.Percent, Reason: s.Override.Reason}
	}
	move, err := facts.Stages.Move(facts.Standing, target)
	if err == nil && (move.Kind == plan.Advance || move.Kind == plan.Finish) {
		evidence := look()
		facts.Soak = &evidence
	}
	return facts
}
