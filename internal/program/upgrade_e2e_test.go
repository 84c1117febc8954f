//go:build e2e

package program

import (
	"encoding/json"
	"fmt"
	"maps"
	"strings"
	"testing"

	"github.com/pulumi/pulumi/sdk/v3/go/auto/optpreview"
	"github.com/pulumi/pulumi/sdk/v3/go/common/apitype"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
)

// inProduction is a stack with a canary at 10 % that needs neither staging nor traffic.
func inProduction(t *testing.T) map[string]string {
	t.Helper()
	return map[string]string{
		"image": "vextrus/finance:v2", "stableImage": "vextrus/finance:v1", "release": "v2", "canaryWeight": "10",
		"namespace": "vextrus-production", "staging": `{"required":false}`, "secretEnv": `{}`, "bake": `{"duration":"0s"}`,
		"floors":     `{"bake":"0s","reason":"a cluster without pods"}`,
		"prometheus": "http://127.0.0.1:9", "monitoring": `{"enabled":false}`,
		"secrets": `{"finance-db":{"password":"s3cr3t-value"}}`,
		"smoke":   fmt.Sprintf(`{"suite":%q,"originFrom":"","tokenFrom":""}`, suiteOf(t)),
	}
}

// populated is a cluster in which the tracks of some services have the pods of 10 %.
func populated(t *testing.T, services ...string) *answering {
	t.Helper()
	cluster := newAnswering(t)
	cluster.Tracks = map[string]int{}
	for _, service := range services {
		cluster.Tracks[service+"-stable"], cluster.Tracks[service+"-v2"] = 9, 1
	}
	return cluster
}

func depsOf(cluster Cluster) Deps {
	deps := newWorld().deps()
	deps.Connect = func(string, string) (Cluster, error) { return cluster, nil }
	return deps
}

// Stacks of earlier versions hold the same resources without the component around them.
func TestAnUpgradeReplacesNothing(t *testing.T) {
	deps := depsOf(populated(t, "finance-service"))
	e := newEngine(t, "production", func(ctx *pulumi.Context) error { return Run(ctx, deps) }, nil)
	e.configure(t, inProduction(t), "secrets")
	e.mustUp(t)
	e.withoutComponent(t)
	for _, before := range []string{
		"finance-rollout::finance-rollout:index:Track$kubernetes:apps/v1:Deployment::stable",
		"finance-rollout::finance-rollout:index:Track$kubernetes:apps/v1:Deployment::finance-service-v2",
		"finance-rollout::finance-rollout:index:Environment$kubernetes:core/v1:Namespace::environment",
		"finance-rollout::finance-rollout:index:Release$kubernetes:core/v1:ConfigMap::release",
	} {
		has(t, e.state(t), before)
	}
	preview, err := e.stack.Preview(t.Context(), optpreview.Diff())
	if err != nil {
		t.Fatal(err)
	}
	made := maps.Clone(preview.ChangeSummary)
	for _, usual := range []apitype.OpType{apitype.OpSame, apitype.OpRead} {
		delete(made, usual)
	}
	if len(made) != 1 || made[apitype.OpCreate] != 1 {
		t.Errorf("an upgrade would do %v beside what stays:\n%s", made, preview.StdOut)
	}
	has(t, e.mustUp(t), "finance-rollout:index:Rollout")
	if output, err := e.preview(t, optpreview.ExpectNoChanges()); err != nil {
		t.Errorf("%v\n%s", err, output)
	}
}

// withoutComponent gives the stack the state that an earlier version would have left.
func (e *engine) withoutComponent(t *testing.T) {
	t.Helper()
	exported, err := e.stack.Export(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	var deployment map[string]any
	text := strings.ReplaceAll(string(exported.Deployment), "finance-rollout:index:Rollout$", "")
	if err := json.Unmarshal([]byte(text), &deployment); err != nil {
		t.Fatal(err)
	}
	var kept []any
	stack, rollout := "", ""
	for _, each := range deployment["resources"].([]any) {
		held := each.(map[string]any)
		switch held["type"] {
		case "pulumi:pulumi:Stack":
			stack = held["urn"].(string)
		case "finance-rollout:index:Rollout":
			rollout = held["urn"].(string)
			continue
		}
		if held["parent"] == rollout {
			held["parent"] = stack
		}
		kept = append(kept, held)
	}
	deployment["resources"] = kept
	if exported.Deployment, err = json.Marshal(deployment); err != nil {
		t.Fatal(err)
	}
	if err := e.stack.Import(t.Context(), exported); err != nil {
		t.Fatal(err)
	}
}

func TestTwoRolloutsInOneStack(t *testing.T) {
	// The ledgers of the fake clusters hold one rollout each.
	payments, invoices := depsOf(populated(t, "payments")), depsOf(populated(t, "invoices"))
	e := newEngine(t, "production", func(ctx *pulumi.Context) error {
		for name, deps := range map[string]Deps{"payments": payments, "invoices": invoices} {
			if _, err := New(ctx, Options{Name: name, Config: name}, deps); err != nil {
				return err
			}
		}
		return nil
	}, nil)
	config := map[string]string{}
	for _, name := range []string{"payments", "invoices"} {
		for key, value := range inProduction(t) {
			config[name+":"+key] = value
		}
		config[name+":app"], config[name+":namespace"] = name, name+"-production"
	}
	e.configureAll(t, config, "payments:secrets", "invoices:secrets")
	output := e.mustUp(t)
	has(t, output, "payments.verifiedImage", "invoices.verifiedImage", "payments-stable", "invoices-stable")
	if output, err := e.preview(t, optpreview.ExpectNoChanges()); err != nil {
		t.Errorf("%v\n%s", err, output)
	}
}
