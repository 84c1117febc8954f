package shift

import (
	"context"
	"fmt"
	"time"

	"github.com/vextrus/finance-rollout/internal/ledger"
	"github.com/vextrus/finance-rollout/internal/plan"
)

// unknown stands for the number of an entry while the ledger could not be read.
const unknown = -1

// OvertakenError says that somebody else moved the rollout during the update.
type OvertakenError struct {
	// By is the entry of the other move.
	By ledger.Entry
}

// Error names who moved it, where to, and the command that continues from there.
func (e *OvertakenError) Error() string {
	return fmt.Sprintf("the rollout was moved on by %s at %s, to %d %% (%s, entry %d of the ledger), while this update "+
		"was "+
		"under way: `pulumi up --refresh` goes on from there",
		e.By.Who, e.By.Time.Format(time.RFC3339), e.By.To, e.By.Kind, e.By.Seq)
}

// Latest is an [*OvertakenError] when somebody else has moved the rollout since this update's shift was allowed, or has
// rolled back the change that the express lane carries. It is asked before capacity is taken away, because another
// update or a rollback may count on it.
func (s *Shift) Latest(ctx context.Context) error {
	if s.begun == unknown || s.rollout.Settings.IsSingle() {
		return nil
	}
	if s.express != nil {
		return s.expressStands(ctx)
	}
	target, err := s.target(ctx)
	if err != nil {
		return err
	}
	current, err := ledger.Read(ctx, s.rollout.Ledger())
	if err != nil {
		return err
	}
	return overtaken(current, s.begun, target)
}

// mayContinue is an [*OvertakenError] when somebody else has moved the rollout since this update's shift was allowed,
// or has rolled its canary back.
func (s *Shift) mayContinue(ctx context.Context) error {
	if err := s.Latest(ctx); err != nil {
		return err
	}
	release, err := s.release(ctx)
	if err != nil {
		return err
	}
	digest, err := s.images.Canary.Get(ctx)
	if err != nil {
		return err
	}
	current, err := ledger.Read(ctx, s.rollout.Ledger())
	if err != nil {
		return err
	}
	if latch, _, latched := current.State().LatchOf(digest, release); latched {
		return &OvertakenError{By: latch}
	}
	return nil
}

// overtaken is an error when the ledger's shift is another one than the numbered one, unless somebody else has
// reached the same target.
func overtaken(current *ledger.Ledger, shift int, target plan.Target) error {
	state := current.State()
	if shift == unknown || state.Shift() == shift || standsAt(state, target) {
		return nil
	}
	by, _ := current.LastMove()
	return &OvertakenError{By: by}
}

// standsAt is true when the rollout stands at the target and no shift is under way.
func standsAt(state ledger.State, target plan.Target) bool {
	if state.Weight != target.Weight || state.Stable != target.Stable || state.Begun != nil ||
		differ(state.StableIdentity.Configuration(), target.StableConfiguration) {
		return false
	}
	return target.Weight == 0 ||
		state.Image == target.Canary && !differ(state.Identity.Configuration(), target.Configuration)
}

// differ reports whether two configurations differ. One that is unknown differs from none.
func differ(one, other string) bool { return one != "" && other != "" && one != other }

// isUnderWay is true when a shift to the target was begun and is not completed.
func isUnderWay(state ledger.State, target plan.Target) bool {
	begun := state.Begun
	return begun != nil && begun.To == target.Weight && begun.Image == target.Canary && begun.Stable == target.Stable &&
		!differ(state.Known(begun.Identity).Configuration(), target.Configuration)
}
