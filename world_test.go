package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/pulumi/pulumi/sdk/v3/go/common/resource"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
	corev1 "k8s.io/api/core/v1"

	"github.com/vextrus/finance-rollout/internal/kube"
	"github.com/vextrus/finance-rollout/internal/settings"
)

// world is what the program meets in a test: the SDK's mock monitor, and a cluster that answers what the test wants.
type world struct {
	failing string // type token of the resource that fails
	offline error
	kinds   []string
	owner   *kube.Namespace
	unready error // what waiting for a Deployment ends with
	awaited []string
	scaled  []string
	live    int // replicas of every Deployment in the cluster
	// verified is the image that the staging stack has verified.
	verified string
	ledger   map[string]string
	version  int
	gateway  gatewayWorld

	mu     sync.Mutex
	inputs map[string]resource.PropertyMap
	// ignored are the paths whose changes are ignored, by the resource's key.
	ignored map[string][]string
}

func (w *world) NewResource(args pulumi.MockResourceArgs) (string, resource.PropertyMap, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if args.TypeToken == w.failing {
		return "", nil, errors.New("refused by the test")
	}
	outputs := args.Inputs.Copy()
	if args.TypeToken == "pulumi:pulumi:StackReference" {
		outputs["outputs"] = resource.NewObjectProperty(
			resource.PropertyMap{"verifiedImage": resource.NewStringProperty(w.verified)})
		return args.Name, outputs, nil
	}
	w.inputs[args.TypeToken+"/"+args.Name] = args.Inputs
	if args.RegisterRPC != nil {
		w.ignored[args.TypeToken+"/"+args.Name] = args.RegisterRPC.GetIgnoreChanges()
	}
	if args.TypeToken == "docker:index/image:Image" {
		outputs["repoDigest"] = resource.NewStringProperty(builtDigest)
	}
	return args.Name + "-id", outputs, nil
}

const builtDigest = "registry.example.com/vextrus/finance@sha256:bb"

func (w *world) Call(pulumi.MockCallArgs) (resource.PropertyMap, error) { return nil, nil }

func (w *world) Check(context.Context) error { return w.offline }

func (w *world) Kinds(context.Context, string) ([]string, error) { return w.kinds, nil }

func (w *world) NamespaceOwner(context.Context, string) (kube.Namespace, bool, error) {
	if w.owner == nil {
		return kube.Namespace{}, false, nil
	}
	return *w.owner, true, nil
}

func (w *world) ServiceProxy(string, string, int) (http.RoundTripper, string) { return nil, "" }

func (w *world) WaitDeploymentReady(_ context.Context, namespace, name string, replicas int) error {
	w.awaited = append(w.awaited, fmt.Sprintf("%s/%s: %d", namespace, name, replicas))
	return w.unready
}

func (w *world) WaitDeploymentAnnotated(_ context.Context, namespace, name, _, value string, replicas int) error {
	w.awaited = append(w.awaited, fmt.Sprintf("%s/%s: %d with %s", namespace, name, replicas, value))
	return w.unready
}

func (w *world) WaitRolledOut(context.Context, string, string) error { return nil }

func (w *world) ReadyPods(context.Context, string, string) ([]corev1.Pod, error) { return nil, nil }

func (w *world) DeploymentPods(context.Context, string, string) ([]corev1.Pod, error) {
	return nil, nil
}

func (w *world) PodClient(context.Context, string, string, int) (*http.Client, string, func(), error) {
	return nil, "", nil, errors.New("no pods in this test")
}

func (w *world) AllPods(context.Context, string, map[string]string) ([]corev1.Pod, error) {
	return nil, nil
}

func (w *world) LabelPods(context.Context, string, map[string]string, string, string) ([]string, error) {
	return nil, nil
}

func (w *world) Endpoints(context.Context, string, string) ([]string, error) { return nil, nil }

func (w *world) Scale(_ context.Context, _, deployment string, replicas int) error {
	w.scaled = append(w.scaled, fmt.Sprintf("%s: %d", deployment, replicas))
	return nil
}

func (w *world) OpenService(context.Context, string, string, string) (bool, error) { return false, nil }

func (w *world) Replicas(context.Context, string, string) (int, error) { return w.live, nil }

func (w *world) WaitEndpoints(_ context.Context, _, service string, _ map[string]string, atLeast int) error {
	w.awaited = append(w.awaited, fmt.Sprintf("endpoints of %s: %d", service, atLeast))
	return nil
}

