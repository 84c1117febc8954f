package shift

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/vextrus/finance-rollout/internal/advance"
	"github.com/vextrus/finance-rollout/internal/ledger"
	"github.com/vextrus/finance-rollout/internal/plan"
	"github.com/vextrus/finance-rollout/internal/rollout"
	"github.com/vextrus/finance-rollout/internal/soak"
)

// entries are what the ledger keeps of a move that is allowed. The latch is the one that the move releases; nil for
// none.
func (s *Shift) entries(target plan.Target, decision advance.Decision, latch *ledger.Entry) []ledger.Entry {
	who := s.rollout.Who
	var entries []ledger.Entry
	if latch != nil {
		entries = append(entries, ledger.Entry{Kind: ledger.LatchReleased, Who: who, Image: latch.Image, Ref: latch.Seq,
			Reason: s.rollout.Settings.Latch.Reason})
	}
	for _, lifted := range decision.Lifted {
		entries = append(entries, ledger.Entry{Kind: ledger.Overridden, Who: who, Image: target.Canary, To: target.Weight,
			Reason: fmt.Sprintf("%s: %s; against: %s: %s", lifted.By.Key, lifted.By.Reason, lifted.Cause, lifted.Reason)})
	}
	if decision.Overridden != nil {
		entries = append(entries, ledger.Entry{Kind: ledger.Overridden, Who: who, Image: target.Canary, To: target.Weight,
			Reason: decision.Overridden.Reason + "; against: " + causes(decision)})
	}
	// A shift that goes on was noted when it was allowed.
	if decision.Move.Kind == plan.Stay || decision.Move.Kind == plan.Resume {
		return entries
	}
	// An image that is on a track already was verified when it entered.
	if decision.Move.Kind == plan.Enter && (!s.staging.Required || s.staging.Verified == target.Canary) {
		entry := ledger.Entry{Kind: ledger.StagingVerified, Who: who, Image: target.Canary, Stack: s.staging.Stack}
		if !s.staging.Required {
			entry.Kind, entry.Stack = ledger.Overridden, ""
			entry.Reason = "config staging.required is false: no stack has verified the image"
		}
		entries = append(entries, entry)
	}
	if decision.Soak != nil {
		entries = append(entries, ledger.Entry{Kind: ledger.Verdict, Who: who, Image: target.Canary, To: decision.Move.From,
			Verdict: string(decision.Verdict()), Numbers: soak.Numbers(decision.Soak.Evaluation),
			Terms: s.rollout.Terms(), Soaked: int64(decision.Soak.Soaked / time.Second)})
	}
	return append(entries, ledger.Entry{Kind: ledger.ShiftBegun, Who: who, Release: s.rollout.Settings.Release,
		Image: target.Canary, Stable: target.Stable, From: decision.Move.From, To: target.Weight,
		Reason: string(decision.Move.Kind), Terms: s.rollout.Terms()})
}

// causes lists the causes of a decision's refusals.
func causes(decision advance.Decision) string {
	var list []string
	for _, refusal := range decision.Refusals {
		list = append(list, string(refusal.Cause))
	}
	return strings.Join(list, ", ")
}

// reached notes that the target passed its gate. A finish makes the canary's image the stable one.
func (s *Shift) reached(ctx context.Context) error {
	target, err := s.target(ctx)
	if err != nil {
		return err
	}
	release, err := s.release(ctx)
	if err != nil {
		return err
	}
	if s.express != nil {
		return s.reachedExpress(ctx)
	}
	_, err = ledger.Append(ctx, s.rollout.Ledger(), s.rollout.Clock.Now,
		func(current *ledger.Ledger) ([]ledger.Entry, error) {
			state := current.State()
			if s.isAlone(state) {
				return nil, nil
			}
			if latch, _, latched := state.LatchOf(target.Canary, release); latched && target.Weight > 0 {
				return nil, fmt.Errorf("the canary was rolled back by %s while it was verified: %s", latch.Who, latch.Reason)
			}
			if standsAt(state, target) {
				return nil, nil
			}
			if err := overtaken(current, s.begun, target); err != nil {
				return nil, err
			}
			entry := ledger.Entry{Kind: ledger.ShiftReached, Who: s.rollout.Who, Release: s.rollout.Settings.Release,
				Image: target.Canary, Stable: target.Stable, From: state.Weight, To: target.Weight, Ref: s.unfinished,
				Terms: s.rollout.Terms()}
			if rollout.Standing(state).Finishes(target) {
				entry.Kind, entry.Image, entry.Release = ledger.Finished, state.Image, state.Release
			}
			return s.identified(state, target, []ledger.Entry{entry}), nil
		})
	_, moved := errors.AsType[*OvertakenError](err)
	if err != nil && target.Weight == 0 && !moved && !errors.Is(err, ledger.ErrConflict) {
		return s.log.Warn(fmt.Sprintf("the position is reached, but: %s", err))
	}
	return err
}
