// Package shifttest has the cluster that the tests of moves share.
package shifttest

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/vextrus/finance-rollout/internal/kube"
	"github.com/vextrus/finance-rollout/internal/kube/podstate"
	"github.com/vextrus/finance-rollout/internal/names"
)

// Cluster answers as the test wants and keeps what was asked of it. It has no pods.
type Cluster struct {
	// Offline is the answer to Check.
	Offline error
	// Served are the kinds of every API group.
	Served []string
	Owner  *kube.Namespace
	// System is the namespace kube-system, SystemErr the error of looking at it.
	System    kube.Namespace
	SystemErr error
	// Unready is what waiting for a Deployment ends with.
	Unready error
	// Live are the replicas of every Deployment, Tracks those of some by their names.
	Live   int
	Tracks map[string]int
	// Selector is what the Service selects pods by; nil when there is no Service.
	Selector map[string]string
	// ServiceMarks are the Service's annotations.
	ServiceMarks map[string]string
	// Foreign are the Deployments that no rollout has made, by their names.
	Foreign []string
	// ScaledBy is the field manager of every Deployment's replicas; empty for none.
	ScaledBy string
	// History is the data of the ledger's ConfigMap, Version its version; 0 for none.
	History map[string]string
	Version int
	// Head is the head of the ledger that the release record keeps; empty for none.
	Head    string
	Gateway Gateway
	// Stable is the pod template of the stable track's Deployment; nil for one without containers.
	Stable *corev1.PodTemplateSpec
	// Network is what the policy around the pods says; nil when there is none. NetworkErr is the error of looking at it.
	Network    *networkingv1.NetworkPolicySpec
	NetworkErr error
	// Objects are the names of the Secrets and ConfigMaps that the program made.
	Objects []string
	// Values are those of Secrets, by the Secret's name and the key. Without one, the key of identities is the same
	// for all; Unkeyed lets it be missing.
	Values  map[string]string
	Unkeyed bool
	// Announced are the Events that were made.
	Announced []string
	// Awaited and Scaled are the calls, in order.
	Awaited, Scaled []string
}

// Gateway is the Gateway of a test and the route through it.
type Gateway struct {
	Listeners []string
	// Weights are the route's; nil when there is none.
	Weights map[string]int
	// Backends are those of the rules of a route that somebody else makes; nil when there is none.
	Backends [][]kube.Backend
	// Asked is the route that was asked for last.
	Asked string
	// Refuses are the weights that the Gateway does not accept, as [Weights] puts them.
	Refuses   []string
	Forbidden error
	// Meanwhile is called before "wait" for a Deployment and before "accept" of weights.
	Meanwhile func(call string)
	// Calls are what was done to the route and waited for before it, in order.
	Calls []string
}

// New is a cluster with the Prometheus Operator.
func New() *Cluster {
	return &Cluster{Served: []string{"ServiceMonitor", "PrometheusRule"},
		System: kube.Namespace{UID: "uid-of-the-cluster"}}
}

// Origin implements program.Cluster.
func (c *Cluster) Origin() string { return `context "test"` }

// Check implements program.Cluster.
func (c *Cluster) Check(context.Context) error { return c.Offline }

// Kinds implements program.Cluster.
func (c *Cluster) Kinds(context.Context, string) ([]string, error) { return c.Served, nil }

// NamespaceOwner implements program.Cluster.
func (c *Cluster) NamespaceOwner(_ context.Context, namespace string) (kube.Namespace, bool, error) {
	if namespace == "kube-system" {
		return c.System, c.SystemErr == nil, c.SystemErr
	}
	if c.Owner == nil {
		return kube.Namespace{}, false, nil
	}
	return *c.Owner, true, nil
}

// ServiceProxy implements program.Cluster.
func (c *Cluster) ServiceProxy(string, string, int) (http.RoundTripper, string) { return nil, "" }

// Growth implements program.Cluster. Stable has all its pods, and the canary those of its last scale.
func (c *Cluster) Growth(_ context.Context, _, name string) (podstate.Growth, error) {
	growth := podstate.Growth{Wanted: c.Live, Ready: c.Live}
	for _, scaled := range c.Scaled {
		deployment, replicas, _ := strings.Cut(scaled, ": ")
		if count, err := strconv.Atoi(replicas); err == nil && deployment == name {
			growth = podstate.Growth{Wanted: count, Ready: count}
		}
	}
	return growth, nil
}

// LabelPod implements program.Cluster.
func (c *Cluster) LabelPod(context.Context, string, string, string, string) error { return nil }

// WaitDeploymentReady implements program.Cluster.
func (c *Cluster) WaitDeploymentReady(_ context.Context, namespace, name string, replicas int) error {
	c.Awaited = append(c.Awaited, fmt.Sprintf("%s/%s: %d", namespace, name, replicas))
	return c.Unready
}

