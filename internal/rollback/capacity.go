package rollback

import (
	"context"
)

// Deployments scales the tracks.
type Deployments interface {
	// Replicas is the number of pods that a Deployment asks for now.
	Replicas(ctx context.Context, namespace, deployment string) (int, error)
	// Scale sets the replicas of a Deployment; scaling to 0 what does not exist is no error.
	Scale(ctx context.Context, namespace, deployment string, replicas int) error
	// WaitDeploymentReady waits until the Deployment has that many ready pods.
	WaitDeploymentReady(ctx context.Context, namespace, deployment string, replicas int) error
}

// growStable scales stable so that it can take all requests, waits until its pods are ready, and returns their number;
// 0 means that stable could not be scaled. It never shrinks stable: an autoscaler or an operator may have found that
// the plan is too small.
func growStable(ctx context.Context, cluster Deployments, options Options) (int, error) {
	replicas := options.Capacity
	// Without an answer the plan counts: a stable track that stands by with one pod must grow in any case.
	if live, err := cluster.Replicas(ctx, options.Namespace, options.StableDeployment); err == nil {
		replicas = max(replicas, live)
	}
	if err := cluster.Scale(ctx, options.Namespace, options.StableDeployment, replicas); err != nil {
		return 0, err
	}
	return replicas, cluster.WaitDeploymentReady(ctx, options.Namespace, options.StableDeployment, replicas)
}
