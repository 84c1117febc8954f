package program

import (
	"context"
	"os"

	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/vextrus/finance-rollout/internal/endpoint"
	"github.com/vextrus/finance-rollout/internal/gate"
	"github.com/vextrus/finance-rollout/internal/image"
	"github.com/vextrus/finance-rollout/internal/kube"
	"github.com/vextrus/finance-rollout/internal/prometheus"
	"github.com/vextrus/finance-rollout/internal/settings"
	"github.com/vextrus/finance-rollout/internal/shift"
	"github.com/vextrus/finance-rollout/internal/soak"
)

// Cluster is what the program needs of the cluster, beside the provider; internal/kube's Client.
type Cluster interface {
	shift.Cluster
	endpoint.Proxy
	// Check is an error when the cluster does not answer.
	Check(ctx context.Context) error
	// Kinds lists the kinds that the cluster serves of an API group version.
	Kinds(ctx context.Context, groupVersion string) ([]string, error)
	// Origin names the cluster for people.
	Origin() string
	// NamespaceOwner gives a namespace. The second result is false when it does not exist.
	NamespaceOwner(ctx context.Context, namespace string) (kube.Namespace, bool, error)
	// Service gives a Service. The second result is false when it does not exist.
	Service(ctx context.Context, namespace, service string) (*corev1.Service, bool, error)
	// Exists reports whether a namespaced object exists, of a kind that the cluster may not serve.
	Exists(ctx context.Context, kind schema.GroupVersionResource, namespace, name string) (bool, error)
	// NetworkPolicy gives a NetworkPolicy. The second result is false when it does not exist.
	NetworkPolicy(ctx context.Context, namespace, name string) (*networkingv1.NetworkPolicy, bool, error)
	// Listeners names the listeners of a Gateway. The second result is false when it does not exist.
	Listeners(ctx context.Context, namespace, gateway string) ([]string, bool, error)
	// RouteBackends lists the backends of a route, rule by rule. The second result is false when it does not exist.
	RouteBackends(ctx context.Context, namespace, route string) ([][]kube.Backend, bool, error)
}

// Deps are the program's ways to the outside.
type Deps struct {
	// Connect reaches the cluster of a kubeconfig and a context; empty for kubectl's rules.
	Connect func(kubeconfig, context string) (Cluster, error)
	// Resolve gives the reference by digest of an image that is in a registry.
	Resolve func(ctx context.Context, image string, registry settings.Registry) (string, error)
	// Prometheus reaches the server of the settings.
	Prometheus func(cluster Cluster, s *settings.Settings) (soak.Server, error)
	Getenv     func(string) string
	Clock      gate.Clock
}

// prometheus binds the way to one stack.
func (d Deps) prometheus(cluster Cluster, s *settings.Settings) func() (soak.Server, error) {
	return func() (soak.Server, error) { return d.Prometheus(cluster, s) }
}

// RealDeps are the ways of a run by the Pulumi CLI.
func RealDeps() Deps {
	return Deps{
		Connect: func(kubeconfig, context string) (Cluster, error) {
			return kube.New(kube.Options{Kubeconfig: kubeconfig, Context: context})
		},
		Resolve: resolveImage,
		Prometheus: func(cluster Cluster, s *settings.Settings) (soak.Server, error) {
			way := endpoint.Way{Proxy: cluster, Login: s.PrometheusAuth.Login(s.PrometheusLogin)}
			return prometheus.Connect(way, s.Prometheus)
		},
		Getenv: os.Getenv,
		Clock:  gate.SystemClock{},
	}
}

func resolveImage(ctx context.Context, reference string, registry settings.Registry) (string, error) {
	ref, err := image.Resolve(ctx, reference, image.Options{
		Username: registry.Username, Password: registry.Password.Reveal(),
	})
	return ref.String(), err
}
