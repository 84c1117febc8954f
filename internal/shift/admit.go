package shift

import (
	"fmt"

	"github.com/vextrus/finance-rollout/internal/advance"
	"github.com/vextrus/finance-rollout/internal/identity"
	"github.com/vextrus/finance-rollout/internal/ledger"
	"github.com/vextrus/finance-rollout/internal/plan"
)

// admission is what a move may write into the ledger that it begins on.
type admission struct {
	// noted is true when somebody else has made the same move already, or is about to: nothing is to be written.
	noted bool
	// released is the latch that the move releases; nil for none.
	released *ledger.Entry
}

// admit looks again, on the ledger as it is at the moment of writing, at everything that the decision rests on:
// somebody may have rolled back or moved the rollout since it was judged. The number is that of the shift that the
// decision saw, and latchRelease that of the latch which the configuration releases, 0 for none. The release is the
// identity on the canary track.
func admit(current *ledger.Ledger, judged int, target plan.Target, release identity.Identity, decision advance.Decision,
	latchRelease int) (admission, error) {
	state := current.State()
	latch, _, latched := state.LatchOf(target.Canary, release)
	released := latched && latch.Seq == latchRelease
	switch {
	case isNewStable(state, target) && !mayRun(state, target.Stable, latchRelease):
		latch, _, _ := state.LatchOf(target.Stable, nil)
		return admission{}, fmt.Errorf("the image that stable is to run was rolled back by %s: %s; look at `pulumi preview`",
			latch.Who, latch.Reason)
	case latched && !released && target.Weight > 0:
		return admission{}, fmt.Errorf("the canary was rolled back by %s while the move was judged: %s; look at "+
			"`pulumi preview`", latch.Who, latch.Reason)
	case decision.Move.Kind != plan.Stay && (standsAt(state, target) || isUnderWay(state, target)):
		return admission{noted: true}, nil
	case state.Weight != decision.Move.From && decision.Move.Kind != plan.Enter:
		return admission{}, fmt.Errorf("the rollout was moved to %d %% while this move was judged: an unchanged `pulumi up` "+
			"judges it anew", state.Weight)
	}
	// A move down need not wait for a move up.
	if decision.Move.Kind != plan.Retreat {
		if err := overtaken(current, judged, target); err != nil {
			return admission{}, err
		}
	}
	if released {
		return admission{released: &latch}, nil
	}
	if latch, _, latched := state.LatchOf(target.Stable, nil); latched && latch.Seq == latchRelease {
		return admission{released: &latch}, nil
	}
	return admission{}, nil
}

// isNewStable is true when stable is to run another image than it did.
func isNewStable(state ledger.State, target plan.Target) bool { return target.Stable != state.Stable }

// mayRun is true when an image has no latch but the one that is released.
func mayRun(state ledger.State, image string, latchRelease int) bool {
	latch, _, latched := state.LatchOf(image, nil)
	return !latched || latch.Seq == latchRelease
}
