package cli

import (
	"context"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/vextrus/finance-rollout/internal/cli/drill"
	"github.com/vextrus/finance-rollout/internal/gate"
	"github.com/vextrus/finance-rollout/internal/ledger"
	"github.com/vextrus/finance-rollout/internal/names"
	"github.com/vextrus/finance-rollout/internal/rollback"
	"github.com/vextrus/finance-rollout/internal/rollout"
	"github.com/vextrus/finance-rollout/internal/terminal"
)

func rehearseCommand() *cobra.Command {
	var flags common
	var yes bool
	cmd := &cobra.Command{
		Use:   "rehearse",
		Short: "Rehearse a rollback in staging and record its time",
		Long: "Rehearse a rollback in staging with a real canary, and record its time in the ledger of the stack.\n\n" +
			"The command starts a canary with staging's own image beside the track, lets it serve requests, rolls it back by\n" +
			"the steps of a real rollback, and deletes it. The track is left untouched. Staging is the stack in staging.stack.",
		Example: "  rollout rehearse -s production",
		Args:    noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error {
			s, err := flags.begin(cmd)
			if err != nil {
				return err
			}
			return s.rehearse(cmd, yes)
		},
	}
	flags.bind(cmd)
	cmd.Flags().BoolVarP(&yes, "yes", "y", false, "do not ask for confirmation")
	return cmd
}

// rehearsed is the outcome for programs.
type rehearsed struct {
	Stack        string       `json:"stack"`
	Namespace    string       `json:"namespace"`
	Verdict      gate.Verdict `json:"verdict"`
	OutAfter     float64      `json:"outAfterSeconds"`
	TrackIsWhole bool         `json:"trackIsWhole"`
	Entry        int          `json:"entry"`
}

func (s *session) rehearse(cmd *cobra.Command, yes bool) error {
	ctx := cmd.Context()
	if err := s.requireCanary(); err != nil {
		return err
	}
	stack, err := s.stack.Sibling(ctx, s.Settings.Staging.Stack)
	if err != nil {
		return fmt.Errorf("config staging.stack: %w", err)
	}
	staging, err := connect(cmd, stack, s.output)
	if err != nil {
		return err
	}
	if !staging.Settings.IsSingle() {
		return terminal.Usage(fmt.Errorf("stack %s has a canary of its own: a drill needs a stack with one track: "+
			"pulumi config set --path staging.stack NAME -s %s", stack.Name, s.stack.Name))
	}
	question := fmt.Sprintf("Rehearse a rollback in %s at %s, with one more pod for a moment?", staging.Settings.Namespace,
		staging.cluster.Origin())
	if err := s.confirm(ctx, yes, question); err != nil {
		return err
	}
	release, err := staging.lock(ctx, "rehearse", false)
	if err != nil {
		return err
	}
	defer release()
	result, err := drill.Run(ctx, staging.cluster, drill.Options{
		Namespace: staging.Settings.Namespace, App: staging.Settings.App, Service: staging.Settings.ServiceName,
		Deployment: rollout.StableDeployment(staging.Settings), Track: names.StableLabels(staging.Settings.App),
		Ready: time.Duration(staging.Settings.ProgressLimit), Who: s.Who,
		Progress: s.report, OnStep: func(step rollback.Step) { s.report(step.String()) }, Now: s.Clock.Now,
	})
	if err != nil {
		return err
	}
	return s.recordRehearsal(ctx, stack.Name, staging.Settings.Namespace, result)
}

func (s *session) recordRehearsal(ctx context.Context, stack, namespace string, result drill.Result) error {
	verdict := result.Verdict()
	entry := ledger.Entry{Kind: ledger.Rehearsed, Who: s.Who, Stack: stack, Took: result.OutAfter.Milliseconds(),
		Verdict: string(verdict)}
	if err := result.Outcome.Err(); err != nil {
		entry.Reason = err.Error()
	}
	written, err := ledger.Write(ctx, s.Ledger(), s.Clock.Now, entry)
	if err != nil {
		return err
	}
	last, _ := written.Rehearsal()
	outcome := rehearsed{stack, namespace, verdict, result.OutAfter.Seconds(), result.Unhurt, last.Seq}
	err = s.output.Print(outcome, func(style terminal.Style) string {
		text := fmt.Sprintf("the canary was out of traffic after %s; recorded as entry %d",
			result.OutAfter.Round(time.Millisecond), last.Seq)
		if verdict == gate.Pass {
			return style.Good(text)
		}
		if !result.Unhurt {
			text += "; not all pods of the track are endpoints again: rollout status -s " + stack
		}
		return style.Bad("the drill failed: "+text) + "\n" + result.Outcome.String()
	})
	if err != nil {
		return err
	}
	return terminal.OfVerdict(verdict)
}
