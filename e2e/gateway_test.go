//go:build e2e

package e2e

import (
	"context"
	"fmt"
	"maps"
	"math"
	"net/http"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/vextrus/finance-rollout/internal/kube"
)

const (
	gatewayHost = "finance.gateway.test"
	// silentGateway is one of a class that nobody serves.
	silentGateway = `apiVersion: gateway.networking.k8s.io/v1
kind: Gateway
metadata: {name: silent, namespace: %s}
spec: {gatewayClassName: nobody, listeners: [{name: web, protocol: HTTP, port: 18080, allowedRoutes: {namespaces: {from: All}}}]}
`
)

// edge is production behind the Gateway of the local cluster.
type edge struct {
	*cluster
	client *kube.Client
	door   door
}

// TestGateway takes a release up and down by the weights of a route through a real Gateway. Its parts build on each other and run
// in order.
func TestGateway(t *testing.T) {
	address := os.Getenv("FINANCE_ROLLOUT_GATEWAY")
	if address == "" {
		t.Fatal("the local cluster has no Gateway: run `make e2e`, or `make cluster GATEWAY=1` and `. .local/env` first")
	}
	c := open(t, "-gw", 30380)
	t.Cleanup(func() { c.destroyLeftovers(t) })
	client, err := kube.New(kube.Options{Kubeconfig: os.Getenv("KUBECONFIG")})
	if err != nil {
		t.Fatal(err)
	}
	e := &edge{cluster: c, client: client}
	e.door = door{url: address, host: gatewayHost, await: e.answers}
	parts := []struct {
		name string
		run  func(*testing.T, *edge)
	}{
		{"staging", func(t *testing.T, e *edge) { e.up(t, "staging") }},
		{"refusals", gatewayRefusals},
		{"a Gateway that does not answer", silent},
		{"week 1", week1ByWeight},
		{"share of the requests", shareByWeight},
		{"up and down", upAndDown},
		{"a shift that is not accepted", notAccepted},
		{"failing smoke check", failingSmokeCheckByWeight},
		{"autoscaler", autoscaler},
		{"to the end", toTheEnd},
		{"by pod count and back", byPodCountAndBack},
	}
	for _, part := range parts {
		if !t.Run(part.name, func(t *testing.T) { part.run(t, e) }) && (part.name == "staging" || part.name == "week 1") {
			t.Fatal("the rest stands on this")
		}
	}
}

// answers waits until the Gateway passes requests on.
func (e *edge) answers(ctx context.Context) bool {
	for {
		request, err := http.NewRequestWithContext(ctx, http.MethodGet, e.door.url+"/health/live", nil)
		if err != nil {
			return false
		}
		request.Host = gatewayHost
		if response, err := http.DefaultClient.Do(request); err == nil {
			response.Body.Close()
			if response.StatusCode == http.StatusOK {
				return true
			}
		}
		select {
		case <-ctx.Done():
			return false
		case <-time.After(200 * time.Millisecond):
		}
	}
}

func (e *edge) customers(t *testing.T, perSecond int) *customers {
	t.Helper()
	return e.customersAt(t, e.door, perSecond)
}

// weights gives the weights of the route as stable/canary.
func (e *edge) weights(t *testing.T) string {
	t.Helper()
	weights, err := e.client.RouteWeights(t.Context(), e.production, "finance-service")
	if err != nil {
		t.Fatal(err)
	}
	return fmt.Sprintf("%d/%d", weights["finance-service-stable"], weights["finance-service-canary"])
}

// expectInForce fails the test unless the canary has that weight and the Gateway has accepted it.
func (e *edge) expectInForce(t *testing.T, canary int) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
	defer cancel()
	want := map[string]int{"finance-service-stable": 100 - canary, "finance-service-canary": canary}
	if err := e.client.WaitRoute(ctx, e.production, "finance-service", want); err != nil {
		t.Error(err)
	}
}

// canaryShare is the share of the answers that came from the canary, 0 to 1.
func canaryShare(sent *customers) (share float64, answers int) {
	canary := 0
	for pod, count := range sent.byPod {
		answers += count
		if strings.HasPrefix(pod, "finance-service-week1-") {
			canary += count
		}
	}
	return float64(canary) / float64(answers), answers
}

// override lets the production stack move on without waiting for its soak.
func (e *edge) override(t *testing.T, weight int) {
	t.Helper()
	e.config(t, "canaryWeight", fmt.Sprint(weight))
	e.config(t, "override.weight", fmt.Sprint(weight))
	e.config(t, "override.reason", "the test does not wait")
}

