package shift

import (
	"context"

	appsv1 "k8s.io/api/apps/v1"

	"github.com/vextrus/finance-rollout/internal/rollout"
	"github.com/vextrus/finance-rollout/internal/verify"
)

// Cluster is what a move needs of the cluster, beside the provider; internal/kube's Client.
type Cluster interface {
	rollout.Cluster
	verify.Cluster
	Routes
	// Announce makes an Event about a Deployment. The kind is kube.Normal or kube.Warning.
	Announce(ctx context.Context, namespace, deployment, kind, reason, note string) error
	// Deployment gives a Deployment; false when it does not exist.
	Deployment(ctx context.Context, namespace, name string) (*appsv1.Deployment, bool, error)
	// SecretValue gives one value of a Secret; false when the Secret or the key does not exist.
	SecretValue(ctx context.Context, namespace, name, key string) (string, bool, error)
	// WaitDeploymentReady waits until the Deployment has that many ready pods of its present template, and no others.
	WaitDeploymentReady(ctx context.Context, namespace, name string, replicas int) error
	// WaitDeploymentAnnotated waits until the Deployment has that many ready pods with that annotation, and no others.
	WaitDeploymentAnnotated(ctx context.Context, namespace, name, key, value string, replicas int) error
	// WaitEndpoints waits until the Service sends requests to at least that many of the selected pods.
	WaitEndpoints(ctx context.Context, namespace, service string, selector map[string]string, atLeast int) error
	// ServiceSelector gives the labels that a Service selects pods by; false when there is no such Service.
	ServiceSelector(ctx context.Context, namespace, service string) (map[string]string, bool, error)
	// SelectPods changes one label of a Service's selector; an empty value stands for any.
	SelectPods(ctx context.Context, namespace, service, label, value string) error
}

// Routes is what a move needs of the cluster where a route of the Gateway API splits the requests. A route is named as
// kubectl does: NAME for an HTTPRoute, or KIND/NAME.
type Routes interface {
	// RouteWeights gives the weights of a route's backends by the names of their Services; nil when there is no such
	// route.
	RouteWeights(ctx context.Context, namespace, route string) (map[string]int, error)
	// SetRouteWeights changes the weights of a route and nothing else of it.
	SetRouteWeights(ctx context.Context, namespace, route string, weights map[string]int) error
	// SplitRoute puts the backends of these weights in the place of one Service, and changes nothing else of the route.
	SplitRoute(ctx context.Context, namespace, route, service string, weights map[string]int) error
	// WaitRoute waits until the Gateway has accepted the route with these weights.
	WaitRoute(ctx context.Context, namespace, route string, weights map[string]int) error
	// WaitDeploymentRuns waits until the Deployment has that many ready pods with an image of that digest, and no others.
	WaitDeploymentRuns(ctx context.Context, namespace, deployment, digest string, replicas int) error
}
