package cli

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/vextrus/finance-rollout/internal/cli/unlatch"
	"github.com/vextrus/finance-rollout/internal/ledger"
	"github.com/vextrus/finance-rollout/internal/terminal"
)

func unlatchCommand() *cobra.Command {
	var flags common
	var reason, imageName string
	var yes bool
	cmd := &cobra.Command{
		Use: "unlatch",
		// The former name; scripts may use it.
		Aliases: []string{"resume"},
		Short:   "Release the latch of a rolled-back image",
		Long: "Release the latch of a rolled-back image, so that it may get requests again.\n\n" +
			"Nothing else changes: `rollout advance` or `pulumi up` gives it requests, through the gate. The ledger keeps\n" +
			"who released the latch and why.",
		Example: "  rollout unlatch -s production --reason \"the database was down; the release is not to blame\"",
		Args:    noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if strings.TrimSpace(reason) == "" {
				return terminal.Usage(errors.New("--reason is missing: a latch is only released with a reason"))
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
	cmd.Flags().StringVar(&imageName, "image", "", "image or digest whose latch to release; omit for the configured image")
	cmd.Flags().BoolVarP(&yes, "yes", "y", false, "do not ask for confirmation")
	return cmd
}

// unlatched is the outcome for programs.
type unlatched struct {
	Latch  ledger.Entry `json:"latch"`
	Reason string       `json:"reason"`
}

func (s *session) unlatch(ctx context.Context, reason, image string, yes bool) error {
	history, err := s.history(ctx)
	if err != nil {
		return err
	}
	latch, err := unlatch.Find(history.State(), image, s.Settings.Image, s.stack.Name)
	if err != nil {
		return err
	}
	covers := unlatch.Covers(history.State(), latch)
	question := fmt.Sprintf("%s (%s) was rolled back at %s by %s: %s\nAllow it requests in %s again, because: %s?",
		latch.Release, covers, latch.Time.UTC().Format("2006-01-02 15:04:05"), latch.Who, latch.Reason,
		s.Settings.Namespace, reason)
	if err := s.confirm(ctx, yes, question); err != nil {
		return err
	}
	release, err := s.lock(ctx, "unlatch", false)
	if err != nil {
		return err
	}
	defer release()
	if err := unlatch.Release(ctx, s.Ledger(), s.Clock.Now, latch, s.Who, reason, s.stack.Name); err != nil {
		return err
	}
	return s.output.Print(unlatched{latch, reason}, func(style terminal.Style) string {
		return style.Good("the latch of "+covers+" is released") +
			fmt.Sprintf("\nit gets no requests until its weight is raised: rollout advance -s %s --to %d", s.stack.Name,
				s.Settings.Stages[0])
	})
}
