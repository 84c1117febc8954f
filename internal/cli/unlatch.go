package cli

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/vextrus/finance-rollout/internal/ledger"
	"github.com/vextrus/finance-rollout/internal/names"
	"github.com/vextrus/finance-rollout/internal/terminal"
)

func unlatchCommand() *cobra.Command {
	var flags common
	var reason, imageName string
	var yes bool
	cmd := &cobra.Command{
		Use: "unlatch",
		// The word that the command had before; scripts may know it.
		Aliases: []string{"resume"},
		Short:   "Release the latch of a rolled-back image",
		Long: "Release the latch of a rolled-back image, so that it may get requests again.\n\n" +
			"Nothing else changes: `rollout advance` or `pulumi up` gives it requests, through the gate. The ledger keeps\n" +
			"who released the latch and why.",
		Example: "  rollout unlatch -s production --reason \"the database was down; the release is not to blame\"",
		Args:    noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if strings.TrimSpace(reason) == "" {
				return terminal.Usage(errors.New("--reason is missing: a latch is released with a reason only"))
			}
			s, err := flags.begin(cmd)
			if err != nil {
				return err
			}
			return s.unlatch(cmd.Context(), reason, imageName, yes)
		},
	}
	flags.bind(cmd)
	cmd.Flags().StringVar(&reason, "reason", "", "why it is safe now (required)")
	cmd.Flags().StringVar(&imageName, "image", "", "image or digest whose latch is released; empty for the one that is "+
		"configured")
	cmd.Flags().BoolVarP(&yes, "yes", "y", false, "do not ask")
	return cmd
}

// unlatched is the outcome for programs.
type unlatched struct {
	Latch  ledger.Entry `json:"latch"`
	Reason string       `json:"reason"`
}

func (s *session) unlatch(ctx context.Context, reason, imageName string, yes bool) error {
	history, err := s.history(ctx)
	if err != nil {
		return err
	}
	latch, err := s.latch(history, imageName)
	if err != nil {
		return err
	}
	question := fmt.Sprintf("%s (%s) was rolled back at %s by %s: %s\nLet it get requests in %s again, because: %s?",
		latch.Release, latch.Image, latch.Time.UTC().Format("2006-01-02 15:04:05"), latch.Who, latch.Reason,
		s.settings.Namespace, reason)
	if err := s.confirm(ctx, yes, question); err != nil {
		return err
	}
	release, err := s.alone(ctx, "unlatch", false)
	if err != nil {
		return err
	}
	defer release()
	_, err = ledger.Append(ctx, s.store(), s.now, func(current *ledger.Ledger) ([]ledger.Entry, error) {
		state := current.State()
		if now, latched := state.Latch(latch.Image); !latched || now.Seq != latch.Seq {
			return nil, errors.New("the latch was changed by somebody else meanwhile: look at `rollout status`")
		}
		return []ledger.Entry{{Kind: ledger.LatchReleased, Who: s.who, Image: latch.Image, Release: latch.Release,
			Ref: latch.Seq, Reason: reason}}, nil
	})
	if err != nil {
		return err
	}
	return s.output.Print(unlatched{latch, reason}, func(style terminal.Style) string {
		return style.Good("the latch of "+latch.Image+" is released") +
			fmt.Sprintf("\nit gets no requests before somebody gives it some: rollout advance -s %s --to %d", s.stack.Name,
				s.settings.Stages[0])
	})
}

// latch finds the latch of an image: of the one that is named, else of the configured one, else of the last that was
// rolled back.
func (s *session) latch(history *ledger.Ledger, imageName string) (ledger.Entry, error) {
	state := history.State()
	if state.Unfinished != nil {
		return ledger.Entry{}, fmt.Errorf("the rollback of %s is not finished: first `rollout rollback -s %s`",
			state.Unfinished.Release, s.stack.Name)
	}
	digest := names.Digest(imageName)
	switch {
	case digest != "":
	case imageName != "":
		digest = imageName
	default:
		if digest = names.Digest(s.settings.Image); digest == "" {
			digest = state.Image
		}
	}
	if latch, latched := state.Latch(digest); latched {
		return latch, nil
	}
	if last, latched := state.Latch(state.Image); latched && imageName == "" {
		return ledger.Entry{}, terminal.Usage(fmt.Errorf("the configured image %s has no latch; the one that was rolled "+
			"back last is %s: name it with --image", digest, last.Image))
	}
	return ledger.Entry{}, terminal.Usage(fmt.Errorf("no latch keeps %s out: there is nothing to release; rollout "+
		"status -s %s", digest, s.stack.Name))
}
