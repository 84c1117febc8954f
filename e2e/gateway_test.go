//go:build e2e

package e2e

import (
	"fmt"
	"math"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/vextrus/finance-rollout/internal/kube"
)

// silentGateway is a Gateway of a class without a controller.
const silentGateway = `apiVersion: gateway.networking.k8s.io/v1
kind: Gateway
metadata: {name: silent, namespace: %s}
spec:
  gatewayClassName: nobody
  listeners: [{name: web, protocol: HTTP, port: 18080, allowedRoutes: {namespaces: {from: All}}}]
`

// TestGateway moves a release up and down by the weights of a route behind a real Gateway. Its parts build on each
// other and run in order.
func TestGateway(t *testing.T) {
	takeTurn(t, 2)
	address := os.Getenv("FINANCE_ROLLOUT_GATEWAY")
	if address == "" {
		t.Fatal("the local cluster has no Gateway: run `make e2e`, or `make cluster GATEWAY=1` and `. .local/env` first")
	}
	c := open(t, "gateway", 30380)
	client, err := kube.New(kube.Options{Kubeconfig: os.Getenv("KUBECONFIG")})
	if err != nil {
		t.Fatal(err)
	}
	// The default. With the local stacks' shorter pause, the Gateway can learn of a terminating pod too late.
	c.config(t, "shutdown.preStopSeconds", "5")
	e := &edge{cluster: c, client: client}
	e.door = door{url: address, host: gatewayHost, await: e.answers}
	inOrder(t, e, []part[*edge]{
		{name: "staging", run: func(t *testing.T, e *edge) { e.up(t, "staging") }, vital: true},
		{name: "refusals", run: gatewayRefusals},
		{name: "a Gateway that does not answer", run: silent},
		{name: "week 1", run: week1ByWeight, vital: true},
		{name: "share of the requests", run: shareByWeight},
		{name: "up and down", run: upAndDown},
		{name: "a shift that is not accepted", run: notAccepted},
		{name: "failing smoke check", run: failingSmokeCheckByWeight},
		{name: "the guard", run: guardByWeight},
		{name: "autoscaler", run: autoscaler},
		{name: "to the end", run: toTheEnd},
		{name: "by pod count and back", run: byPodCountAndBack},
	})
}

func gatewayRefusals(t *testing.T, e *edge) {
	for path, value := range map[string]string{"canary.autoscale.max": "10", "canary.autoscale.cpuPercent": "70"} {
		e.config(t, path, value)
	}
	if output, err := e.pulumi(t, "preview", "--stack", "production"); err == nil ||
		!strings.Contains(output, "canary.autoscale") || !strings.Contains(output, "traffic gateway") {
		t.Errorf("an autoscaler beside pod counts: %v\n%s", err, tail(output))
	}
	e.dropCanaryConfig(t)
	e.config(t, "traffic", "gateway")
	if output, err := e.pulumi(t, "preview", "--stack", "production"); err == nil ||
		!strings.Contains(output, "pulumi config set --path gateway.name NAME") {
		t.Errorf("no Gateway: %v\n%s", err, tail(output))
	}
	e.config(t, "gateway.namespace", "gateway")
	e.config(t, "gateway.name", "nothing")
	e.config(t, "gateway.hostnames[0]", gatewayHost)
	e.config(t, "gateway.timeout", "10s")
	if output, err := e.pulumi(t, "preview", "--stack", "production"); err == nil ||
		!strings.Contains(output, "no Gateway gateway/nothing") {
		t.Errorf("a Gateway that does not exist: %v\n%s", err, tail(output))
	}
	if generations := e.generations(t); len(generations) > 0 {
		t.Errorf("something was made: %v", generations)
	}
}

// silent deploys the stack behind a Gateway without a controller: no shift counts as reached, and the canary's weight
// stays 0.
func silent(t *testing.T, e *edge) {
	manifest := e.dir + "/silent.yaml"
	if err := os.WriteFile(manifest, fmt.Appendf(nil, silentGateway, e.staging), 0o600); err != nil {
		t.Fatal(err)
	}
	if output, err := e.run(t, "kubectl", "apply", "-f", manifest); err != nil {
		t.Fatalf("%v\n%s", err, output)
	}
	e.config(t, "gateway.namespace", e.staging)
	e.config(t, "gateway.name", "silent")
	e.refused(t, "has reported nothing", "a controller runs for its class")
	if got := e.weights(t); got != "100/0" {
		t.Errorf("the route has the weights %s", got)
	}
	e.config(t, "gateway.namespace", "gateway")
	e.config(t, "gateway.name", "edge")
}

