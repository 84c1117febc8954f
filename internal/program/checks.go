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
		return fmt.Errorf("namespace %s exists and belongs to %s, not to %s: choose another with `pulumi config set "+
			"namespace NAME`, "+
			"or hand it over with `kubectl annotate namespace %s --overwrite %s=%s`",
			s.Namespace, owner, self, s.Namespace, names.Owner, self)
	}
	if namespace.Terminating {
		return fmt.Errorf("namespace %[1]s is being deleted, and nothing can be made in it: wait until it is gone, which "+
			"`kubectl wait namespace %[1]s --for=delete --timeout=10m` does, then `pulumi up -s %[2]s`; what holds it up is in "+
			"`kubectl get namespace %[1]s -o yaml`", s.Namespace, ctx.Stack())
	}
	if s.IsGateway() {
		if err := checkGateway(limited, s, cluster); err != nil {
			return err
		}
	}
	if !s.Monitoring.Enabled {
		return nil
	}
	return checkMonitoring(limited, cluster)
}

// checkMonitoring is an error where the Prometheus Operator's kinds are not installed.
func checkMonitoring(ctx context.Context, cluster Cluster) error {
	kinds, err := cluster.Kinds(ctx, components.MonitoringAPI)
	if err != nil {
		return err
	}
	for _, kind := range []string{"ServiceMonitor", "PrometheusRule"} {
		if !slices.Contains(kinds, kind) {
			return fmt.Errorf("the cluster has no %s of %s: install the Prometheus Operator, "+
				"or do without monitoring by `pulumi config set --path monitoring.enabled false`", kind, components.MonitoringAPI)
		}
	}
	return nil
}

// ownerOf is the mark of a namespace that belongs to this stack.
func ownerOf(ctx *pulumi.Context) string { return ctx.Project() + "/" + ctx.Stack() }

// checkGateway is an error when requests cannot come through the Gateway that the stack names.
func checkGateway(ctx context.Context, s *settings.Settings, cluster Cluster) error {
	const without = "or split the requests by pod count: `pulumi config set traffic " + settings.TrafficReplicas + "`"
	kinds, err := cluster.Kinds(ctx, components.GatewayAPI)
	if err != nil {
		return err
	}
	if !slices.Contains(kinds, "HTTPRoute") {
		return fmt.Errorf("the cluster has no HTTPRoute of %s: install the Gateway API and a controller for it, %s",
			components.GatewayAPI, without)
	}
	gateway := s.Gateway.Namespace + "/" + s.Gateway.Name
	listeners, exists, err := cluster.Listeners(ctx, s.Gateway.Namespace, s.Gateway.Name)
	if err != nil {
		return err
	}
	if !exists {
		return fmt.Errorf("the cluster has no Gateway %s: look with `kubectl get gateways -A`, and name one with "+
			"`pulumi config set --path gateway.namespace NAME` and `pulumi config set --path gateway.name NAME`; %s", gateway,
			without)
	}
	if section := s.Gateway.SectionName; section != "" && !slices.Contains(listeners, section) {
		return fmt.Errorf("gateway %s has no listener %q; it has %s: `pulumi config set --path gateway.sectionName NAME`",
			gateway, section, strings.Join(listeners, ", "))
	}
	return nil
}

// checkParallel refuses an update that makes one change at a time: a track that shrinks waits for the other to grow,
// and would wait for ever.
func checkParallel(ctx *pulumi.Context, s *settings.Settings) error {
	if ctx.Parallel() != 1 || s.IsSingle() {
		return nil
	}
	return fmt.Errorf("--parallel 1 cannot shift: the track that shrinks waits until the other has grown, and "+
		"both have to change at the same time: use two or more, as `pulumi up -s %s --parallel 2` does", ctx.Stack())
}
