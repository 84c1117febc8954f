package cli

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/vextrus/finance-rollout/internal/cli/recovery"
	"github.com/vextrus/finance-rollout/internal/ledger"
	"github.com/vextrus/finance-rollout/internal/names"
	"github.com/vextrus/finance-rollout/internal/rollback"
	"github.com/vextrus/finance-rollout/internal/sanitize"
	"github.com/vextrus/finance-rollout/internal/settings"
	"github.com/vextrus/finance-rollout/internal/terminal"
)

// rollbackFlags are how a rollback is done.
type rollbackFlags struct {
	common
	option     string
	toRevision int
	release    string
	reason     string
	report     string
	watch      time.Duration
	yes        bool
}

func rollbackCommand() *cobra.Command {
	var flags rollbackFlags
	cmd := &cobra.Command{
		Use:   "rollback",
		Short: "Take the canary out of traffic and bring the stack to the same position",
		Long: "Take the canary out of traffic and bring the stack to the same position.\n\n" +
			"Whatever the option, the image is latched, the canary's pods lose their requests at once, the stable track gets " +
			"its\n" +
			"full capacity, and logs and events are kept. Then the option decides about the pods:\n\n" +
			"  scale   the Deployment stays, without pods\n" +
			"  delete  the Deployment is deleted, and the stack has no canary image any more\n" +
			"  undo    the Deployment goes back to an earlier revision, without pods; `rollout advance` gives it requests\n\n" +
			"After that the stack's configuration and state follow (canaryWeight 0, pulumi up --refresh), the smoke suite runs\n" +
			"against the stable track, which is then watched, and a report is written. It needs nothing but the cluster: what\n" +
			"else does not answer is named, with what is left to do. It may be repeated.",
		Example: "  rollout rollback -s production --reason \"customers report wrong totals\"\n" +
			"  rollout rollback -s production --option undo --to-revision 3 --yes",
		Args: noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if cmd.Flags().Changed("watch") && flags.watch < 0 {
				return terminal.Usage(fmt.Errorf("--watch %s: 0 or more is needed", flags.watch))
			}
			if !cmd.Flags().Changed("watch") {
				flags.watch = -1
			}
			return runRollback(cmd, flags)
		},
	}
	flags.bind(cmd)
	set := cmd.Flags()
	set.StringVar(&flags.option, "option", recovery.Scale, strings.Join(recovery.OptionNames(), ", "))
	set.IntVar(&flags.toRevision, "to-revision", 0, "revision that --option undo goes back to; 0 for the one before")
	set.StringVar(&flags.release, "release", "", "release to roll back; empty for the one that is on trial")
	set.StringVar(&flags.reason, "reason", "by hand", "why; it is kept in the ledger")
	set.DurationVar(&flags.watch, "watch", 0, "how long the stable track is watched afterwards (default: the stack's "+
		"guard.watch)")
	set.StringVar(&flags.report, "report", "", "file of the report; empty for rollback-RELEASE-TIME.md, - for none")
	set.BoolVarP(&flags.yes, "yes", "y", false, "do not ask")
	complete(cmd, "option", recovery.OptionNames)
	return cmd
}

func runRollback(cmd *cobra.Command, flags rollbackFlags) error {
	ctx := cmd.Context()
	s, err := flags.emergency(cmd)
	if err != nil {
		return err
	}
	if err := s.canaries(); err != nil {
		return err
	}
	secrets := s.fetchSecrets(ctx)
	state, canary, err := s.onTrial(ctx, flags.release)
	if err != nil {
		return err
	}
	revisions, err := s.cluster.Revisions(ctx, s.settings.Namespace, canary.Deployment)
	if err != nil && flags.option == recovery.Undo {
		return err
	}
	choice, err := recovery.Choose(flags.option, flags.toRevision, canary, revisions, state)
	if err != nil {
		return terminal.Usage(err)
	}
	record, err := s.record(ctx)
	if err != nil {
		return err
	}
	// The record is written by an update that passed: until it says 0, the stack has not followed an earlier rollback.
	if settled := record["weight"] == "" || record["weight"] == "0"; canary.Out && settled &&
		s.settings.Position().Weight == 0 {
		return s.output.Print(map[string]any{"nothing": true, "canary": canary}, func(terminal.Style) string {
			return fmt.Sprintf("there is nothing to roll back: %s has no requests and no pods, and the configuration asks "+
				"for 0 %%", canary.Release)
		})
	}
	question := fmt.Sprintf("%s %s has %d %% of the requests and %d pods in %s at %s.\nIts image %s will be latched. "+
		"In the place of %#q:\nroll back?",
		s.settings.App, canary.Release, canary.Weight, canary.Desired, s.settings.Namespace, s.cluster.Origin(), canary.Image,
		choice.Kubectl(s.settings.Namespace, canary.Deployment))
	if err := s.confirm(ctx, flags.yes, question); err != nil {
		return err
	}
	if release, err := s.alone(ctx, "rollback", true); err == nil {
		defer release()
	}
	request := recovery.Request{Stack: s.stack.Name, Namespace: s.settings.Namespace, Who: s.who, Canary: canary,
		Choice: choice}
	report := recovery.Run(ctx, request, func(ctx context.Context) rollback.Outcome {
		return s.takeOut(ctx, request, flags.reason, secrets)
	}, s.afterwards(request, secrets, flags.watch))
	if err := s.writeReport(report, flags.report); err != nil {
		return err
	}
	if err := s.output.Print(report, func(terminal.Style) string { return report.Summary() }); err != nil {
		return err
	}
	return terminal.OfVerdict(report.Verdict())
}

