package main

import (
	"context"
	"encoding/json"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"github.com/vextrus/finance-rollout/internal/endpoint"
	"github.com/vextrus/finance-rollout/internal/image"
	"github.com/vextrus/finance-rollout/internal/kube"
	"github.com/vextrus/finance-rollout/internal/ledger"
	"github.com/vextrus/finance-rollout/internal/prometheus"
	"github.com/vextrus/finance-rollout/internal/rollback"
	"github.com/vextrus/finance-rollout/internal/rollout"
	"github.com/vextrus/finance-rollout/internal/settings"
	"github.com/vextrus/finance-rollout/internal/soak"
	"github.com/vextrus/finance-rollout/internal/verify"
)

// cluster is what the program needs of the cluster, beside what the provider does.
type cluster interface {
	verify.Cluster
	rollback.Cluster
	rollback.Opener
	soak.Pods
	ledger.ConfigMaps
	endpoint.Proxy
	routes
	// Check tells whether the cluster answers.
	Check(ctx context.Context) error
	// Kinds lists the kinds that the cluster serves of an API group version.
	Kinds(ctx context.Context, groupVersion string) ([]string, error)
	// NamespaceOwner gives the labels and annotations of a namespace. The second result is false when it does not exist.
	NamespaceOwner(ctx context.Context, namespace string) (kube.Namespace, bool, error)
	// Replicas is how many pods a Deployment shall have now.
	Replicas(ctx context.Context, namespace, name string) (int, error)
	// WaitDeploymentAnnotated waits until the Deployment has that many ready pods with that annotation, and no others.
	WaitDeploymentAnnotated(ctx context.Context, namespace, name, key, value string, replicas int) error
	// WaitEndpoints waits until the Service sends requests to at least that many of the selected pods.
	WaitEndpoints(ctx context.Context, namespace, service string, selector map[string]string, atLeast int) error
}

// edges are the ways out of the program. Tests give others.
type edges struct {
	connect    func(kubeconfig, context string) (cluster, error)
	resolve    func(ctx context.Context, image string, registry settings.Registry) (string, error)
	prometheus func(cluster cluster, endpoint string) (metricsServer, error)
	getenv     func(string) string
	now        func() time.Time
	after      func(time.Duration) <-chan time.Time
}

// metricsServer is what the gates ask.
type metricsServer = soak.Server

// who is the person or the pipeline that runs the program, for the ledger.
func (e edges) who() string { return rollout.Who(e.getenv) }

// Now implements gate.Clock.
func (e edges) Now() time.Time { return e.now() }

// After implements gate.Clock.
func (e edges) After(d time.Duration) <-chan time.Time { return e.after(d) }

// realEdges are the edges of a run by the Pulumi CLI.
func realEdges() edges {
	return edges{
		connect: func(kubeconfig, context string) (cluster, error) {
			return kube.New(kube.Options{Kubeconfig: kubeconfig, Context: context})
		},
		resolve: resolveImage,
		prometheus: func(cluster cluster, text string) (metricsServer, error) {
			return prometheus.Connect(endpoint.Way{Proxy: cluster}, text)
		},
		getenv: os.Getenv,
		now:    time.Now,
		after:  time.After,
	}
}

func resolveImage(ctx context.Context, reference string, registry settings.Registry) (string, error) {
	ref, err := image.Resolve(ctx, reference, image.Options{Username: registry.Username,
		Password: registry.Password.Reveal()})
	return ref.String(), err
}

// configuration reads the stack's configuration.
type configuration struct{ ctx *pulumi.Context }

func (c configuration) Get(key string) (string, bool) {
	return c.ctx.GetConfig(c.ctx.Project() + ":" + key)
}

func (c configuration) IsSecret(key string) bool {
	return c.ctx.IsConfigSecret(c.ctx.Project() + ":" + key)
}

// Keys lists the keys of the program's own namespace. The SDK has no list; the engine hands the whole configuration
// over in the environment.
func (c configuration) Keys() []string {
	var values map[string]string
	if err := json.Unmarshal([]byte(os.Getenv(pulumi.EnvConfig)), &values); err != nil {
		return nil
	}
	var keys []string
	for key := range values {
		if name, own := strings.CutPrefix(key, c.ctx.Project()+":"); own {
			keys = append(keys, name)
		}
	}
	slices.Sort(keys)
	return keys
}
