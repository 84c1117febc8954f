package main

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"testing"

	"github.com/vextrus/finance-rollout/internal/settings"
)

// gatewayWorld is the Gateway of a test and the route through it.
type gatewayWorld struct {
	listeners []string
	// weights are the route's; nil when there is none.
	weights map[string]int
	// refuses are the weights that the Gateway does not accept, as route puts them.
	refuses   []string
	forbidden error
	// meanwhile is called before "wait" for a Deployment and before "accept" of weights.
	meanwhile func(call string)
	// calls are what was done to the route and waited for before it, in order.
	calls []string
}

// route puts weights as "stable/canary".
func route(weights map[string]int) string {
	return fmt.Sprintf("%d/%d", weights["finance-service-stable"], weights["finance-service-canary"])
}

func (w *world) Listeners(context.Context, string, string) ([]string, bool, error) {
	return w.gateway.listeners, w.gateway.listeners != nil, nil
}

func (w *world) RouteWeights(context.Context, string, string) (map[string]int, error) {
	return maps.Clone(w.gateway.weights), w.gateway.forbidden
}

func (w *world) SetRouteWeights(_ context.Context, _, _ string, weights map[string]int) error {
	if !maps.Equal(w.gateway.weights, weights) {
		w.gateway.calls = append(w.gateway.calls, "set "+route(weights))
	}
	w.gateway.weights = maps.Clone(weights)
	return nil
}

func (w *world) WaitRoute(_ context.Context, _, _ string, weights map[string]int) error {
	w.gateway.happens("accept")
	if slices.Contains(w.gateway.refuses, route(weights)) {
		return errors.New("gateway infra/public reports that Accepted is False")
	}
	w.gateway.calls = append(w.gateway.calls, "accepted "+route(weights))
	return nil
}

func (g *gatewayWorld) happens(call string) {
	if g.meanwhile != nil {
		g.meanwhile(call)
	}
}

func (w *world) WaitDeploymentRuns(_ context.Context, _, deployment, digest string, replicas int) error {
	w.gateway.happens("wait")
	w.gateway.calls = append(w.gateway.calls, fmt.Sprintf("%s: %d of %s", deployment, replicas, digest))
	return w.unready
}

// gatewayConfig is a production stack behind a Gateway.
func gatewayConfig(weight int) map[string]string {
	config := productionConfig()
	maps.Copy(config, map[string]string{
		"traffic": "gateway", "gateway": `{"namespace":"infra","name":"public","sectionName":"web"}`,
		"release": "v2", "canaryWeight": strconv.Itoa(weight),
	})
	return config
}

// newHooks makes the hooks of a stack with this configuration. The live weights are those of stable and canary; none
// means that there is no route.
func newHooks(t *testing.T, w *world, config map[string]string, live ...int) *hooks {
	t.Helper()
	s, err := settings.Load("production", values(config))
	if err != nil {
		t.Fatal(err)
	}
	if len(live) > 0 {
		w.gateway.weights = map[string]int{"finance-service-stable": live[0], "finance-service-canary": live[1]}
	}
	h := &hooks{settings: s, cluster: w, edges: w.edges()}
	h.shift = &shift{settings: s, cluster: w, edges: h.edges, say: &heard{}, canary: known(onTrial),
		stable: known(oldImage)}
	h.router = (&stack{settings: s, hooks: h}).router()
	return h
}
