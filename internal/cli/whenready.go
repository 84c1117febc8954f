package cli

import (
	"context"
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/vextrus/finance-rollout/internal/cli/move"
	"github.com/vextrus/finance-rollout/internal/cli/stack"
	"github.com/vextrus/finance-rollout/internal/kube"
	"github.com/vextrus/finance-rollout/internal/terminal"
)

// readyOutcome is the outcome of `rollout advance --when-ready`, for programs.
type readyOutcome struct {
	// Action is wait, set or update.
	Action move.Action `json:"action"`
	Reason string      `json:"reason"`
	// Image, a digest, and Weight, in percent, are the target of the move; empty while there is none. A finish has the
	// weight 0.
	Image  string `json:"image,omitempty"`
	Weight *int   `json:"weight,omitempty"`
	// Done is true once the action was carried out.
	Done bool `json:"made"`
}

// checkReady checks the flags that go with --when-ready.
func (f *moveFlags) checkReady(cmd *cobra.Command) error {
	changed := cmd.Flags().Changed
	switch {
	case f.setOnly && !f.ready:
		return errors.New("--set-only is for --when-ready: pass both, or neither")
	case f.ready && (changed("to") || changed("override")):
		return errors.New("--when-ready takes the next stage and overrides nothing: omit --to and --override")
	default:
		return nil
	}
}

// whenReady goes on to the next stage if nothing is against it, and says in one line why it does something or nothing.
// Nobody is asked.
func (s *session) whenReady(ctx context.Context, setOnly bool) error {
	release, err := s.lock(ctx, "advance --when-ready", false)
	if held, ok := errors.AsType[*kube.HeldError](err); ok {
		return s.waits(fmt.Sprintf("another operator changes this rollout: %s", held))
	}
	if err != nil {
		return err
	}
	defer release()
	operation := s.operation()
	ready, err := operation.WhenReady(ctx)
	if err != nil {
		return err
	}
	outcome := readyOutcome{Action: ready.Action, Reason: ready.Reason}
	if ready.Move != nil {
		outcome.Image, outcome.Weight = ready.Move.Target.Canary, &ready.Move.Target.Weight
	}
	switch {
	case ready.Action == move.Wait:
		if err := s.printReady(outcome); err != nil {
			return err
		}
		if ready.Decision != nil && ready.Decision.RollBack {
			return terminal.ErrNotInOrder
		}
		return nil
	case setOnly:
		err = operation.Prepare(ctx, ready.Move)
		outcome.Done = ready.Action == move.Set
	default:
		err = operation.Make(ctx, ready.Move, *ready.Decision)
		outcome.Done = true
	}
	if errors.Is(err, stack.ErrLocked) {
		return s.waits("another update of the stack is running")
	}
	if err != nil {
		return err
	}
	return s.printReady(outcome)
}

// waits says why nothing is done.
func (s *session) waits(reason string) error {
	return s.printReady(readyOutcome{Action: move.Wait, Reason: reason})
}

func (s *session) printReady(outcome readyOutcome) error {
	return s.output.Print(outcome, func(style terminal.Style) string {
		if outcome.Action == move.Wait {
			return "nothing to do: " + outcome.Reason
		}
		done := map[bool]string{true: "done", false: "to do: pulumi up -s " + s.stack.Name}[outcome.Done]
		if outcome.Action == move.Set && outcome.Done {
			done = "set in the stack's file"
		}
		return style.Good(outcome.Reason + ": " + done)
	})
}
