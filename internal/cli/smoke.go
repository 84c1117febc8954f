package cli

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/vextrus/finance-rollout/internal/cli/stack"
	"github.com/vextrus/finance-rollout/internal/names"
	"github.com/vextrus/finance-rollout/internal/rollout"
	"github.com/vextrus/finance-rollout/internal/terminal"
	"github.com/vextrus/finance-rollout/internal/verify"
)

// tracks are the tracks that a command can be about.
func tracks() []string { return []string{names.Canary, names.Stable} }

func smokeCommand() *cobra.Command {
	var flags common
	var track string
	cmd := &cobra.Command{
		Use:   "smoke [STACK]",
		Short: "Run the smoke suite against the pods of a stack",
		Long: "Run the smoke suite against the pods of a stack: those of the canary where it has any, else those of the " +
			"stable track.\n\n" +
			"Nothing is recorded and nothing changes. It ends with 1 when a check fails, and with 3 when one could not be made.",
		Example:           "  rollout smoke staging\n  rollout smoke production --track stable",
		Args:              stackArgument(&flags),
		ValidArgsFunction: completeStack(&flags),
		RunE: func(cmd *cobra.Command, _ []string) error {
			if track != "" && track != names.Canary && track != names.Stable {
				return terminal.Usage(fmt.Errorf("--track %q: allowed are %s", track, strings.Join(tracks(), ", ")))
			}
			s, err := flags.begin(cmd)
			if err != nil {
				return err
			}
			return s.smoke(cmd.Context(), track)
		},
	}
	flags.bind(cmd)
	cmd.Flags().StringVar(&track, "track", "", "canary or stable; empty for the canary where it has pods")
	complete(cmd, "track", tracks)
	return cmd
}

// stackArgument takes the stack as an argument, in the place of --stack.
func stackArgument(flags *common) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		switch {
		case len(args) > 1:
			return terminal.Usage(fmt.Errorf("%s takes one stack, got %q", cmd.CommandPath(), args))
		case len(args) == 1 && flags.stack != "" && flags.stack != args[0]:
			return terminal.Usage(fmt.Errorf("two stacks are named, %s and %s", args[0], flags.stack))
		case len(args) == 1:
			flags.stack = args[0]
		}
		return nil
	}
}

func completeStack(flags *common) cobra.CompletionFunc {
	return func(_ *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
		if len(args) > 0 {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		return stack.Stacks(flags.dir), cobra.ShellCompDirectiveNoFileComp
	}
}

func (s *session) smoke(ctx context.Context, track string) error {
	known, err := s.stack.WithSecrets(ctx)
	if err != nil {
		return fmt.Errorf("the suite needs the stack's secrets: %w", err)
	}
	subject, err := s.subject(ctx, track)
	if err != nil {
		return err
	}
	options, err := s.rollout().With(known).Verification(subject, "")
	if err != nil {
		return err
	}
	report, err := verify.Smoke(ctx, s.cluster, options)
	if err != nil {
		return terminal.Unknown(err)
	}
	if err := s.output.Print(report.Smoke, func(terminal.Style) string { return report.Smoke.String() }); err != nil {
		return err
	}
	return terminal.OfVerdict(report.Verdict)
}

// subject is the track that is asked for; without one the canary where it has ready pods.
func (s *session) subject(ctx context.Context, track string) (rollout.Subject, error) {
	stable := rollout.Subject{Track: names.Stable, Version: s.settings.StableLabel}
	canary := rollout.Subject{Track: names.Canary, Version: s.settings.Release, Release: true}
	switch {
	case s.settings.IsSingle() && track == names.Canary:
		return stable, terminal.Usage(errors.New("this stack has one track and no canary"))
	case s.settings.IsSingle():
		return rollout.SubjectOf(s.settings), nil
	case track == names.Stable:
		return stable, nil
	case track == names.Canary:
		return canary, nil
	}
	pods, err := s.cluster.ReadyPods(ctx, s.settings.Namespace, canary.Deployment(s.settings))
	if err != nil {
		return stable, err
	}
	if len(pods) > 0 {
		return canary, nil
	}
	return stable, nil
}
