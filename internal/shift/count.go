package shift

import (
	"context"
	"fmt"

	"github.com/vextrus/finance-rollout/internal/kube/podstate"
	"github.com/vextrus/finance-rollout/internal/names"
	"github.com/vextrus/finance-rollout/internal/plan"
	"github.com/vextrus/finance-rollout/internal/settings"
)

// checkPods checks that the tracks have the pods of the position: where the pod count is the weight, another count is
// another weight than the one that would be recorded. The stack's state does not show the pods that a rollback, a
// webhook or somebody else has scaled. The pods of an autoscaler are its own affair.
func (g *Gate) checkPods(ctx context.Context) error {
	s := g.settings
	if s.IsSingle() {
		return nil
	}
	counts := podCounts{settings: s}
	var err error
	canary, stable := names.CanaryDeployment(s.App, s.Release), names.StableDeployment(s.App)
	if counts.canary, err = g.shift.cluster.Replicas(ctx, s.Namespace, canary); err != nil {
		return err
	}
	if counts.stable, err = g.shift.cluster.Replicas(ctx, s.Namespace, stable); err != nil {
		return err
	}
	position := s.Position()
	switch {
	case s.Stable.Autoscale == nil && counts.differ(counts.stable, position.Stable):
		return counts.refuse(g.scaler(ctx, stable), stable, counts.stable, position.Stable)
	case s.Canary.Autoscale == nil && counts.differ(counts.canary, position.Canary):
		return counts.refuse(g.scaler(ctx, canary), canary, counts.canary, position.Canary)
	}
	return nil
}

// scaler is who has scaled a Deployment. One that cannot be looked at was scaled by somebody.
func (g *Gate) scaler(ctx context.Context, deployment string) podstate.Scaler {
	live, exists, err := g.shift.cluster.Deployment(ctx, g.settings.Namespace, deployment)
	if err != nil || !exists {
		return podstate.Scaler{}
	}
	return podstate.ScalerOf(live)
}

// podCounts are the pods that the tracks ask for in the cluster.
type podCounts struct {
	settings       *settings.Settings
	stable, canary int
}

// differ reports whether a track's pods are not those of the plan. By weights, more pods change no share; an autoscaler
// that this update removes may still have them.
func (c podCounts) differ(live, planned int) bool {
	return live < planned || live > planned && !c.settings.IsGateway()
}

// refuse says who has scaled a Deployment, which weight that gives, and how to resolve it.
func (c podCounts) refuse(scaler podstate.Scaler, deployment string, live, planned int) error {
	return fmt.Errorf("deployment %s/%s has %d pods and shall have %d%s: %s; to resolve: %s",
		c.settings.Namespace, deployment, live, planned, c.weight(), scaler,
		c.resolve(scaler, deployment, live, planned))
}

// weight is the canary's share by its pods, where the pods give it.
func (c podCounts) weight() string {
	position := c.settings.Position()
	if c.settings.IsGateway() || position.Warm || c.stable+c.canary == 0 {
		return ""
	}
	return fmt.Sprintf(", so that the canary's share is %d %% and not %d %%",
		(100*c.canary+(c.stable+c.canary)/2)/(c.stable+c.canary), position.Weight)
}

// resolve is the command that resolves a count that is not the plan's.
func (c podCounts) resolve(scaler podstate.Scaler, deployment string, live, planned int) string {
	s, refresh := c.settings, "pulumi up --refresh -s "+c.settings.StackName()
	switch {
	case scaler.IsAutoscaler():
		return fmt.Sprintf("delete the autoscaler (kubectl get hpa -n %s), then %s", s.Namespace, refresh)
	case !scaler.IsAdmission():
		return refresh
	}
	exempt := fmt.Sprintf("exempt the namespace %s from the webhook (kubectl get mutatingwebhookconfigurations)",
		s.Namespace)
	if command := c.plan(deployment, live); command != "" && live > planned {
		exempt += ", or plan for its number: " + command
	}
	return exempt + ", then " + refresh
}

// mostPods bounds the pods of a plan that is proposed.
const mostPods = 1000

// plan is the command that sets a plan in which the Deployment has that many pods; empty for none.
func (c podCounts) plan(deployment string, live int) string {
	s := c.settings
	position := s.Position()
	isCanary := deployment != names.StableDeployment(s.App)
	switch {
	case s.IsGateway():
		return ""
	case position.Warm && !isCanary:
		return fmt.Sprintf("pulumi config set warmStable %d -s %s", live, s.StackName())
	case isCanary:
		if pods, ok := plan.Enough(position.Weight, s.Replicas, 0, live, mostPods); ok {
			return fmt.Sprintf("pulumi config set replicas %d -s %s", pods, s.StackName())
		}
	default:
		if pods, ok := plan.Enough(position.Weight, s.Replicas, live, 0, mostPods); ok {
			return fmt.Sprintf("pulumi config set replicas %d -s %s", pods, s.StackName())
		}
	}
	return ""
}