func (w *world) Logs(context.Context, string, string, string, bool, int64) (string, error) {
	return "", nil
}

func (w *world) EventTexts(context.Context, string, string) ([]string, error) { return nil, nil }

func (w *world) SaveEvidence(context.Context, string, string, string, []byte, int) error { return nil }

func (w *world) ConfigMap(context.Context, string, string) (data map[string]string, version string, err error) {
	if w.version == 0 {
		return nil, "", nil
	}
	return maps.Clone(w.ledger), strconv.Itoa(w.version), nil
}

func (w *world) SwapConfigMap(_ context.Context, _, _ string, data map[string]string, version string) error {
	if w.version != 0 && version != strconv.Itoa(w.version) {
		return kube.ErrConflict
	}
	w.ledger, w.version = maps.Clone(data), w.version+1
	return nil
}

func (w *world) Record(context.Context, string, string, map[string]string) error { return nil }

func newWorld() *world {
	return &world{
		kinds: []string{"ServiceMonitor", "PrometheusRule"}, inputs: map[string]resource.PropertyMap{},
		ignored: map[string][]string{},
	}
}

func (w *world) edges() edges {
	return edges{
		connect: func(_, context string) (cluster, error) {
			if context == "nowhere" {
				return nil, errors.New(`context "nowhere" does not exist`)
			}
			return w, nil
		},
		resolve: func(_ context.Context, image string, _ settings.Registry) (string, error) {
			if strings.Contains(image, "missing") {
				return "", errors.New(image + " does not resolve")
			}
			return image + "@sha256:" + strings.Repeat("a", 64), nil
		},
		prometheus: func(cluster, string) (metricsServer, error) { return nil, errors.New("no Prometheus in this test") },
		getenv:     func(string) string { return "" },
		now:        time.Now,
		after:      time.After,
	}
}

const project = "finance-rollout"

func productionConfig() map[string]string {
	return map[string]string{
		"image": "vextrus/finance:v2", "stableImage": "vextrus/finance:v1", "namespace": "vextrus-production",
		"prometheus": "monitoring/prometheus-operated:9090",
		"secrets": `{"finance-db":{"host":"db","username":"app","password":"s3cr3t-value"},
			"finance-secrets":{"jwt-secret":"sign-with-me","eventstore-connection":"esdb://es:2113?tls=true","cors-origin":"https://app.vextrus.com"}}`,
	}
}

// run runs the program against the world with configuration as the engine hands it over.
func (w *world) run(t *testing.T, stack string, config map[string]string) error {
	t.Helper()
	namespaced := map[string]string{}
	for key, value := range config {
		namespaced[project+":"+key] = value
	}
	encoded, err := json.Marshal(namespaced)
	if err != nil {
		t.Fatal(err)
	}
	t.Setenv(pulumi.EnvConfig, string(encoded))
	return pulumi.RunErr(func(ctx *pulumi.Context) error { return program(ctx, w.edges()) },
		pulumi.WithMocks(project, stack, w), func(info *pulumi.RunInfo) {
			info.Config = namespaced
			info.ConfigSecretKeys = []string{project + ":secrets"}
		})
}

// replicas gives the pods that a Deployment was made with.
func (w *world) replicas(t *testing.T, key string) float64 {
	t.Helper()
	const path = "spec.replicas"
	parsed, err := resource.ParsePropertyPath(path)
	if err != nil {
		t.Fatal(err)
	}
	value, ok := parsed.Get(resource.NewObjectProperty(w.inputs[key]))
	if !ok || !value.IsNumber() {
		t.Fatalf("%s holds no number at %s; resources: %v", key, path, slices.Sorted(maps.Keys(w.inputs)))
	}
	return value.NumberValue()
}

// text gives the text at a path of a resource's inputs; empty when there is nothing.
func (w *world) text(t *testing.T, key, path string) string {
	t.Helper()
	parsed, err := resource.ParsePropertyPath(path)
	if err != nil {
		t.Fatal(err)
	}
	if w.inputs[key] == nil {
		t.Fatalf("no %s; resources: %v", key, slices.Sorted(maps.Keys(w.inputs)))
	}
	if value, ok := parsed.Get(resource.NewObjectProperty(w.inputs[key])); ok && value.IsString() {
		return value.StringValue()
	}
	return ""
}