// WaitDeploymentAnnotated implements program.Cluster.
func (c *Cluster) WaitDeploymentAnnotated(_ context.Context, namespace, name, _, value string, replicas int) error {
	c.Awaited = append(c.Awaited, fmt.Sprintf("%s/%s: %d with %s", namespace, name, replicas, value))
	return c.Unready
}

// WaitRolledOut implements program.Cluster.
func (c *Cluster) WaitRolledOut(context.Context, string, string) error { return nil }

// ReadyPods implements program.Cluster.
func (c *Cluster) ReadyPods(context.Context, string, string) ([]corev1.Pod, error) { return nil, nil }

// DeploymentPods implements program.Cluster.
func (c *Cluster) DeploymentPods(context.Context, string, string) ([]corev1.Pod, error) {
	return nil, nil
}

// PodClient implements program.Cluster.
func (c *Cluster) PodClient(context.Context, string, string, int) (*http.Client, string, func(), error) {
	return nil, "", nil, errors.New("no pods in this test")
}

// AllPods implements program.Cluster.
func (c *Cluster) AllPods(context.Context, string, map[string]string) ([]corev1.Pod, error) {
	return nil, nil
}

// LabelPods implements program.Cluster.
func (c *Cluster) LabelPods(context.Context, string, map[string]string, string, string) ([]string, error) {
	return nil, nil
}

// EndPods implements program.Cluster.
func (c *Cluster) EndPods(context.Context, string, map[string]string, time.Duration) (int, error) {
	return 0, nil
}

// Endpoints implements program.Cluster.
func (c *Cluster) Endpoints(context.Context, string, string) ([]string, error) { return nil, nil }

// Scale implements program.Cluster.
func (c *Cluster) Scale(_ context.Context, _, deployment string, replicas int) error {
	c.Scaled = append(c.Scaled, fmt.Sprintf("%s: %d", deployment, replicas))
	return nil
}

// OpenService implements program.Cluster.
func (c *Cluster) OpenService(context.Context, string, string, string) (bool, error) {
	return false, nil
}

// Deployment implements program.Cluster. Its pods are Live, and it is the rollout's unless it is among Foreign.
func (c *Cluster) Deployment(_ context.Context, namespace, name string) (*appsv1.Deployment, bool, error) {
	deployment := &appsv1.Deployment{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name}}
	if !slices.Contains(c.Foreign, name) {
		deployment.Labels = map[string]string{names.ManagedBy: names.Program}
	}
	if c.Stable != nil && strings.HasSuffix(name, "-stable") {
		deployment.Spec.Template = *c.Stable
	}
	if c.ScaledBy != "" {
		deployment.ManagedFields = []metav1.ManagedFieldsEntry{{Manager: c.ScaledBy,
			FieldsV1: &metav1.FieldsV1{Raw: []byte(`{"f:spec":{"f:replicas":{}}}`)}}}
	}
	return deployment, true, nil
}

// Service implements program.Cluster.
func (c *Cluster) Service(_ context.Context, namespace, service string) (*corev1.Service, bool, error) {
	return &corev1.Service{
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: service, Annotations: c.ServiceMarks},
		Spec:       corev1.ServiceSpec{Selector: maps.Clone(c.Selector)},
	}, c.Selector != nil, nil
}

// NetworkPolicy implements program.Cluster.
func (c *Cluster) NetworkPolicy(context.Context, string, string) (*networkingv1.NetworkPolicy, bool, error) {
	if c.Network == nil || c.NetworkErr != nil {
		return nil, false, c.NetworkErr
	}
	return &networkingv1.NetworkPolicy{Spec: *c.Network}, true, nil
}

// Exists implements program.Cluster. There are no objects of extensions.
func (c *Cluster) Exists(context.Context, schema.GroupVersionResource, string, string) (bool, error) {
	return false, nil
}

// ServiceSelector implements program.Cluster.
func (c *Cluster) ServiceSelector(context.Context, string, string) (map[string]string, bool, error) {
	return maps.Clone(c.Selector), c.Selector != nil, nil
}

// SelectPods implements program.Cluster.
func (c *Cluster) SelectPods(_ context.Context, _, service, label, value string) error {
	c.Awaited = append(c.Awaited, fmt.Sprintf("%s selects %s=%s", service, label, value))
	delete(c.Selector, label)
	if value != "" {
		c.Selector[label] = value
	}
	return nil
}

// Replicas implements program.Cluster.
func (c *Cluster) Replicas(_ context.Context, _, name string) (int, error) {
	if replicas, known := c.Tracks[name]; known {
		return replicas, nil
	}
	return c.Live, nil
}

// WaitEndpoints implements program.Cluster.
func (c *Cluster) WaitEndpoints(_ context.Context, _, service string, _ map[string]string, atLeast int) error {
	c.Awaited = append(c.Awaited, fmt.Sprintf("endpoints of %s: %d", service, atLeast))
	return nil
}

// Logs implements program.Cluster.
func (c *Cluster) Logs(context.Context, string, string, string, bool, int64) (string, error) {
	return "", nil
}

