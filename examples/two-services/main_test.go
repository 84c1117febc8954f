package main

import (
	"context"
	"encoding/json"
	"errors"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/pulumi/pulumi/sdk/v3/go/common/resource"
	"github.com/pulumi/pulumi/sdk/v3/go/common/resource/urn"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
	"sigs.k8s.io/yaml"

	"github.com/vextrus/finance-rollout/internal/gate"
	"github.com/vextrus/finance-rollout/internal/program"
	"github.com/vextrus/finance-rollout/internal/settings"
	"github.com/vextrus/finance-rollout/internal/shift/shifttest"
	"github.com/vextrus/finance-rollout/internal/soak"
	"github.com/vextrus/finance-rollout/rollout"
)

// monitor is the SDK's mock monitor. It keeps the resources by what makes their URNs, with the names of their hooks.
type monitor struct {
	mu    sync.Mutex
	hooks map[string][]string
	twice []string
	// parallel is the number of changes that the engine makes at a time, 0 for its default.
	parallel int32
}

func (m *monitor) NewResource(args pulumi.MockResourceArgs) (string, resource.PropertyMap, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if args.TypeToken == "pulumi:pulumi:StackReference" {
		outputs := args.Inputs.Copy()
		outputs["outputs"] = resource.NewObjectProperty(resource.PropertyMap{})
		return args.Name, outputs, nil
	}
	if args.RegisterRPC == nil {
		return args.Name + "-id", args.Inputs, nil
	}
	key := args.TypeToken + "::" + args.Name
	if parent := args.RegisterRPC.GetParent(); parent != "" {
		key = string(urn.URN(parent).QualifiedType()) + "$" + key
	}
	if _, known := m.hooks[key]; known {
		m.twice = append(m.twice, key)
	}
	hooks := args.RegisterRPC.GetHooks()
	m.hooks[key] = slices.Concat(hooks.GetBeforeCreate(), hooks.GetBeforeUpdate())
	return args.Name + "-id", args.Inputs, nil
}

func (m *monitor) Call(pulumi.MockCallArgs) (resource.PropertyMap, error) { return nil, nil }

// preview runs the program of the example on its stack file, beside a cluster without pods.
func preview(t *testing.T, m *monitor, change map[string]string) error {
	t.Helper()
	raw, err := os.ReadFile("Pulumi.production.yaml")
	if err != nil {
		t.Fatal(err)
	}
	var file struct {
		Config map[string]any `json:"config"`
	}
	if err := yaml.UnmarshalStrict(raw, &file); err != nil {
		t.Fatal(err)
	}
	config := map[string]string{}
	for key, value := range file.Config {
		text, isText := value.(string)
		if !isText {
			encoded, err := json.Marshal(value)
			if err != nil {
				t.Fatal(err)
			}
			text = string(encoded)
		}
		config[key] = text
	}
	for key, value := range change {
		config[key] = value
	}
	encoded, err := json.Marshal(config)
	if err != nil {
		t.Fatal(err)
	}
	t.Setenv(pulumi.EnvConfig, string(encoded))
	deps := program.Deps{
		Connect: func(string, string) (program.Cluster, error) { return shifttest.New(), nil },
		Resolve: func(_ context.Context, image string, _ settings.Registry) (string, error) {
			return image + "@sha256:" + strings.Repeat("a", 64), nil
		},
		Prometheus: func(program.Cluster, *settings.Settings) (soak.Server, error) {
			return nil, errors.New("no Prometheus in this test")
		},
		Getenv: func(string) string { return "" },
		Clock:  gate.SystemClock{},
	}
	roll := func(ctx *pulumi.Context, name string, _ *rollout.Args,
		opts ...pulumi.ResourceOption) (*rollout.Rollout, error) {
		return program.New(ctx, program.Options{Name: name, Config: name}, deps, opts...)
	}
	return pulumi.RunErr(func(ctx *pulumi.Context) error { return services(ctx, roll) },
		pulumi.WithMocks("two-services", "production", m), func(info *pulumi.RunInfo) {
			info.Config, info.DryRun, info.Parallel = config, true, m.parallel
		})
}

func TestTwoServicesShareNothingButTheStack(t *testing.T) {
	m := &monitor{hooks: map[string][]string{}}
	if err := preview(t, m, nil); err != nil {
		t.Fatal(err)
	}
	if len(m.twice) > 0 {
		t.Errorf("made twice: %v", m.twice)
	}
	for _, service := range []string{"payments", "invoices"} {
		const rollouts = "finance-rollout:index:Rollout"
		stable := rollouts + "$finance-rollout:index:Track$kubernetes:apps/v1:Deployment::" + service + "-stable"
		if _, made := m.hooks[stable]; !made {
			t.Errorf("no %s", stable)
		}
		for key, hooks := range m.hooks {
			for _, hook := range hooks {
				if strings.HasSuffix(key, "::"+service+"-stable") && !strings.HasPrefix(hook, service+"-") {
					t.Errorf("%s has the hook %s", key, hook)
				}
			}
		}
	}
}

// Each track that shrinks waits for the other one of its rollout: two rollouts need three changes at a time.
func TestTwoRolloutsDoNotWaitForEachOther(t *testing.T) {
	for parallel, refused := range map[int32]bool{0: false, 1: true, 2: true, 3: false} {
		err := preview(t, &monitor{hooks: map[string][]string{}, parallel: parallel}, nil)
		if (err != nil) != refused || refused && !strings.Contains(err.Error(), "--parallel 3`") {
			t.Errorf("--parallel %d: %v", parallel, err)
		}
	}
	// A rollout with one track waits for nothing.
	single := map[string]string{"invoices:strategy": "single"}
	if err := preview(t, &monitor{hooks: map[string][]string{}, parallel: 2}, single); err != nil {
		t.Error(err)
	}
}

func TestTwoRolloutsInOneNamespaceAreRefused(t *testing.T) {
	err := preview(t, &monitor{hooks: map[string][]string{}}, map[string]string{
		"invoices:namespace": "payments-production", "other:namespace": "payments-production"})
	if err == nil || !strings.Contains(err.Error(), "payments:namespace and invoices:namespace are both") ||
		!strings.Contains(err.Error(), "pulumi config set payments:namespace NAME -s production") {
		t.Errorf("error %v", err)
	}
}

func TestAMistakeIsToldWithTheNamespaceOfItsKey(t *testing.T) {
	err := preview(t, &monitor{hooks: map[string][]string{}}, map[string]string{"invoices:replicas": "ten"})
	if err == nil || !strings.Contains(err.Error(), "config replicas") {
		t.Errorf("error %v", err)
	}
	err = preview(t, &monitor{hooks: map[string][]string{}}, map[string]string{"payments:stableImage": ""})
	if err == nil || !strings.Contains(err.Error(), "pulumi config set payments:stableImage") {
		t.Errorf("error %v", err)
	}
}
