package cli

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/vextrus/finance-rollout/internal/advance"
	"github.com/vextrus/finance-rollout/internal/cli/move"
	"github.com/vextrus/finance-rollout/internal/terminal"
)

// moveFlags are the flags of rollout advance and finish.
type moveFlags struct {
	common
	to       int
	override string
	yes      bool
	// ready and setOnly are of rollout advance alone.
	ready, setOnly bool
}

func advanceCommand() *cobra.Command {
	var flags moveFlags
	cmd := &cobra.Command{
		Use:   "advance",
		Short: "Raise the canary's weight to the next stage",
		Long: "Raise the canary's weight to the next stage, or to --to.\n\n" +
			"The command asks the advance gate for a fresh decision. If the gate allows the move, the command asks for\n" +
			"confirmation, sets the configuration, runs `pulumi up` and shows its output. It exits with 3 and changes " +
			"nothing\n" +
			"if only time or traffic is missing.\n\n" +
			"With --when-ready the command is for a schedule: it asks nobody, finishes after the last stage, says in one " +
			"line\n" +
			"why it does something or nothing, and exits with 0 either way. It exits with 1 on an error and on a canary that\n" +
			"should be rolled back. It needs `advance: auto` in the configuration. A run that was killed at any point is " +
			"taken\n" +
			"up by the next one, and no move is made twice.",
		Example: "  rollout advance -s production\n  rollout advance -s production --to 30 --yes\n" +
			"  rollout advance -s production --when-ready\n" +
			"  rollout advance -s production --when-ready --set-only -o json",
	}
	flags.bindMove(cmd, func(ctx context.Context, operation *move.Operation) (*move.Move, error) {
		if !cmd.Flags().Changed("to") {
			return operation.Advance(ctx, move.NextStage)
		}
		return operation.Advance(ctx, flags.to)
	})
	cmd.Flags().IntVar(&flags.to, "to", 0, "weight in percent; omit for the next stage")
	cmd.Flags().BoolVar(&flags.ready, "when-ready", false, "on a schedule: advance or finish if nothing is against it")
	cmd.Flags().BoolVar(&flags.setOnly, "set-only", false, "with --when-ready: set the stack's file and run no update, "+
		"for a workflow that commits it")
	return cmd
}

func finishCommand() *cobra.Command {
	var flags moveFlags
	cmd := &cobra.Command{
		Use:   "finish",
		Short: "Make the canary's image stable, after 100 %",
		Long: "Make the canary's image stable, after 100 %.\n\n" +
			"The command sets stableImage to the image that passed its gate and canaryWeight to 0, and runs `pulumi up`: the\n" +
			"stable track takes the new image and grows to full capacity first, then the canary goes.",
		Example: "  rollout finish -s production",
	}
	flags.bindMove(cmd, func(ctx context.Context, operation *move.Operation) (*move.Move, error) {
		return operation.Finish(ctx)
	})
	return cmd
}

// bindMove adds the flags of a move to the command, and runs the move that prepare returns.
func (f *moveFlags) bindMove(cmd *cobra.Command,
	prepare func(context.Context, *move.Operation) (*move.Move, error)) {
	f.bind(cmd)
	cmd.Flags().StringVar(&f.override, "override", "",
		"reason to override the gate in an emergency; the ledger records it")
	cmd.Flags().BoolVarP(&f.yes, "yes", "y", false, "do not ask for confirmation")
	cmd.Args = noArguments
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		ctx := cmd.Context()
		if cmd.Name() == "advance" {
			if err := f.checkReady(cmd); err != nil {
				return terminal.Usage(err)
			}
		}
		s, err := f.begin(cmd)
		if err != nil {
			return err
		}
		if err := s.requireCanary(); err != nil {
			return err
		}
		if f.ready {
			return s.whenReady(ctx, f.setOnly)
		}
		operation := s.operation()
		m, err := prepare(ctx, operation)
		if err != nil {
			return err
		}
		m.Override = f.override
		release, err := s.lock(ctx, cmd.Name(), false)
		if err != nil {
			return err
		}
		defer release()
		return s.move(ctx, operation, m, f.yes)
	}
}

// operation makes moves of the session's stack.
func (s *session) operation() *move.Operation {
	return &move.Operation{
		Rollout: s.Rollout, Stack: s.stack, StackName: s.stack.Name, Output: s.progress, Progress: s.report,
	}
}

// move shows the decision on a move, asks, and makes the move. A refused move changes nothing.
func (s *session) move(ctx context.Context, operation *move.Operation, m *move.Move, yes bool) error {
	decision := operation.Judge(ctx, m)
	outcome := move.OutcomeOf(decision)
	if !s.output.JSON() {
		if err := s.showDecision(decision); err != nil {
			return err
		}
	}
	if !decision.Allowed() {
		s.refused(ctx, m.Target.Canary, decision)
		if s.output.JSON() {
			if err := s.output.Print(outcome, nil); err != nil {
				return err
			}
		}
		return move.ErrorOf(decision)
	}
	question := fmt.Sprintf("%s %s in %s at %s: %s?", s.Settings.App, s.Settings.Release, s.Settings.Namespace,
		s.cluster.Origin(), decision.Move)
	if err := s.confirm(ctx, yes, question); err != nil {
		return err
	}
	if err := operation.Make(ctx, m, decision); err != nil {
		return err
	}
	outcome.Done = true
	return s.output.Print(outcome, func(style terminal.Style) string {
		return style.Good(fmt.Sprintf("%s passed its gate: %s", decision.Move, operation.Position(ctx)))
	})
}

// refused tells the webhooks of a refusal. A ledger that cannot be read has been reported by the decision.
func (s *session) refused(ctx context.Context, image string, decision advance.Decision) {
	if history, err := s.history(ctx); err == nil {
		s.Refused(ctx, history, image, decision)
	}
}

// showDecision prints a decision for people.
func (s *session) showDecision(decision advance.Decision) error {
	style := s.output.Style
	head := style.Good(decision.Move.String() + " is allowed")
	switch {
	case decision.Allowed() && decision.Overridden != nil:
		head = style.Warn(fmt.Sprintf("%s is allowed by an override, against: %s", decision.Move, move.Causes(decision)))
	case decision.RollBack:
		head = style.Bad(fmt.Sprintf("%s is refused, and the canary should be rolled back: rollout rollback -s %s",
			decision.Move, s.stack.Name))
	case !decision.Allowed():
		head = style.Bad(decision.Move.String() + " is refused")
	case len(decision.Lifted) > 0:
		head = style.Warn(fmt.Sprintf("%s is allowed, because %s lifts: %s", decision.Move, decision.Lifted[0].By.Key,
			decision.Lifted[0].Cause))
	}
	return s.output.Text(fmt.Sprintf("%s\n%s\n", head, decision))
}
