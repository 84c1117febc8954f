package cli

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/vextrus/finance-rollout/internal/advance"
	"github.com/vextrus/finance-rollout/internal/ledger"
	"github.com/vextrus/finance-rollout/internal/plan"
	"github.com/vextrus/finance-rollout/internal/settings"
	"github.com/vextrus/finance-rollout/internal/terminal"
)

// move shows the verdict on a move, asks, sets the configuration and runs the update. A move that is refused changes
// nothing.
func (s *session) move(ctx context.Context, history *ledger.Ledger, target plan.Target, config map[string]string,
	name string, flags moveFlags) error {
	release, err := s.alone(ctx, name, false)
	if err != nil {
		return err
	}
	defer release()
	decision := s.judge(ctx, history.State(), target, flags.override)
	if !s.output.JSON() {
		if err := s.show(decision); err != nil {
			return err
		}
	}
	if !decision.Allowed() {
		if s.output.JSON() {
			if err := s.output.Print(judgedOf(decision), nil); err != nil {
				return err
			}
		}
		return endOf(decision)
	}
	question := fmt.Sprintf("%s %s in %s at %s: %s?", s.settings.App, s.settings.Release, s.settings.Namespace,
		s.cluster.Origin(), decision.Move)
	if err := s.confirm(ctx, flags.yes, question); err != nil {
		return err
	}
	if decision.Overridden != nil && flags.override != "" {
		config["override.weight"], config["override.reason"] = fmt.Sprint(target.Weight), flags.override
	}
	if err := s.update(ctx, history, config); err != nil {
		return err
	}
	outcome := judgedOf(decision)
	outcome.Made = true
	return s.output.Print(outcome, func(style terminal.Style) string {
		return style.Good(fmt.Sprintf("%s passed its gate: %s", decision.Move, s.reached(ctx)))
	})
}

// judge asks what the advance hook will ask.
func (s *session) judge(ctx context.Context, state ledger.State, target plan.Target, override string) advance.Decision {
	asked := *s.settings
	if override != "" {
		asked.Override = settings.Override{Weight: settings.Weight{Percent: target.Weight, Set: true}, Reason: override}
	}
	staging := advance.Staging{}
	if target.Weight > 0 {
		staging = s.staging(ctx)
	}
	return advance.Decide(s.rollout().With(&asked).Facts(state, target, staging, func() advance.Soak {
		s.tell("reading the evidence of the soak…")
		return s.rollout().Soak(ctx, state)
	}))
}

// show prints a decision for people.
func (s *session) show(decision advance.Decision) error {
	style := s.output.Style
	head := style.Good(decision.Move.String() + " is let through")
	switch {
	case decision.Allowed() && decision.Overridden != nil:
		head = style.Warn(fmt.Sprintf("%s is let through by an override, against: %s", decision.Move, causesOf(decision)))
	case decision.RollBack:
		head = style.Bad(fmt.Sprintf("%s is refused, and the canary should be rolled back: rollout rollback -s %s",
			decision.Move, s.stack.Name))
	case !decision.Allowed():
		head = style.Bad(decision.Move.String() + " is refused")
	}
	return s.output.Text(fmt.Sprintf("%s\n%s\n", head, decision))
}

// update sets the configuration and runs `pulumi up`. When the update let nothing through, what was configured before
// is restored, so that a later update does not make a move that nobody thinks of any more.
func (s *session) update(ctx context.Context, before *ledger.Ledger, config map[string]string) error {
	restore, err := s.stack.Values(slices.Collect(maps.Keys(config)))
	if err != nil {
		return err
	}
	if err := s.stack.Set(ctx, config); err != nil {
		return err
	}
	// After a rollback or an interrupted shift the cluster is not what the stack's state says.
	failed := s.stack.Up(ctx, s.progress, before.State().Interruption() > 0)
	if failed == nil {
		return nil
	}
	// The update may have been interrupted; what it left behind is worth a look all the same.
	look := context.WithoutCancel(ctx)
	history, err := ledger.Read(look, s.store())
	if err != nil {
		return errors.Join(failed, err)
	}
	was, _ := before.LastMove()
	if last, _ := history.LastMove(); last.Seq == was.Seq {
		if err := s.stack.Set(look, restore); err != nil {
			return errors.Join(failed, err)
		}
		return fmt.Errorf("%w\nnothing was moved, and the configuration is as before", failed)
	}
	return fmt.Errorf("%w\nwhere it stands now: rollout status -s %s", failed, s.stack.Name)
}

// reached says where the rollout stands by its ledger.
func (s *session) reached(ctx context.Context) string {
	history, err := ledger.Read(ctx, s.store())
	if err != nil {
		return err.Error()
	}
	state := history.State()
	if state.Weight == 0 {
		return fmt.Sprintf("no canary has requests, the stable track runs %s", state.Stable)
	}
	return fmt.Sprintf("%s has %d %% of the requests, and its soak begins", state.Release, state.Weight)
}