// withoutBake saves the time of the bake until the test ends.
func (e *edge) withoutBake(t *testing.T) {
	t.Helper()
	e.config(t, "bake.duration", "0s")
	t.Cleanup(func() { e.config(t, "bake.duration", "20s") })
}

// watchOrder gives, when it is ended, the moments at which the canary had fewer ready pods than its weight needs.
func (e *edge) watchOrder(t *testing.T) (end func() []string) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	var wrong []string
	looks := 0
	var done sync.WaitGroup
	done.Go(func() {
		for ctx.Err() == nil {
			before, err1 := e.client.RouteWeights(ctx, e.production, "finance-service")
			pods, err2 := e.client.Pods(ctx, e.production, map[string]string{"app": "finance-service", "track": "canary", "traffic": "enabled"})
			after, err3 := e.client.RouteWeights(ctx, e.production, "finance-service")
			if err1 == nil && err2 == nil && err3 == nil && maps.Equal(before, after) {
				looks++
				if needs := (before["finance-service-canary"]*10 + 99) / 100; len(pods) < needs {
					wrong = append(wrong, fmt.Sprintf("%d ready canary pods for %d %%", len(pods), before["finance-service-canary"]))
				}
			}
			select {
			case <-ctx.Done():
			case <-time.After(20 * time.Millisecond):
			}
		}
	})
	return func() []string {
		cancel()
		done.Wait()
		if looks < 10 {
			t.Errorf("the order was looked at %d times only", looks)
		}
		return wrong
	}
}

func gatewayRefusals(t *testing.T, e *edge) {
	for path, value := range map[string]string{"canary.autoscale.max": "10", "canary.autoscale.cpuPercent": "70"} {
		e.config(t, path, value)
	}
	if output, err := e.pulumi(t, "preview", "--stack", "production"); err == nil || !strings.Contains(output, "canary.autoscale") || !strings.Contains(output, "traffic gateway") {
		t.Errorf("an autoscaler beside pod counts: %v\n%s", err, tail(output))
	}
	e.dropCanaryConfig(t)
	e.config(t, "traffic", "gateway")
	if output, err := e.pulumi(t, "preview", "--stack", "production"); err == nil || !strings.Contains(output, "pulumi config set --path gateway.name NAME") {
		t.Errorf("no Gateway: %v\n%s", err, tail(output))
	}
	e.config(t, "gateway.namespace", "gateway")
	e.config(t, "gateway.name", "nothing")
	e.config(t, "gateway.hostnames[0]", gatewayHost)
	e.config(t, "gateway.timeout", "5s")
	if output, err := e.pulumi(t, "preview", "--stack", "production"); err == nil || !strings.Contains(output, "no Gateway gateway/nothing") {
		t.Errorf("a Gateway that does not exist: %v\n%s", err, tail(output))
	}
	if generations := e.generations(t); len(generations) > 0 {
		t.Errorf("something was made: %v", generations)
	}
}

// silent makes the stack behind a Gateway that nobody serves: nothing counts as shifted, and the canary is left without a weight.
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
	if outputs := e.outputs(t, "production"); outputs["weight"] != 10.0 || outputs["stableReplicas"] != 10.0 || outputs["canaryReplicas"] != 1.0 {
		t.Errorf("outputs %v", outputs)
	}
	if text, err := e.pulumi(t, "preview", "--stack", "production", "--expect-no-changes"); err != nil {
		t.Errorf("the preview of an unchanged stack has changes: %v\n%s", err, tail(text))
	}
	sent.end()
	sent.expectAnswers(t)
}

// shareByWeight compares the canary's share with its weight: a weight is exact where a number of pods is by chance.
func shareByWeight(t *testing.T, e *edge) {
	sent := e.customers(t, 50)
	time.Sleep(20 * time.Second)
	sent.end()
	sent.expectAnswers(t)
	if got, answers := canaryShare(sent); math.Abs(got-0.1) > 0.01 || answers < 900 {
		t.Errorf("the canary answered %.2f %% of %d requests, want 10 ± 1", got*100, answers)
	}
}

