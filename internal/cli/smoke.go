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
	"github.com/vextrus/finance-rollout/internal/sanitize"
	"github.com/vextrus/finance-rollout/internal/terminal"
	"github.com/vextrus/finance-rollout/internal/verify"
)

// tracks lists the values of --track.
func tracks() []string { return []string{names.Canary, names.Stable} }

func smokeCommand() *cobra.Command {
	var flags common
	var track string
	cmd := &cobra.Command{
		Use:   "smoke [STACK]",
		Short: "Run the smoke suite against the pods of a stack",
		Long: "Run the smoke suite against the pods of a stack: the canary's if it has any, else the stable track's.\n\n" +
			"The command changes nothing. While a release is on trial it notes in the ledger when it sent requests, so that\n" +
			"they are no evidence. It exits with 1 if a check fails, and with 3 if a check could not run.",
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
	cmd.Flags().StringVar(&track, "track", "", "canary or stable; omit for the canary if it has pods")
	complete(cmd, "track", tracks)
	return cmd
}

// stackArgument accepts the stack as an argument instead of --stack.
func stackArgument(flags *common) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		switch {
		case len(args) > 1:
			return terminal.Usage(fmt.Errorf("%s takes one stack, got %q", cmd.CommandPath(), args))
		case len(args) == 1 && flags.stack != "" && flags.stack != args[0]:
			return terminal.Usage(fmt.Errorf("two stacks are named, %s and %s: pass one", args[0], flags.stack))
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
	withSecrets, err := s.stack.WithSecrets(ctx)
	if err != nil {
		return fmt.Errorf("the suite needs the stack's secrets: %w", err)
	}
	subject, err := s.subject(ctx, track)
	if err != nil {
		return err
	}
	options, err := s.Rollout.With(withSecrets).Verification(subject, "")
	if err != nil {
		return err
	}
	report, err := verify.Smoke(ctx, s.cluster, options)
	if err != nil {
		return terminal.Unknown(err)
	}
	if err := s.NoteSmokeTest(ctx, report.Sent); err != nil {
		fmt.Fprintln(s.progress, sanitize.Text("warning: "+err.Error()))
	}
	if err := s.output.Print(report.Smoke, func(terminal.Style) string { return report.Smoke.String() }); err != nil {
		return err
	}
	return terminal.OfVerdict(report.Verdict)
}

// subject returns the requested track; without a request the canary if it has ready pods, else stable.
func (s *session) subject(ctx context.Context, track string) (rollout.Subject, error) {
	stable := rollout.Subject{Track: names.Stable, Version: s.Settings.StableLabel}
	canary := rollout.Subject{Track: names.Canary, Version: s.Settings.Release, Release: true}
	switch {
	case s.Settings.IsSingle() && track == names.Canary:
		return stable, terminal.Usage(errors.New("this stack has no canary: omit --track"))
	case s.Settings.IsSingle():
		return rollout.SubjectOf(s.Settings), nil
	case track == names.Stable:
		return stable, nil
	case track == names.Canary:
		return canary, nil
	}
	pods, err := s.cluster.ReadyPods(ctx, s.Settings.Namespace, canary.Deployment(s.Settings))
	if err != nil {
		return stable, err
	}
	if len(pods) > 0 {
		return canary, nil
	}
	return stable, nil
}
