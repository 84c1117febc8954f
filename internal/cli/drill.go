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
		Short: "Drill a rollback in staging, for real, and record its time",
		Long: "Drill a rollback in staging, for real, and record its time in the ledger of the stack.\n\n" +
			"A canary of staging's own image gets requests there beside the track, and is taken out by the same steps as a " +
			"real\n" +
			"one. Then it is deleted; the track is left as it was. Staging is the stack that staging.stack names.",
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
	cmd.Flags().BoolVarP(&yes, "yes", "y", false, "do not ask")
	return cmd
}

// rehearsed is the outcome of a drill for programs.
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
	if err := s.canaries(); err != nil {
		return err
	}
	stack, err := s.stack.Sibling(ctx, s.settings.Staging.Stack)
	if err != nil {
		return fmt.Errorf("config staging.stack: %w", err)
	}
	staging, err := connect(cmd, stack, s.output)
	if err != nil {
		return err
	}
	if !staging.settings.IsSingle() {
		return terminal.Usage(fmt.Errorf("stack %s has a canary of its own: a drill is held in a stack with one track, so "+
			"that it meets no real one", stack.Name))
	}
	question := fmt.Sprintf("Drill a rollback in %s at %s: one pod more for a moment?", staging.settings.Namespace,
		staging.cluster.Origin())
	if err := s.confirm(ctx, yes, question); err != nil {
		return err
	}
	release, err := staging.alone(ctx, "rehearse", false)
	if err != nil {
		return err
	}
	defer release()
	result, err := drill.Run(ctx, staging.cluster, drill.Options{
		Namespace: staging.settings.Namespace, App: staging.settings.App, Service: staging.settings.ServiceName,
		Deployment: rollout.StableDeployment(staging.settings), Track: names.StableLabels(staging.settings.App),
		Ready: time.Duration(staging.settings.ProgressLimit), Who: s.who,
		Progress: func(text string) { s.tell("%s", text) }, OnStep: func(step rollback.Step) { s.tell("%s", step) }, Now: s.now,
	})
	if err != nil {
		return err
	}
	return s.recordRehearsal(ctx, stack.Name, staging.settings.Namespace, result)
}

func (s *session) recordRehearsal(ctx context.Context, stack, namespace string, result drill.Result) error {
	verdict := result.Verdict()
	entry := ledger.Entry{Kind: ledger.Rehearsed, Who: s.who, Stack: stack, Took: result.OutAfter.Milliseconds(),
		Verdict: string(verdict)}
	if err := result.Outcome.Err(); err != nil {
		entry.Reason = err.Error()
	}
	written, err := ledger.Write(ctx, s.store(), s.now, entry)
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
			text += "; the track has not all its pods among the endpoints: rollout status -s " + stack
		}
		return style.Bad("the drill failed: "+text) + "\n" + result.Outcome.String()
	})
	if err != nil {
		return err
	}
	return terminal.OfVerdict(verdict)
}