func week1ByWeight(t *testing.T, e *edge) {
	sent := e.customers(t, 50)
	output := e.up(t, "production")
	for _, word := range []string{"canary week1 passed its gate", "Passed: 12", "gate: pass"} {
		if !strings.Contains(output, word) {
			t.Errorf("the up of production does not say %q:\n%s", word, tail(output))
		}
	}
	e.expectTracks(t, 10, 1)
	e.expectInForce(t, 10)
	if outputs := e.outputs(t); outputs["weight"] != 10.0 || outputs["stableReplicas"] != 10.0 ||
		outputs["canaryReplicas"] != 1.0 {
		t.Errorf("outputs %v", outputs)
	}
	if text, err := e.pulumi(t, "preview", "--stack", "production", "--expect-no-changes"); err != nil {
		t.Errorf("the preview of an unchanged stack has changes: %v\n%s", err, tail(text))
	}
	sent.end()
	sent.expectAnswers(t)
}

// shareByWeight compares the canary's share of the requests with its weight. Weights split exactly, pod counts only on
// average.
func shareByWeight(t *testing.T, e *edge) {
	sent := e.customers(t, 50)
	time.Sleep(20 * time.Second)
	sent.end()
	sent.expectAnswers(t)
	if got, answers := canaryShare(sent); math.Abs(got-0.1) > 0.01 || answers < 900 {
		t.Errorf("the canary answered %.2f %% of %d requests, want 10 ± 1", got*100, answers)
	}
}

// upAndDown goes from 10 to 30 % and back to 0 under load: no request fails, and no pod leaves before its weight does.
func upAndDown(t *testing.T, e *edge) {
	sent := e.customers(t, 100)
	wrong, whole := e.watchOrder(t), e.watchCapacity(t)
	e.override(t, 30)
	preview, err := e.pulumi(t, "preview", "--stack", "production", "--diff")
	if err != nil || !strings.Contains(preview, "weight: 10 => 30") || !strings.Contains(preview, "weight: 90 => 70") {
		t.Errorf("the preview does not show the weights: %v\n%s", err, tail(preview))
	}
	e.up(t, "production")
	e.expectTracks(t, 10, 3)
	e.expectInForce(t, 30)
	e.config(t, "canaryWeight", "0")
	e.up(t, "production")
	e.expectTracks(t, 10, 0)
	e.expectInForce(t, 0)
	whole()
	if moments := wrong(); len(moments) > 0 {
		t.Errorf("%d times too few pods: %v", len(moments), moments[:min(len(moments), 5)])
	}
	sent.end()
	sent.expectAnswers(t)
	after := e.customers(t, 50)
	time.Sleep(4 * time.Second)
	after.end()
	if got, answers := canaryShare(after); got != 0 || answers < 100 {
		t.Errorf("at 0 %% the canary answered %.2f %% of %d requests", got*100, answers)
	}
}

// notAccepted keeps the Gateway from reporting. Stored weights alone do not prove a shift, so the update reverts them.
func notAccepted(t *testing.T, e *edge) {
	sent := e.customers(t, 100)
	restore := e.muteGateway(t)
	e.config(t, "canaryWeight", "10")
	e.refused(t, "reports Accepted of generation", "not accepted either")
	if got := e.weights(t); got != "100/0" {
		t.Errorf("the route has the weights %s", got)
	}
	restore()
	e.up(t, "production")
	e.expectInForce(t, 10)
	e.expectTracks(t, 10, 1)
	sent.end()
	sent.expectAnswers(t)
}

// failingSmokeCheckByWeight rolls back a canary that fails a smoke check: its weight goes before its pods do, and it
// answers no more requests.
func failingSmokeCheckByWeight(t *testing.T, e *edge) {
	sent := e.customers(t, 50)
	e.config(t, "canary.env.FAULTS", "csrf")
	e.refused(t, "canary week1", "1 of 12 smoke tests did not pass", "rolled back", "accepted by its Gateway",
		"no endpoint is left")
	e.expectInForce(t, 0)
	e.expectTracks(t, 10, 0)
	after := e.customers(t, 50)
	time.Sleep(4 * time.Second)
	after.end()
	if got, answers := canaryShare(after); got != 0 || answers < 100 {
		t.Errorf("after the rollback the canary answered %.2f %% of %d requests", got*100, answers)
	}
	refusal := e.refused(t, "was rolled back", "canaryWeight 0")
	e.expectInForce(t, 0)
	e.dropCanaryConfig(t)
	e.releaseLatch(t, refusal)
	e.expectInForce(t, 10)
	e.expectTracks(t, 10, 1)
	sent.end()
	sent.expectAnswers(t)
}