// upAndDown goes from 10 to 30 % and back to 0 under load: no request fails, and no pod goes before its weight.
func upAndDown(t *testing.T, e *edge) {
	sent := e.customers(t, 100)
	wrong, fewest := e.watchOrder(t), e.watchCapacity(t)
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
	if pods := fewest(); pods < 10 {
		t.Errorf("there were only %d ready pods on the way, the plan has 10", pods)
	}
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

// notAccepted keeps the Gateway from reporting. It is no proof of a shift that the weights are stored: they are taken back.
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

// muteGateway takes the right to report on routes from the Gateway's controller, until restore is called.
func (e *edge) muteGateway(t *testing.T) (restore func()) {
	t.Helper()
	const reports = "httproutes/status"
	roles := e.kubernetes.RbacV1().ClusterRoles()
	change := func(ctx context.Context, edit func([]string) []string) {
		role, err := roles.Get(ctx, "local-gateway", metav1.GetOptions{})
		if err != nil {
			t.Fatal(err)
		}
		for i := range role.Rules {
			if slices.Contains(role.Rules[i].Resources, "gateways/status") {
				role.Rules[i].Resources = edit(role.Rules[i].Resources)
			}
		}
		if _, err := roles.Update(ctx, role, metav1.UpdateOptions{}); err != nil {
			t.Fatal(err)
		}
	}
	change(t.Context(), func(resources []string) []string {
		return slices.DeleteFunc(resources, func(resource string) bool { return resource == reports })
	})
	var once sync.Once
	restore = func() {
		once.Do(func() {
			change(context.WithoutCancel(t.Context()), func(resources []string) []string { return append(resources, reports) })
		})
	}
	t.Cleanup(restore)
	return restore
}

// failingSmokeCheckByWeight takes a canary out that fails a check: its weight is gone before its pods are, and it answers no more.
func failingSmokeCheckByWeight(t *testing.T, e *edge) {
	sent := e.customers(t, 50)
	e.config(t, "canary.env.FAULTS", "csrf")
	e.refused(t, "canary week1", "1 of 12 smoke tests did not pass", "rolled back", "accepted by its Gateway", "no endpoint is left")
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

// autoscaler gives the canary one: its least is raised by the autoscaler and not by the stack, and at 0 % it rests.
func autoscaler(t *testing.T, e *edge) {
	e.withoutBake(t)
	for path, value := range map[string]string{"canary.autoscale.min": "2", "canary.autoscale.max": "10", "canary.autoscale.cpuPercent": "80"} {
		e.config(t, path, value)
	}
	e.up(t, "production")
	e.expectTracks(t, 10, 2)
	if text, err := e.pulumi(t, "preview", "--stack", "production", "--expect-no-changes"); err != nil {
		t.Errorf("the stack and the autoscaler fight: %v\n%s", err, tail(text))
	}
	e.config(t, "canaryWeight", "0")
	e.up(t, "production")
	// Longer than the 15 seconds between two looks of an autoscaler.
	time.Sleep(20 * time.Second)
	e.expectTracks(t, 10, 0)
	e.config(t, "canaryWeight", "10")
	e.up(t, "production")
	e.expectInForce(t, 10)
	e.expectTracks(t, 10, 2)
	e.dropCanaryConfig(t)
	e.up(t, "production")
	e.expectTracks(t, 10, 1)
}

// toTheEnd takes the canary to 100 % and finishes under load.
func toTheEnd(t *testing.T, e *edge) {
	e.withoutBake(t)
	sent := e.customers(t, 50)
	wrong, fewest := e.watchOrder(t), e.watchCapacity(t)
	for _, step := range []struct{ weight, canary int }{{30, 3}, {60, 6}, {100, 10}} {
		e.override(t, step.weight)
		e.up(t, "production")
		e.expectTracks(t, 10, step.canary)
		e.expectInForce(t, step.weight)
	}
	e.config(t, "stableImage", fmt.Sprint(e.outputs(t, "production")["verifiedImage"]))
	e.override(t, 0)
	e.up(t, "production")
	e.expectTracks(t, 10, 0)
	e.expectInForce(t, 0)
	if pods := fewest(); pods < 10 {
		t.Errorf("there were only %d ready pods on the way, the plan has 10", pods)
	}
	if moments := wrong(); len(moments) > 0 {
		t.Errorf("%d times too few pods: %v", len(moments), moments[:min(len(moments), 5)])
	}
	sent.end()
	sent.expectAnswers(t)
}

// byPodCountAndBack changes the way that requests are split, while customers come past the Gateway.
func byPodCountAndBack(t *testing.T, e *edge) {
	e.withoutBake(t)
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
	if diff := cmp.Diff(10.0, e.outputs(t, "production")["weight"]); diff != "" {
		t.Error(diff)
	}
	if output, err := e.pulumi(t, "destroy", "--stack", "production", "--yes", "--skip-preview"); err != nil {
		t.Errorf("pulumi destroy: %v\n%s", err, tail(output))
	}
}
