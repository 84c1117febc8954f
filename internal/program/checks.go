package program

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"github.com/vextrus/finance-rollout/components"
	"github.com/vextrus/finance-rollout/internal/names"
	"github.com/vextrus/finance-rollout/internal/settings"
)

// preflight checks the cluster before anything is changed in it.
func preflight(ctx *pulumi.Context, s *settings.Settings, cluster Cluster) error {
	limited, cancel := context.WithTimeout(ctx.Context(), 20*time.Second)
	defer cancel()
	if err := cluster.Check(limited); err != nil {
		return err
	}
	namespace, exists, err := cluster.NamespaceOwner(limited, s.Namespace)
	if err != nil {
		return err
	}
	owner := namespace.Annotations[names.Owner]
	if self := ownerOf(ctx); exists && owner != self {
		if owner == "" {
			owner = "somebody else (it has no annotation " + names.Owner + ")"
		}
		return fmt.Errorf("namespace %[1]s exists and belongs to %[2]s, not to %[3]s: choose another with `pulumi config set "+
			"namespace NAME -s %[5]s`, or hand it over with `kubectl annotate namespace %[1]s --overwrite %[4]s=%[3]s`",
			s.Namespace, owner, self, names.Owner, ctx.Stack())
	}
	if namespace.Terminating {
		return fmt.Errorf("namespace %[1]s is being deleted, and nothing can be made in it: wait until it is gone, which "+
			"`kubectl wait namespace %[1]s --for=delete --timeout=10m` does, then `pulumi up -s %[2]s`; what holds it up is in "+
			"`kubectl get namespace %[1]s -o yaml`", s.Namespace, ctx.Stack())
	}
	if exists {
		if err := checkExisting(limited, ctx, s, cluster); err != nil {
			return err
		}
	}
	if s.IsGateway() {
		err = checkGateway(limited, s, cluster)
	} else if s.Gateway.Route != "" {
		err = checkLeft(limited, s, cluster)
	}
	if err != nil {
		return err
	}
	if !s.Monitoring.Enabled {
		return nil
	}
	return checkMonitoring(limited, s, cluster)
}

// checkMonitoring is an error where the Prometheus Operator's kinds are not installed.
func checkMonitoring(ctx context.Context, s *settings.Settings, cluster Cluster) error {
	kinds, err := cluster.Kinds(ctx, components.MonitoringAPI)
	if err != nil {
		return err
	}
	for _, kind := range []string{"ServiceMonitor", "PrometheusRule"} {
		if !slices.Contains(kinds, kind) {
			return fmt.Errorf("the cluster has no %s of %s: install the Prometheus Operator, "+
				"or do without monitoring by `pulumi config set --path monitoring.enabled false -s %s`", kind,
				components.MonitoringAPI, s.StackName())
		}
	}
	return nil
}

// ownerOf is the mark of a namespace that belongs to this stack.
func ownerOf(ctx *pulumi.Context) string { return ctx.Project() + "/" + ctx.Stack() }

// checkGateway is an error when requests cannot come through the Gateway that the stack names.
func checkGateway(ctx context.Context, s *settings.Settings, cluster Cluster) error {
	stack := s.StackName()
	without := fmt.Sprintf("or split the requests by pod count: `pulumi config set traffic %s -s %s`",
		settings.TrafficReplicas, stack)
	kinds, err := cluster.Kinds(ctx, components.GatewayAPI)
	if err != nil {
		return err
	}
	if kind := s.RouteKind(); !slices.Contains(kinds, kind) {
		return fmt.Errorf("the cluster has no %s of %s: install the Gateway API and a controller for it, %s", kind,
			components.GatewayAPI, without)
	}
	if s.Gateway.Route != "" {
		return checkRoute(ctx, s, cluster)
	}
	gateway := s.Gateway.Namespace + "/" + s.Gateway.Name
	listeners, exists, err := cluster.Listeners(ctx, s.Gateway.Namespace, s.Gateway.Name)
	if err != nil {
		return err
	}
	if !exists {
		return fmt.Errorf("the cluster has no Gateway %[1]s: look with `kubectl get gateways -A`, and name one with "+
			"`pulumi config set --path gateway.namespace NAME -s %[2]s` and `pulumi config set --path gateway.name NAME "+
			"-s %[2]s`; %[3]s", gateway, stack, without)
	}
	if section := s.Gateway.SectionName; section != "" && !slices.Contains(listeners, section) {
		return fmt.Errorf("gateway %s has no listener %q; it has %s: `pulumi config set --path gateway.sectionName NAME "+
			"-s %s`", gateway, section, strings.Join(listeners, ", "), stack)
	}
	return nil
}

// checkParallel refuses an update that makes too few changes at a time: in each rollout with a canary, the track that
// shrinks waits for the other to grow, and all of them would wait for ever.
func (p *program) checkParallel(canaries int) error {
	given, needed := int(p.ctx.Parallel()), canaries+1
	if given == 0 || given >= needed || p.settings.IsSingle() {
		return nil
	}
	return fmt.Errorf("--parallel %d cannot shift: in each of the stack's %d rollouts with a canary, the track that "+
		"shrinks waits until the other has grown, and both have to change at the same time: use %d or more, as `pulumi up -s %s "+
		"--parallel %d` does", given, canaries, needed, p.ctx.Stack(), needed)
}