// autoscaler gives the canary an autoscaler, which raises the replicas in place of the stack and rests at 0 %.
func autoscaler(t *testing.T, e *edge) {
	e.withoutBake(t)
	for path, value := range map[string]string{"canary.autoscale.min": "2", "canary.autoscale.max": "10",
		"canary.autoscale.cpuPercent": "80"} {
		e.config(t, path, value)
	}
	e.up(t, "production")
	e.expectTracks(t, 10, 2)
	if text, err := e.pulumi(t, "preview", "--stack", "production", "--expect-no-changes"); err != nil {
		t.Errorf("the stack and the autoscaler fight: %v\n%s", err, tail(text))
	}
	e.config(t, "canaryWeight", "0")
	e.up(t, "production")
	// Longer than the autoscaler's period of 15 seconds.
	time.Sleep(20 * time.Second)
	e.expectTracks(t, 10, 0)
	e.config(t, "canaryWeight", "10")
	e.up(t, "production")
	e.expectInForce(t, 10)
	e.expectTracks(t, 10, 2)
	e.dropCanaryConfig(t)
	e.up(t, "production")
	// The pods that the autoscaler added are still there.
	if output, err := e.pulumi(t, "up", "--stack", "production", "--yes", "--skip-preview", "--refresh"); err != nil {
		t.Fatalf("pulumi up --refresh: %v\n%s", err, tail(output))
	}
	e.expectTracks(t, 10, 1)
}

// toTheEnd takes the canary to 100 % and finishes under load. It checks the order of pods and weights, which needs
// neither the full smoke suite nor a bake.
func toTheEnd(t *testing.T, e *edge) {
	e.withoutBake(t)
	e.livenessOnly(t)
	sent := e.customers(t, 50)
	wrong, whole := e.watchOrder(t), e.watchCapacity(t)
	for _, step := range []struct{ weight, canary int }{{30, 3}, {60, 6}, {100, 10}} {
		e.override(t, step.weight)
		e.up(t, "production")
		e.expectTracks(t, 10, step.canary)
		e.expectInForce(t, step.weight)
	}
	e.config(t, "stableImage", fmt.Sprint(e.outputs(t)["verifiedImage"]))
	e.override(t, 0)
	e.up(t, "production")
	e.expectTracks(t, 10, 0)
	e.expectInForce(t, 0)
	whole()
	if moments := wrong(); len(moments) > 0 {
		t.Errorf("%d times too few pods: %v", len(moments), moments[:min(len(moments), 5)])
	}
	sent.end()
	sent.expectAnswers(t)
}

// byPodCountAndBack switches between traffic modes while customers send requests past the Gateway.
func byPodCountAndBack(t *testing.T, e *edge) {
	e.withoutBake(t)
	e.livenessOnly(t)
	sent := e.cluster.customers(t, 50)
	e.config(t, "canaryWeight", "10")
	e.up(t, "production")
	e.config(t, "traffic", "replicas")
	e.up(t, "production")
	e.expectTracks(t, 9, 1)
	if weights, err := e.client.RouteWeights(t.Context(), e.production, "finance-service"); weights != nil || err != nil {
		t.Errorf("the route is still there: %v, %v", weights, err)
	}
	e.config(t, "traffic", "gateway")
	e.up(t, "production")
	e.expectTracks(t, 10, 1)
	e.expectInForce(t, 10)
	sent.end()
	sent.expectAnswers(t)
	if diff := cmp.Diff(10.0, e.outputs(t)["weight"]); diff != "" {
		t.Error(diff)
	}
	e.unprotect(t)
	if output, err := e.pulumi(t, "destroy", "--stack", "production", "--yes", "--skip-preview"); err != nil {
		t.Errorf("pulumi destroy: %v\n%s", err, tail(output))
	}
}
