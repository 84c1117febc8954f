package program

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/pulumi/pulumi/sdk/v3/go/common/resource"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
	pulumirpc "github.com/pulumi/pulumi/sdk/v3/proto/go"

	"github.com/vextrus/finance-rollout/internal/gate"
	"github.com/vextrus/finance-rollout/internal/settings"
	"github.com/vextrus/finance-rollout/internal/shift/shifttest"
	"github.com/vextrus/finance-rollout/internal/soak"
)

// world is what the program meets in a test: the SDK's mock monitor, and a cluster that answers what the test wants.
type world struct {
	*shifttest.Cluster
	failing string // type token of the resource that fails
	// reported is what a build reports as pushed; empty for what the registry has.
	reported string
	// verified is the image that the staging stack has verified.
	verified string
	// parallel is the number of changes that the engine makes at a time, 0 for its default.
	parallel int32
	// remembered is the cluster in the stack's own outputs.
	remembered string
	// rememberedHead is the end of the ledger in the stack's own outputs.
	rememberedHead string
	// rememberedEnvironment is the environment in the stack's own outputs.
	rememberedEnvironment string

	mu     sync.Mutex
	inputs map[string]resource.PropertyMap
	// ignored are the paths whose changes are ignored, by the resource's key.
	ignored map[string][]string
	// aliased are the resources that had another name, by their keys.
	aliased map[string]bool
	// protected are the resources that no update may delete, by their keys.
	protected map[string]bool
	// retained are the resources that no provider is asked to delete, by their keys.
	retained map[string]bool
	// after are the URNs that a resource waits for, by the resource's key.
	after map[string][]string
	// limits are how long the provider may take to create a resource and to update it, by the resource's key.
	limits map[string]string
	// hooks are those of a resource, by its key.
	hooks map[string]*pulumirpc.RegisterResourceRequest_ResourceHooksBinding
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
			resource.PropertyMap{"verifiedImage": resource.NewStringProperty(w.verified),
				"cluster":     resource.NewStringProperty(w.remembered),
				"ledgerHead":  resource.NewStringProperty(w.rememberedHead),
				"environment": resource.NewStringProperty(w.rememberedEnvironment)})
		return args.Name, outputs, nil
	}
	w.inputs[args.TypeToken+"/"+args.Name] = args.Inputs
	if args.RegisterRPC != nil {
		w.protected[args.TypeToken+"/"+args.Name] = args.RegisterRPC.GetProtect()
		w.retained[args.TypeToken+"/"+args.Name] = args.RegisterRPC.GetRetainOnDelete()
		// The SDK adds the types of earlier API versions, without a name.
		named := func(alias *pulumirpc.Alias) bool { return alias.GetSpec().GetName() != "" }
		w.aliased[args.TypeToken+"/"+args.Name] = slices.ContainsFunc(args.RegisterRPC.GetAliases(), named)
		w.ignored[args.TypeToken+"/"+args.Name] = args.RegisterRPC.GetIgnoreChanges()
		w.hooks[args.TypeToken+"/"+args.Name] = args.RegisterRPC.GetHooks()
		w.after[args.TypeToken+"/"+args.Name] = args.RegisterRPC.GetDependencies()
		limits := args.RegisterRPC.GetCustomTimeouts()
		w.limits[args.TypeToken+"/"+args.Name] = limits.GetCreate() + " " + limits.GetUpdate()
	}
	if args.TypeToken == "docker:index/image:Image" {
		outputs["repoDigest"] = resource.NewStringProperty(cmp.Or(w.reported, builtDigest))
	}
	if args.TypeToken == "docker-build:index:Image" {
		outputs["digest"] = resource.NewStringProperty(digestA)
	}
	return args.Name + "-id", outputs, nil
}

// builtDigest is what a build reports, and what the registry has under its tag.
var builtDigest = "registry.example.com/vextrus/finance@" + digestA

func (w *world) Call(pulumi.MockCallArgs) (resource.PropertyMap, error) { return nil, nil }

func newWorld() *world {
	return &world{
		Cluster: shifttest.New(), inputs: map[string]resource.PropertyMap{}, ignored: map[string][]string{},
		protected: map[string]bool{}, retained: map[string]bool{}, aliased: map[string]bool{}, limits: map[string]string{},
		after: map[string][]string{}, hooks: map[string]*pulumirpc.RegisterResourceRequest_ResourceHooksBinding{},
	}
}

func (w *world) deps() Deps {
	return Deps{
		Connect: func(_, context string) (Cluster, error) {
			if context == "nowhere" {
				return nil, errors.New(`context "nowhere" does not exist`)
			}
			return w, nil
		},
		Resolve: func(_ context.Context, image string, _ settings.Registry) (string, error) {
			if strings.Contains(image, "missing") {
				return "", errors.New(image + " does not resolve")
			}
			if strings.Contains(image, "@") {
				return image, nil
			}
			return image + "@" + digestA, nil
		},
		Prometheus: func(Cluster, *settings.Settings) (soak.Server, error) {
			return nil, errors.New("no Prometheus in this test")
		},
		Getenv: func(string) string { return "" },
		Clock:  gate.SystemClock{},
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
	return pulumi.RunErr(func(ctx *pulumi.Context) error { return Run(ctx, w.deps()) },
		pulumi.WithMocks(project, stack, w), func(info *pulumi.RunInfo) {
			info.Config, info.Parallel = namespaced, w.parallel
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

// ofRelease is the name of the only object of a release whose key begins so; empty when there is none. The hash of the
// content follows in its name.
func (w *world) ofRelease(t *testing.T, prefix string) string {
	t.Helper()
	found := ""
	for key := range w.inputs {
		if hash, ok := strings.CutPrefix(key, prefix+"-"); ok && len(hash) == 10 {
			if found != "" {
				t.Errorf("%s and %s", found, key)
			}
			found = key[strings.LastIndex(key, "/")+1:]
		}
	}
	return found
}
