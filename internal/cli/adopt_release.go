package cli

import (
	"context"
	"fmt"
	"strings"

	"github.com/vextrus/finance-rollout/internal/cli/adopt"
	"github.com/vextrus/finance-rollout/internal/ledger"
	"github.com/vextrus/finance-rollout/internal/names"
	"github.com/vextrus/finance-rollout/internal/takeover"
	"github.com/vextrus/finance-rollout/internal/terminal"
)

// released is the outcome of a release for programs.
type released struct {
	*takeover.Released
	Refusals []*takeover.Refusal `json:"refusals,omitempty"`
	Done     bool                `json:"done"`
}

// letGo shows what stays and what goes, asks, and lets the service go.
func (s *session) letGo(ctx context.Context, f *adoptFlags, target takeover.Target, live *takeover.Live) error {
	outcome, err := s.release(ctx, target, live)
	if err != nil {
		return err
	}
	refused := len(outcome.Refusals) > 0
	if refused || f.plan {
		err := s.output.Print(outcome, func(style terminal.Style) string { return releaseText(outcome, style) })
		if err == nil && refused {
			err = terminal.ErrNotInOrder
		}
		return err
	}
	if !s.output.JSON() {
		if err := s.output.Text(releaseText(outcome, s.output.Style)); err != nil {
			return err
		}
	}
	question := fmt.Sprintf("Let service %s/%s at %s go out of stack %s?", target.Namespace, target.ServiceName,
		s.cluster.Origin(), s.stack.Name)
	if err := s.confirm(ctx, f.yes, question); err != nil {
		return err
	}
	unlock, err := s.lock(ctx, "adopt", false)
	if err != nil {
		return err
	}
	defer unlock()
	letting := &adopt.Letting{Cluster: s.cluster, Target: target, Import: s.stack.ImportState, Report: s.report,
		Destroy: func(ctx context.Context) error { return s.stack.Destroy(ctx, s.progress) }}
	if err := letting.Run(ctx, outcome.Released); err != nil {
		return err
	}
	outcome.Done = true
	return s.output.Print(outcome, func(style terminal.Style) string {
		return style.Good(fmt.Sprintf("deployment %s/%s and its service run on by themselves; stack %s has nothing left",
			target.Namespace, names.StableDeployment(target.App), s.stack.Name)) + "\n"
	})
}

// release looks at what stands against letting go, and at what stays and goes.
func (s *session) release(ctx context.Context, target takeover.Target, live *takeover.Live) (*released, error) {
	history, err := ledger.Read(ctx, s.Ledger())
	if err != nil {
		return nil, err
	}
	state, underWay := history.State(), ""
	if state.Begun != nil {
		underWay = fmt.Sprintf("to %d %%, since %s", state.Begun.To, state.Begun.Time.UTC().Format("2006-01-02 15:04"))
	}
	stable, exists, err := s.cluster.Deployment(ctx, target.Namespace, names.StableDeployment(target.App))
	if err != nil {
		return nil, err
	}
	wanted, ready := 0, 0
	if exists {
		ready = int(stable.Status.ReadyReplicas)
		if stable.Spec.Replicas != nil {
			wanted = int(*stable.Spec.Replicas)
		}
	}
	outcome := &released{Refusals: takeover.RefuseRelease(target, state.Weight, underWay, live, wanted, ready)}
	if len(outcome.Refusals) > 0 {
		return outcome, nil
	}
	exported, err := s.stack.ExportState(ctx)
	if err != nil {
		return nil, err
	}
	outcome.Released, err = takeover.Release(target.App, exported)
	return outcome, err
}

// releaseText formats what stays and what goes for people.
func releaseText(outcome *released, style terminal.Style) string {
	var text strings.Builder
	for _, refusal := range outcome.Refusals {
		fmt.Fprintf(&text, "%s %s: %s\n  to resolve: %s\n", style.Bad("refused"), refusal.Object, refusal.Reason, refusal.Fix)
	}
	if outcome.Released == nil {
		return text.String()
	}
	for _, group := range []struct {
		title   string
		objects []takeover.Object
	}{{"stays as it is", outcome.Stays}, {"goes", outcome.Goes}} {
		fmt.Fprintln(&text, style.Bold(group.title))
		for _, object := range group.objects {
			fmt.Fprintf(&text, "  %s\n", object)
		}
	}
	return text.String()
}
