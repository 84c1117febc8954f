package program

import (
	"context"
	"errors"
	"fmt"

	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"github.com/vextrus/finance-rollout/internal/names"
	"github.com/vextrus/finance-rollout/internal/settings"
	"github.com/vextrus/finance-rollout/internal/takeover"
)

// checkExisting refuses an update over objects of somebody else that it could not make its own: a Deployment, whose
// selector nobody can change, and a Service that its owner would turn back. Any other Service is taken over, once the
// new pods are ready. A user who may not look is not refused.
func checkExisting(limited context.Context, ctx *pulumi.Context, s *settings.Settings, cluster Cluster) error {
	deployments := []string{s.ServiceName}
	if !s.IsSingle() {
		deployments = []string{names.StableDeployment(s.App), names.CanaryDeployment(s.App, s.Release)}
	}
	for i, name := range deployments {
		live, exists, err := cluster.Deployment(limited, s.Namespace, name)
		switch {
		case apierrors.IsForbidden(err):
			continue
		case err != nil:
			return err
		case exists && !takeover.IsOurs(live.ObjectMeta):
			return foreignDeployment(s, name, i > 0)
		}
	}
	return checkService(limited, ctx, s, cluster)
}

func foreignDeployment(s *settings.Settings, name string, isCanary bool) error {
	fix := fmt.Sprintf("run `rollout adopt -s %s`, which takes the running service over", s.StackName())
	switch {
	case isCanary:
		fix = fmt.Sprintf("give the release another name: `pulumi config set release NAME -s %s`, or delete that Deployment",
			s.StackName())
	case s.IsSingle():
		fix = fmt.Sprintf("give the Service and its Deployment another name: `pulumi config set serviceName NAME -s %s`",
			s.StackName())
	}
	return fmt.Errorf("deployment %s/%s exists and no rollout has made it; the selector of a Deployment cannot be "+
		"changed, so that it cannot become a track: %s", s.Namespace, name, fix)
}

func checkService(limited context.Context, ctx *pulumi.Context, s *settings.Settings, cluster Cluster) error {
	service, exists, err := cluster.Service(limited, s.Namespace, s.ServiceName)
	if apierrors.IsForbidden(err) {
		return nil
	}
	if err != nil || !exists || takeover.SelectsTracks(service.Spec.Selector, s.App) {
		return err
	}
	object := takeover.Object{Kind: "service", Namespace: s.Namespace, Name: s.ServiceName}
	var refused []error
	alive := func(kind, name string) bool {
		resource, known := takeover.ResourceOf(kind)
		if !known {
			return true
		}
		is, err := cluster.Exists(limited, resource, s.Namespace, name)
		return is || err != nil
	}
	for _, refusal := range takeover.Keepers(object, service.ObjectMeta, alive) {
		refused = append(refused, refusal)
	}
	if len(refused) > 0 {
		return fmt.Errorf("service %s/%s leads to other pods than those of the rollout, and its keeper would turn it "+
			"back: look with `rollout adopt --plan -s %s`: %w", s.Namespace, s.ServiceName, s.StackName(),
			errors.Join(refused...))
	}
	return log{ctx: ctx}.Info(fmt.Sprintf("service %s/%s exists and leads to other pods: it keeps them until those of "+
		"the rollout are ready", s.Namespace, s.ServiceName))
}
