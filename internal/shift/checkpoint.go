package shift

import (
	"context"
	"errors"
	"fmt"

	"github.com/vextrus/finance-rollout/internal/advance"
	"github.com/vextrus/finance-rollout/internal/gate"
	"github.com/vextrus/finance-rollout/internal/kube"
	"github.com/vextrus/finance-rollout/internal/ledger"
	"github.com/vextrus/finance-rollout/internal/names"
	"github.com/vextrus/finance-rollout/internal/plan"
	"github.com/vextrus/finance-rollout/internal/rollout"
	"github.com/vextrus/finance-rollout/internal/soak"
)

// Look reads the ledger at the beginning of an update, before any resource is registered: whether something has
// interrupted the update before this one, and whether there is an errand. It writes nothing and rolls nothing back: the
// engine runs the program for other operations than updates too, such as `pulumi destroy --run-program`.
func (s *Shift) Look(ctx context.Context) error {
	if s.rollout.Settings.IsSingle() {
		return nil
	}
	history, err := ledger.Read(ctx, s.rollout.Ledger())
	if err != nil {
		// The gate refuses what needs the ledger; the way down needs none.
		return s.unreadable(err)
	}
	state := history.State()
	s.interruption, s.unfinished = state.Interruption(), state.Shift()
	if err := s.tellUnverified(state); err != nil {
		return err
	}
	if err := s.rename(state); err != nil {
		return err
	}
	if err := s.freezeBy(ctx, state); err != nil {
		return err
	}
	return s.seeErrand(ctx, state)
}

// acceptance is how to look at lost entries and to go on without them; empty for other errors.
func (s *Shift) acceptance(unread error) string {
	if !errors.Is(unread, ledger.ErrCut) {
		return ""
	}
	return fmt.Sprintf("; look at it with `rollout ledger verify -s %[1]s`; go on on purpose with `rollout ledger accept "+
		"--reason WHY -s %[1]s`", s.rollout.Settings.StackName())
}

// unreadable reports a ledger that is not to be relied on. Lost entries are announced by an errand.
func (s *Shift) unreadable(unread error) error {
	if errors.Is(unread, ledger.ErrCut) && !s.dryRun {
		s.errand = "lost entries"
	}
	return s.log.Warn(unread.Error())
}

// announce makes lost entries an Event, for those who watch the cluster and not the update. Look has warned of them.
func (s *Shift) announce(ctx context.Context, unread error) error {
	if !errors.Is(unread, ledger.ErrCut) {
		return s.log.Warn(unread.Error())
	}
	settings := s.rollout.Settings
	err := s.cluster.Announce(ctx, settings.Namespace, rollout.StableDeployment(settings), kube.Warning, names.LedgerCut,
		unread.Error())
	if err != nil {
		return s.log.Warn(fmt.Sprintf("lost entries of the ledger are not announced: %s", err))
	}
	return nil
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

// checkpoint takes the soak's scheduled look when one is due and the update keeps the position. A canary that fails is
// rolled back, and the update fails; a look that is not possible is reported and stops no update.
func (s *Shift) checkpoint(ctx context.Context, state ledger.State) error {
	if due, err := s.isCheckpointDue(ctx, state); err != nil || !due {
		return err
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
