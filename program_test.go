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

	"github.com/vextrus/finance-rollout/components"
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

	mu     sync.Mutex
	inputs map[string]resource.PropertyMap
}

func (w *world) NewResource(args pulumi.MockResourceArgs) (string, resource.PropertyMap, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if args.TypeToken == w.failing {
		return "", nil, errors.New("refused by the test")
	}
	outputs := args.Inputs.Copy()
	if args.TypeToken == "pulumi:pulumi:StackReference" {
		outputs["outputs"] = resource.NewObjectProperty(resource.PropertyMap{"verifiedImage": resource.NewStringProperty(w.verified)})
		return args.Name, outputs, nil
	}
	w.inputs[args.TypeToken+"/"+args.Name] = args.Inputs
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

func (w *world) Pods(context.Context, string, map[string]string) ([]corev1.Pod, error) {
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
	return &world{kinds: []string{"ServiceMonitor", "PrometheusRule"}, inputs: map[string]resource.PropertyMap{}}
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
	return pulumi.RunErr(func(ctx *pulumi.Context) error { return rollout(ctx, w.edges()) },
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

func TestProductionAtWeek1(t *testing.T) {
	w := newWorld()
	if err := w.run(t, "production", productionConfig()); err != nil {
		t.Fatal(err)
	}
	stable := w.replicas(t, "kubernetes:apps/v1:Deployment/stable")
	canary := w.replicas(t, "kubernetes:apps/v1:Deployment/canary")
	if stable != 9 || canary != 1 {
		t.Errorf("%v stable and %v canary pods", stable, canary)
	}
	record := w.inputs["kubernetes:core/v1:ConfigMap/release"]["data"].ObjectValue()
	if record["weight"].StringValue() != "10" || !strings.Contains(record["image"].StringValue(), "v2@sha256:") || !strings.Contains(record["stableImage"].StringValue(), "v1@sha256:") {
		t.Errorf("record %v", record)
	}
	for _, name := range []string{"finance-db-production", "finance-secrets-production"} {
		if _, ok := w.inputs["kubernetes:core/v1:Secret/"+name]; !ok {
			t.Errorf("no secret %s", name)
		}
	}
}

func TestStagingHasOneTrack(t *testing.T) {
	w := newWorld()
	config := productionConfig()
	maps.Copy(config, map[string]string{"strategy": "single", "replicas": "2", "release": "staging", "serviceName": "finance-service-staging", "namespace": "vextrus-staging"})
	delete(config, "stableImage")
	if err := w.run(t, "staging", config); err != nil {
		t.Fatal(err)
	}
	if pods := w.replicas(t, "kubernetes:apps/v1:Deployment/stable"); pods != 2 {
		t.Errorf("%v pods", pods)
	}
	if _, ok := w.inputs["kubernetes:apps/v1:Deployment/canary"]; ok {
		t.Error("a canary in staging")
	}
}

func TestWeightZeroKeepsTheCanaryWithoutPods(t *testing.T) {
	w := newWorld()
	config := productionConfig()
	config["canaryWeight"] = "0"
	if err := w.run(t, "production", config); err != nil {
		t.Fatal(err)
	}
	if pods := w.replicas(t, "kubernetes:apps/v1:Deployment/canary"); pods != 0 {
		t.Errorf("%v canary pods", pods)
	}
	if pods := w.replicas(t, "kubernetes:apps/v1:Deployment/stable"); pods != 10 {
		t.Errorf("%v stable pods", pods)
	}
}

func TestRefusalsChangeNothing(t *testing.T) {
	tests := []struct {
		name   string
		world  func(*world)
		config map[string]string
		want   []string
	}{
		{name: "unreachable cluster", world: func(w *world) { w.offline = errors.New("the API server does not answer") }, want: []string{"does not answer"}},
		{name: "wrong context", config: map[string]string{"kubeContext": "nowhere"}, want: []string{"nowhere"}},
		{name: "foreign namespace", world: func(w *world) {
			w.owner = &kube.Namespace{Annotations: map[string]string{components.AnnotationStack: "other/production"}}
		}, want: []string{"vextrus-production", "other/production", "finance-rollout/production", "kubectl annotate"}},
		{name: "unmarked namespace", world: func(w *world) { w.owner = &kube.Namespace{} }, want: []string{"somebody else", "kubectl annotate"}},
		{name: "no operator", world: func(w *world) { w.kinds = nil }, want: []string{"ServiceMonitor", "monitoring.enabled false"}},
		{name: "tag that does not resolve", config: map[string]string{"image": "vextrus/missing:v9"}, want: []string{"config image", "vextrus/missing:v9"}},
		{name: "stable tag that does not resolve", config: map[string]string{"stableImage": "vextrus/missing:v9"}, want: []string{"config stableImage"}},
		{name: "weight", config: map[string]string{"canaryWeight": "33"}, want: []string{"canaryWeight", "33", "30 %", "40 %"}},
		{name: "unknown key", config: map[string]string{"canaryWieght": "30"}, want: []string{"canaryWieght", "no such key"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			w := newWorld()
			if tt.world != nil {
				tt.world(w)
			}
			config := productionConfig()
			maps.Copy(config, tt.config)
			err := w.run(t, "production", config)
			if err == nil {
				t.Fatal("accepted")
			}
			for _, word := range tt.want {
				if !strings.Contains(err.Error(), word) {
					t.Errorf("the error does not name %q: %v", word, err)
				}
			}
			delete(w.inputs, "pulumi:pulumi:Stack/"+project+"-production")
			if len(w.inputs) != 0 {
				t.Errorf("made %v", slices.Sorted(maps.Keys(w.inputs)))
			}
		})
	}
}

func TestOwnNamespaceIsNoObstacle(t *testing.T) {
	w := newWorld()
	w.owner = &kube.Namespace{Annotations: map[string]string{components.AnnotationStack: "finance-rollout/production"}}
	if err := w.run(t, "production", productionConfig()); err != nil {
		t.Error(err)
	}
}

func TestWithoutMonitoringNoOperatorIsNeeded(t *testing.T) {
	w := newWorld()
	w.kinds = nil
	config := productionConfig()
	config["monitoring"] = `{"enabled":false}`
	if err := w.run(t, "production", config); err != nil {
		t.Error(err)
	}
}

func TestABuiltImageIsDeployedByDigest(t *testing.T) {
	w := newWorld()
	config := productionConfig()
	config["build"] = `{"context":"service"}`
	config["registry"] = `{"server":"registry.example.com","username":"robot","password":"pull-me"}`
	if err := w.run(t, "production", config); err != nil {
		t.Fatal(err)
	}
	record := w.inputs["kubernetes:core/v1:ConfigMap/release"]["data"].ObjectValue()
	if got := record["image"].StringValue(); got != builtDigest {
		t.Errorf("the canary runs %q", got)
	}
	if _, ok := w.inputs["kubernetes:core/v1:Secret/registry-production"]; !ok {
		t.Error("no registry credentials for the pods")
	}
}

func TestEveryFailingResourceFailsTheProgram(t *testing.T) {
	w := newWorld()
	config := productionConfig()
	if err := w.run(t, "production", config); err != nil {
		t.Fatal(err)
	}
	tokens := map[string]bool{}
	for key := range w.inputs {
		tokens[key[:strings.LastIndex(key, "/")]] = true
	}
	delete(tokens, "pulumi:pulumi:Stack")
	if len(tokens) < 15 {
		t.Errorf("only %d types of resources", len(tokens))
	}
	for token := range tokens {
		failing := newWorld()
		failing.failing = token
		if err := failing.run(t, "production", config); err == nil {
			t.Errorf("the program passed without %s", token)
		}
	}
}

func TestChecksumFollowsSecretsAndConfig(t *testing.T) {
	load := func(change func(*settings.Settings)) string {
		s := settings.Defaults()
		s.Secrets = map[string]map[string]settings.Secret{"finance-db": {"password": "one"}}
		change(s)
		return checksum(s)
	}
	before := load(func(*settings.Settings) {})
	if before != load(func(*settings.Settings) {}) {
		t.Error("the checksum is not stable")
	}
	for name, change := range map[string]func(*settings.Settings){
		"secret": func(s *settings.Settings) { s.Secrets["finance-db"]["password"] = "two" },
		"config": func(s *settings.Settings) { s.ConfigEnv["LOG_LEVEL"] = "debug" },
	} {
		if before == load(change) {
			t.Errorf("a changed %s leaves the checksum as it was", name)
		}
	}
}

func TestTokenVariable(t *testing.T) {
	for environment, want := range map[string]string{
		"production": "PROD_JWT_TOKEN", "staging": "STAGING_JWT_TOKEN", "pre-prod": "PRE_PROD_JWT_TOKEN",
	} {
		if got := tokenVariable(environment); got != want {
			t.Errorf("%s: %s", environment, got)
		}
	}
}

func TestReplicasOfADeployment(t *testing.T) {
	object := resource.NewPropertyMapFromMap
	for want, inputs := range map[int]resource.PropertyMap{
		7: object(map[string]any{"spec": map[string]any{"replicas": 7}}),
		0: object(map[string]any{"spec": "unknown"}),
	} {
		if got := replicas(inputs); got != want {
			t.Errorf("replicas(%v) = %d", inputs, got)
		}
	}
}

func TestAShrinkingTrackWaitsForTheOther(t *testing.T) {
	deployment := func(replicas int) resource.PropertyMap {
		return resource.NewPropertyMapFromMap(map[string]any{"spec": map[string]any{"replicas": replicas}})
	}
	tests := []struct {
		name                 string
		before, after, other int
		unready              error
		live                 int
		waits, fails         bool
	}{
		{name: "shrinks", before: 9, after: 7, other: 3, waits: true},
		{name: "shrinks in the cluster only", before: 7, live: 10, after: 9, other: 1, waits: true},
		{name: "grows", before: 1, after: 3, other: 7},
		{name: "stays", before: 9, after: 9, other: 1},
		{name: "shrinks beside a track without pods", before: 10, after: 9, other: 0},
		{name: "the other never gets ready", before: 9, after: 7, other: 3, unready: errors.New("1 of 3 ready"), waits: true, fails: true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			w := newWorld()
			w.unready, w.live = tt.unready, tt.live
			h := &hooks{settings: settings.Defaults(), cluster: w}
			h.settings.Namespace = "vextrus-production"
			err := h.awaitOther(t.Context(), &pulumi.ResourceHookArgs{
				Name: "stable", OldInputs: deployment(tt.before), NewInputs: deployment(tt.after),
			}, other{deployment: "finance-service-week1", replicas: tt.other})
			if (len(w.awaited) > 0) != tt.waits || (err != nil) != tt.fails {
				t.Fatalf("waited for %v, error %v", w.awaited, err)
			}
			if want := fmt.Sprintf("vextrus-production/finance-service-week1: %d", tt.other); tt.waits && w.awaited[0] != want {
				t.Errorf("waited for %s, want %s", w.awaited[0], want)
			}
			if want := fmt.Sprintf("endpoints of %s: %d", h.settings.ServiceName, tt.other); tt.waits && !tt.fails && !slices.Contains(w.awaited, want) {
				t.Errorf("waited for %v and not for the endpoints", w.awaited)
			}
			if tt.fails && (!strings.Contains(err.Error(), "stays at 9 pods") || !strings.Contains(err.Error(), "1 of 3 ready")) {
				t.Errorf("the error does not tell what it waited for: %v", err)
			}
		})
	}
}