// EventTexts implements program.Cluster.
func (c *Cluster) EventTexts(context.Context, string, string) ([]string, error) { return nil, nil }

// SaveEvidence implements program.Cluster.
func (c *Cluster) SaveEvidence(context.Context, string, string, string, []byte, int) error {
	return nil
}

// Announce implements program.Cluster.
func (c *Cluster) Announce(_ context.Context, _, deployment, kind, reason, note string) error {
	c.Announced = append(c.Announced, fmt.Sprintf("%s %s of %s: %s", kind, reason, deployment, note))
	return nil
}

// ConfigMapAnnotation implements ledger.Annotations.
func (c *Cluster) ConfigMapAnnotation(context.Context, string, string, string) (string, error) {
	return c.Head, nil
}

// AnnotateConfigMap implements ledger.Annotations.
func (c *Cluster) AnnotateConfigMap(_ context.Context, _, _, _, value string) error {
	c.Head = value
	return nil
}

// ConfigMap implements program.Cluster.
func (c *Cluster) ConfigMap(_ context.Context, _, name string) (data map[string]string, version string, err error) {
	if slices.Contains(c.Objects, name) {
		return nil, "1", nil
	}
	if strings.Contains(name, "-config") {
		return nil, "", nil
	}
	if c.Version == 0 {
		return nil, "", nil
	}
	return maps.Clone(c.History), strconv.Itoa(c.Version), nil
}

// SwapConfigMap implements program.Cluster.
func (c *Cluster) SwapConfigMap(_ context.Context, _, _ string, data map[string]string, version string) error {
	if c.Version != 0 && version != strconv.Itoa(c.Version) {
		return kube.ErrConflict
	}
	c.History, c.Version = maps.Clone(data), c.Version+1
	return nil
}

// Record implements program.Cluster.
func (c *Cluster) Record(context.Context, string, string, map[string]string) error { return nil }

// Weights puts the weights of the tracks as "stable/canary".
func Weights(weights map[string]int) string {
	return fmt.Sprintf("%d/%d", weights["finance-service-stable"], weights["finance-service-canary"])
}

// Listeners implements program.Cluster.
func (c *Cluster) Listeners(context.Context, string, string) ([]string, bool, error) {
	return c.Gateway.Listeners, c.Gateway.Listeners != nil, nil
}

// RouteWeights implements program.Cluster.
func (c *Cluster) RouteWeights(_ context.Context, _, route string) (map[string]int, error) {
	c.Gateway.Asked = route
	return maps.Clone(c.Gateway.Weights), c.Gateway.Forbidden
}

// SetRouteWeights implements program.Cluster.
func (c *Cluster) SetRouteWeights(_ context.Context, _, _ string, weights map[string]int) error {
	if !maps.Equal(c.Gateway.Weights, weights) {
		c.Gateway.Calls = append(c.Gateway.Calls, "set "+Weights(weights))
	}
	c.Gateway.Weights = maps.Clone(weights)
	return nil
}

// SplitRoute implements program.Cluster.
func (c *Cluster) SplitRoute(_ context.Context, _, route, service string, weights map[string]int) error {
	c.Gateway.Calls = append(c.Gateway.Calls, fmt.Sprintf("split %s of %s into %s", service, route, Weights(weights)))
	delete(c.Gateway.Weights, service)
	maps.Copy(c.Gateway.Weights, weights)
	return nil
}

// RouteBackends implements program.Cluster.
func (c *Cluster) RouteBackends(_ context.Context, _, route string) ([][]kube.Backend, bool, error) {
	c.Gateway.Asked = route
	return c.Gateway.Backends, c.Gateway.Backends != nil, c.Gateway.Forbidden
}

// WaitRoute implements program.Cluster.
func (c *Cluster) WaitRoute(_ context.Context, _, _ string, weights map[string]int) error {
	c.Gateway.happens("accept")
	if slices.Contains(c.Gateway.Refuses, Weights(weights)) {
		return errors.New("gateway infra/public reports that Accepted is False")
	}
	c.Gateway.Calls = append(c.Gateway.Calls, "accepted "+Weights(weights))
	return nil
}

func (g *Gateway) happens(call string) {
	if g.Meanwhile != nil {
		g.Meanwhile(call)
	}
}

// WaitDeploymentRuns implements program.Cluster.
func (c *Cluster) WaitDeploymentRuns(_ context.Context, _, deployment, digest string, replicas int) error {
	c.Gateway.happens("wait")
	c.Gateway.Calls = append(c.Gateway.Calls, fmt.Sprintf("%s: %d of %s", deployment, replicas, digest))
	return c.Unready
}

// SecretValue implements program.Cluster.
func (c *Cluster) SecretValue(_ context.Context, _, name, key string) (string, bool, error) {
	if strings.HasSuffix(name, "-identity") {
		return "0123456789abcdef0123456789abcdef", !c.Unkeyed, nil
	}
	value, ok := c.Values[name+"/"+key]
	return value, ok, nil
}
