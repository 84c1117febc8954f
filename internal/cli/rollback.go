package cli

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/vextrus/finance-rollout/internal/cli/recovery"
	"github.com/vextrus/finance-rollout/internal/sanitize"
	"github.com/vextrus/finance-rollout/internal/settings"
	"github.com/vextrus/finance-rollout/internal/terminal"
)

// rollbackFlags are the flags of rollout rollback.
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
			"With every option the image is latched, and stable is asked for all its pods. The canary's pods leave the\n" +
			"Service as stable gains its own: at least 80 % of the plan's pods stay ready, for two minutes at most. They\n" +
			"leave at once where a Gateway's weights have taken the requests away, or where the cluster refuses stable's\n" +
			"pods. Logs and events are kept. The option decides about the pods:\n\n" +
			"  scale   keep the Deployment without pods\n" +
			"  delete  delete the Deployment, and remove the canary image from the configuration\n" +
			"  undo    restore an earlier revision of the Deployment, without pods; `rollout advance` gives it requests\n\n" +
			"Then the command updates the stack's configuration and state (canaryWeight 0, pulumi up --refresh), runs the\n" +
			"smoke suite on the stable track, watches it, and writes a report. The rollback needs nothing but the cluster:\n" +
			"the report lists the steps that are left if anything else does not answer. The command can be repeated.",
		Example: "  rollout rollback -s production --reason \"customers report wrong totals\"\n" +
			"  rollout rollback -s production --option undo --to-revision 3 --yes",
		Args: noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if cmd.Flags().Changed("watch") && flags.watch < 0 {
				return terminal.Usage(fmt.Errorf("--watch %s: allowed are durations from 0", flags.watch))
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
	set.IntVar(&flags.toRevision, "to-revision", 0, "revision to restore with --option undo; 0 for the previous one")
	set.StringVar(&flags.release, "release", "", "release to roll back; omit for the one on trial")
	set.StringVar(&flags.reason, "reason", "by hand", "reason, kept in the ledger")
	set.DurationVar(&flags.watch, "watch", 0, "how long to watch the stable track afterwards (default: the stack's "+
		"guard.watch)")
	set.StringVar(&flags.report, "report", "", "file of the report, - for none; omit for rollback-RELEASE-TIME.md")
	set.BoolVarP(&flags.yes, "yes", "y", false, "do not ask for confirmation")
	complete(cmd, "option", recovery.OptionNames)
	return cmd
}

func runRollback(cmd *cobra.Command, flags rollbackFlags) error {
	ctx := cmd.Context()
	s, err := flags.emergency(cmd)
	if err != nil {
		return err
	}
	if err := s.requireCanary(); err != nil {
		return err
	}
	operation := &recovery.Operation{
		Rollout: s.Rollout, Cluster: s.cluster, Stack: s.stack, StackName: s.stack.Name, Output: s.progress,
		Progress: s.report,
	}
	selection := recovery.Selection{Release: flags.release, Option: flags.option, ToRevision: flags.toRevision}
	plan, err := operation.Prepare(ctx, selection)
	if _, wrong := errors.AsType[*recovery.SelectionError](err); wrong {
		return terminal.Usage(err)
	} else if err != nil {
		return err
	}
	if plan.Nothing {
		return s.output.Print(plan, func(terminal.Style) string {
			return fmt.Sprintf("nothing to roll back: %s has no requests and no pods, and the configuration asks for 0 %%",
				plan.Canary.Release)
		})
	}
	if err := s.confirm(ctx, flags.yes, operation.Question(plan, s.cluster.Origin())); err != nil {
		return err
	}
	// A Lease that cannot be taken does not keep a bad canary in traffic.
	if release, err := s.lock(ctx, "rollback", true); err == nil {
		defer release()
	}
	report := operation.Run(ctx, plan, flags.reason, flags.watch)
	if err := s.writeReport(report, flags.report); err != nil {
		return err
	}
	if err := s.output.Print(report, func(terminal.Style) string { return report.Summary() }); err != nil {
		return err
	}
	return terminal.OfVerdict(report.Verdict())
}

// emergency begins a session even if the stack's configuration is invalid: nothing may keep a bad canary in traffic.
func (c *common) emergency(cmd *cobra.Command) (*session, error) {
	stack, output, err := c.open(cmd)
	if _, invalid := errors.AsType[*settings.Error](err); invalid && stack != nil && stack.Settings != nil {
		fmt.Fprintf(cmd.ErrOrStderr(), "warning: the configuration is invalid, and its valid part is used: %s\n",
			sanitize.Text(err.Error()))
	} else if err != nil {
		return nil, err
	}
	return connect(cmd, stack, output)
}

// writeReport writes the report to a file.
func (s *session) writeReport(report *recovery.Report, path string) error {
	if path == "-" {
		return nil
	}
	if path == "" {
		path = fmt.Sprintf("rollback-%s-%s.md", report.Canary.Release, report.Began.Format("20060102-150405"))
	}
	if err := os.WriteFile(path, []byte(s.output.Rewritten(report.Markdown())), 0o600); err != nil {
		return fmt.Errorf("the rollback is done, but writing its report failed: %w", err)
	}
	s.report("report: " + path)
	return nil
}
