package kube

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/vextrus/finance-rollout/internal/testkit"
)

// rulesOf gives the rules of the route as they are in the cluster.
func rulesOf(t *testing.T, client *Client, ref routeRef) []any {
	t.Helper()
	object, err := client.dynamic.Resource(ref.resource).Namespace("shop").Get(t.Context(), ref.name, metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	rules, _, err := unstructured.NestedSlice(object.Object, "spec", "rules")
	if err != nil {
		t.Fatal(err)
	}
	return rules
}

func ref(name string, weight ...int64) map[string]any {
	backend := map[string]any{"name": name, "port": int64(80)}
	if len(weight) > 0 {
		backend["weight"] = weight[0]
	}
	return backend
}

// A rule that leads to one track alone, as one for testers does, takes no part in the split.
func TestARuleOfOneBackendIsNoSplit(t *testing.T) {
	route := newRoute(t)
	backends(t, route, []any{ref("finance-canary")}, []any{ref("finance-stable", 90), ref("finance-canary", 10)},
		[]any{ref("finance-stable")})
	client, _ := withRoute(route)
	weights, err := client.RouteWeights(t.Context(), "shop", "finance")
	if diff := cmp.Diff(map[string]int{"finance-stable": 90, "finance-canary": 10}, weights); diff != "" || err != nil {
		t.Errorf("%v (-want +got)\n%s", err, diff)
	}
	if err := client.SetRouteWeights(t.Context(), "shop", "finance",
		map[string]int{"finance-stable": 100, "finance-canary": 0}); err != nil {
		t.Fatal(err)
	}
	want := []any{
		map[string]any{"backendRefs": []any{ref("finance-canary")}},
		map[string]any{"backendRefs": []any{ref("finance-stable", 100), ref("finance-canary", 0)}},
		map[string]any{"backendRefs": []any{ref("finance-stable")}},
	}
	if diff := cmp.Diff(want, rulesOf(t, client, routeRef{resource: HTTPRoutes, name: "finance"})); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
}

// The Service makes way for the tracks; its port, its filters and the rest of the route stay.
func TestSplitRoute(t *testing.T) {
	route := newRoute(t)
	filtered := ref("finance")
	filtered["filters"] = []any{map[string]any{"type": "RequestHeaderModifier"}}
	set(t, route, []any{
		map[string]any{"matches": []any{map[string]any{"method": "POST"}}, "timeouts": map[string]any{"request": "5s"},
			"backendRefs": []any{filtered}},
		map[string]any{"backendRefs": []any{ref("docs")}},
		map[string]any{"filters": []any{map[string]any{"type": "RequestRedirect"}}},
	}, "spec", "rules")
	client, dynamic := withRoute(route)
	weights := map[string]int{"finance-stable": 90, "finance-canary": 10}
	if err := client.SplitRoute(t.Context(), "shop", "finance", "finance", weights); err != nil {
		t.Fatal(err)
	}
	canary, stable := ref("finance-canary", 10), ref("finance-stable", 90)
	canary["filters"], stable["filters"] = filtered["filters"], filtered["filters"]
	want := []any{
		map[string]any{"matches": []any{map[string]any{"method": "POST"}}, "timeouts": map[string]any{"request": "5s"},
			"backendRefs": []any{canary, stable}},
		map[string]any{"backendRefs": []any{ref("docs")}},
		map[string]any{"filters": []any{map[string]any{"type": "RequestRedirect"}}},
	}
	if diff := cmp.Diff(want, rulesOf(t, client, routeRef{resource: HTTPRoutes, name: "finance"})); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
	got, err := client.RouteWeights(t.Context(), "shop", "finance")
	if err != nil || got["finance-canary"] != 10 || got["finance-stable"] != 90 {
		t.Errorf("weights %v, %v", got, err)
	}
	writes := len(dynamic.Actions())
	if err := client.SplitRoute(t.Context(), "shop", "finance", "finance", weights); err != nil {
		t.Fatal(err)
	}
	for _, action := range dynamic.Actions()[writes:] {
		if action.GetVerb() != "get" {
			t.Errorf("%s although nothing is left to split", action.GetVerb())
		}
	}
}

func TestRoutesForGRPC(t *testing.T) {
	route := newRoute(t)
	route.SetKind("GRPCRoute")
	client, _ := withRoute(route)
	if err := client.SetRouteWeights(t.Context(), "shop", "grpcroute/finance",
		map[string]int{"finance-stable": 70, "finance-canary": 30}); err != nil {
		t.Fatal(err)
	}
	rules, exists, err := client.RouteBackends(t.Context(), "shop", "grpcroute/finance")
	want := [][]Backend{{{Name: "finance-stable", Port: 80}, {Name: "finance-canary", Port: 80}}}
	if diff := cmp.Diff(want, rules); diff != "" || !exists || err != nil {
		t.Errorf("exists %t, %v (-want +got)\n%s", exists, err, diff)
	}
	if weights, err := client.RouteWeights(t.Context(), "shop", "grpcroute/finance"); err != nil ||
		weights["finance-canary"] != 30 {
		t.Errorf("weights %v, %v", weights, err)
	}
	// There is no HTTPRoute of that name.
	if _, exists, err := client.RouteBackends(t.Context(), "shop", "finance"); exists || err != nil {
		t.Errorf("exists %t, %v", exists, err)
	}
	err = client.SetRouteWeights(t.Context(), "shop", "tcproute/finance", map[string]int{"finance-canary": 0})
	testkit.WantError(t, err, "tcproute shop/finance", `no kind of routes with weights: "tcproute"`)
}