// emergency opens a session with a stack whose configuration may be wrong: nothing may keep a bad canary in traffic.
func (c *common) emergency(cmd *cobra.Command) (*session, error) {
	stack, output, err := c.open(cmd)
	if _, wrong := errors.AsType[*settings.Error](err); wrong && stack != nil && stack.Settings != nil {
		fmt.Fprintf(cmd.ErrOrStderr(), "warning: the configuration is not valid, and what can be read of it is used: %s\n",
			sanitize.Text(err.Error()))
	} else if err != nil {
		return nil, err
	}
	return connect(cmd, stack, output)
}

// onTrial finds what is to be rolled back.
func (s *session) onTrial(ctx context.Context, wanted string) (*ledger.State, recovery.Canary, error) {
	known := recovery.Facts{App: s.settings.App, Wanted: wanted, Configured: s.settings.Release}
	history, err := ledger.Read(ctx, s.store())
	if err != nil {
		s.tell("warning: %s", err)
	} else {
		state := history.State()
		known.State = &state
	}
	if known.Deployments, err = s.cluster.Deployments(ctx, s.settings.Namespace,
		names.CanaryLabels(s.settings.App)); err != nil {
		return nil, recovery.Canary{}, err
	}
	canary, err := recovery.Find(known)
	if err != nil {
		return nil, canary, terminal.Usage(err)
	}
	return known.State, canary, nil
}

// takeOut is the rollback itself, by the same steps as the guard's.
func (s *session) takeOut(ctx context.Context, request recovery.Request, reason string,
	secrets *secretSettings) rollback.Outcome {
	options := s.rollout().Rollback(request.Canary.Release, reason, map[string]string{"option": request.Choice.Option})
	options.Secrets = secrets.revealed()
	options.OnStep = func(step rollback.Step) { s.tell("%s", step) }
	request.Choice.Apply(&options, s.cluster)
	s.tell("rolling back %s: %s", request.Canary.Release, reason)
	return rollback.Run(ctx, s.cluster, s.rollout().Recorder(request.Canary.Image, request.Canary.Release),
		options)
}

// writeReport keeps the report in a file.
func (s *session) writeReport(report *recovery.Report, path string) error {
	if path == "-" {
		return nil
	}
	if path == "" {
		path = fmt.Sprintf("rollback-%s-%s.md", report.Canary.Release, report.Began.Format("20060102-150405"))
	}
	if err := os.WriteFile(path, []byte(report.Markdown()), 0o600); err != nil {
		return fmt.Errorf("the rollback is done, but its report could not be written: %w", err)
	}
	s.tell("report: %s", path)
	return nil
}

// secretSettings are settings with secrets, which arrive from the Pulumi CLI while something else is done.
type secretSettings struct {
	done     chan struct{}
	settings *settings.Settings
	err      error
}

// secretsWait is how long a rollback waits for them: known secrets are kept out of the evidence, but no canary is
// kept in traffic for it.
const secretsWait = time.Second

func (s *session) fetchSecrets(ctx context.Context) *secretSettings {
	fetched := &secretSettings{done: make(chan struct{})}
	go func() {
		defer close(fetched.done)
		fetched.settings, fetched.err = s.stack.WithSecrets(ctx)
	}()
	return fetched
}

// revealed are the secrets, if they arrive soon; what looks like one is redacted in any case.
func (f *secretSettings) revealed() []string {
	select {
	case <-f.done:
		if f.err == nil {
			return f.settings.Revealed()
		}
	case <-time.After(secretsWait):
	}
	return nil
}

// wait gives the settings with secrets.
func (f *secretSettings) wait(ctx context.Context) (*settings.Settings, error) {
	select {
	case <-f.done:
		return f.settings, f.err
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
}
