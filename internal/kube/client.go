// Package kube is the one place that talks to the Kubernetes API server: pods and their logs, readiness of
// Deployments, HTTP to pods and Services through the API server. Nothing of it needs the cluster's network to be
// reachable.
//
// It decides nothing about a release and may import neither Pulumi nor any other package of this module.
package kube

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"
)

const (
	userAgent    = "finance-rollout"
	fieldManager = "finance-rollout"
	// requestTimeout bounds a single call whose context has no earlier deadline.
	requestTimeout = 30 * time.Second
	// mostQPS and mostBurst bound the calls of a client a second, so that a loop that goes wrong does not flood the API
	// server.
	mostQPS, mostBurst = 50, 100
)

// Options choose the cluster.
type Options struct {
	// Kubeconfig is the path of a kubeconfig file. Empty uses kubectl's rules: KUBECONFIG, then ~/.kube/config, then,
	// inside a pod, its service account.
	Kubeconfig string
	// Context is the name of a context of the kubeconfig; empty means its current context.
	Context string
}

// Client talks to the API server of one cluster. It is safe for concurrent use.
type Client struct {
	config    *rest.Config
	clientset kubernetes.Interface
	// priority has a rate limit of its own, for a leader's Lease and for the calls that take a canary out of traffic; nil
	// where clientset serves them too.
	priority  kubernetes.Interface
	dynamic   dynamic.Interface
	transport http.RoundTripper
	// origin describes where the configuration came from, for errors.
	origin  string
	account account
}

// New loads the configuration and makes a client. It does not connect; see [Client.Check].
func New(options Options) (*Client, error) {
	rules := clientcmd.NewDefaultClientConfigLoadingRules()
	rules.ExplicitPath = options.Kubeconfig
	loader := clientcmd.NewNonInteractiveDeferredLoadingClientConfig(rules,
		&clientcmd.ConfigOverrides{CurrentContext: options.Context})
	file := strings.Join(rules.GetLoadingPrecedence(), ", ")
	raw, err := loader.RawConfig()
	if err != nil {
		return nil, fmt.Errorf("read kubeconfig %s: %w", file, err)
	}
	context, err := chooseContext(raw, options.Context, file)
	if err != nil {
		return nil, err
	}
	config, err := loader.ClientConfig()
	if clientcmd.IsEmptyConfig(err) {
		return nil, fmt.Errorf("no kubeconfig: %s does not exist or is empty: set KUBECONFIG, or the stack's key "+
			"kubeconfig, to the path of one", file)
	}
	if err != nil {
		return nil, fmt.Errorf("kubeconfig %s, context %q: %w: correct it, or name another one with KUBECONFIG or "+
			"the stack's key kubeconfig", file, context, err)
	}
	origin := fmt.Sprintf("context %q of kubeconfig %s", context, file)
	if len(raw.Contexts) == 0 {
		origin = "the pod's service account"
	}
	return newClient(config, origin)
}

func newClient(config *rest.Config, origin string) (*Client, error) {
	config = rest.CopyConfig(config)
	config.UserAgent = userAgent
	config.WarningHandlerWithContext = rest.NoWarnings{}
	config.QPS, config.Burst = mostQPS, mostBurst
	clientset, err := kubernetes.NewForConfig(config)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", origin, err)
	}
	urgent, err := kubernetes.NewForConfig(rest.CopyConfig(config))
	if err != nil {
		return nil, fmt.Errorf("%s: %w", origin, err)
	}
	dynamicClient, err := dynamic.NewForConfig(config)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", origin, err)
	}
	transport, err := rest.TransportFor(config)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", origin, err)
	}
	return &Client{config: config, clientset: clientset, priority: urgent, dynamic: dynamicClient, transport: transport,
		origin: origin}, nil
}

// urgent is the client for calls that must not wait behind the evidence of others or behind many looks.
func (c *Client) urgent() kubernetes.Interface {
	if c.priority != nil {
		return c.priority
	}
	return c.clientset
}

// chooseContext finds the context that is used, and refuses one that does not exist. Without any context the
// configuration may still be that of a pod; then the name is empty.
func chooseContext(raw clientcmdapi.Config, wanted, file string) (string, error) {
	name := wanted
	if name == "" {
		name = raw.CurrentContext
	}
	if _, ok := raw.Contexts[name]; ok || (name == "" && len(raw.Contexts) == 0) {
		return name, nil
	}
	existing := "it has none"
	if names := slices.Sorted(maps.Keys(raw.Contexts)); len(names) > 0 {
		existing = "it has " + strings.Join(names, ", ")
	}
	if name == "" {
		return "", fmt.Errorf("kubeconfig %s has no current context: name one of its contexts; %s", file, existing)
	}
	return "", fmt.Errorf("context %q is not in kubeconfig %s; %s", name, file, existing)
}

// Server is the address of the API server.
func (c *Client) Server() string { return c.config.Host }

// Origin says where the configuration came from: which context of which kubeconfig.
func (c *Client) Origin() string { return c.origin }

// Check reports whether the API server answers and accepts the client. The error says what was tried.
func (c *Client) Check(ctx context.Context) error {
	ctx, cancel := bounded(ctx)
	defer cancel()
	err := c.clientset.Discovery().RESTClient().Get().AbsPath("/version").Do(ctx).Error()
	switch {
	case err == nil:
		return nil
	case apierrors.IsUnauthorized(err), apierrors.IsForbidden(err):
		return fmt.Errorf("the API server %s refuses the credentials of %s: %w: renew them", c.Server(), c.origin, err)
	default:
		return fmt.Errorf("the API server %s of %s does not answer: %w: check that the cluster runs and that this is the "+
			"right one",
			c.Server(), c.origin, errors.Join(err, lateCause(ctx)))
	}
}

// Kinds lists the kinds that the cluster serves of an API group version such as "monitoring.coreos.com/v1": none when
// the group is not installed.
func (c *Client) Kinds(ctx context.Context, groupVersion string) ([]string, error) {
	ctx, cancel := bounded(ctx)
	defer cancel()
	kinds, err := abandonable(ctx, func() ([]string, error) {
		resources, err := c.clientset.Discovery().ServerResourcesForGroupVersion(groupVersion)
		if err != nil {
			return nil, err
		}
		var kinds []string
		for _, resource := range resources.APIResources {
			if !strings.Contains(resource.Name, "/") {
				kinds = append(kinds, resource.Kind)
			}
		}
		slices.Sort(kinds)
		return kinds, nil
	}, func([]string) {})
	if apierrors.IsNotFound(err) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("list the kinds of %s: %w", groupVersion, err)
	}
	return kinds, nil
}

// bounded limits a single call.
func bounded(ctx context.Context) (context.Context, context.CancelFunc) {
	return context.WithTimeoutCause(ctx, requestTimeout, fmt.Errorf("no answer within %v", requestTimeout))
}

// lateCause is why the context ended, nil while it has not: "context deadline exceeded" alone says little.
func lateCause(ctx context.Context) error {
	if cause := context.Cause(ctx); cause != nil && !errors.Is(cause, ctx.Err()) {
		return cause
	}
	return nil
}

// Version is the API server's, such as v1.34.4.
func (c *Client) Version(ctx context.Context) (string, error) {
	ctx, cancel := bounded(ctx)
	defer cancel()
	version, err := abandonable(ctx, func() (string, error) {
		info, err := c.clientset.Discovery().ServerVersion()
		if err != nil {
			return "", err
		}
		return info.GitVersion, nil
	}, func(string) {})
	if err != nil {
		return "", fmt.Errorf("ask for the version of %s: %w", c.Server(), err)
	}
	return version, nil
}
