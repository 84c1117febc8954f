package kube

import (
	"errors"
	"testing"
	"testing/synctest"

	"github.com/google/go-cmp/cmp"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/dynamic/fake"
	clienttesting "k8s.io/client-go/testing"
	"pgregory.net/rapid"
	"sigs.k8s.io/yaml"

	"github.com/vextrus/finance-rollout/internal/testkit"
)

// routeText is a route that its gateway has accepted, as the API server and a controller leave it.
const routeText = `apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: {name: finance, namespace: shop, generation: 4}
spec:
  parentRefs: [{group: gateway.networking.k8s.io, kind: Gateway, namespace: infra, name: public, sectionName: web}]
  hostnames: [finance.example.com]
  rules:
  - matches: [{path: {type: PathPrefix, value: /}}]
    backendRefs:
    - {group: "", kind: Service, name: finance-stable, port: 80, weight: 90}
    - {group: "", kind: Service, name: finance-canary, port: 80, weight: 10}
status:
  parents:
  - parentRef: {name: other, namespace: infra}
    controllerName: example.com/other
    conditions: [{type: Accepted, status: "False", reason: NoMatchingParent, observedGeneration: 4}]
  - parentRef: {group: gateway.networking.k8s.io, kind: Gateway, namespace: infra, name: public, sectionName: web}
    controllerName: example.com/gateway
    conditions:
    - {type: Accepted, status: "True", reason: Accepted, observedGeneration: 4, lastTransitionTime: "2026-01-05T08:00:00Z"}
    - {type: ResolvedRefs, status: "True", reason: ResolvedRefs, observedGeneration: 4, lastTransitionTime: "2026-01-05T08:00:00Z"}
`

func newRoute(t *testing.T) *unstructured.Unstructured {
	t.Helper()
	route := &unstructured.Unstructured{}
	if err := yaml.Unmarshal([]byte(routeText), &route.Object); err != nil {
		t.Fatal(err)
	}
	// Numbers as the API machinery has them.
	raw, err := route.MarshalJSON()
	if err != nil {
		t.Fatal(err)
	}
	if err := route.UnmarshalJSON(raw); err != nil {
		t.Fatal(err)
	}
	return route
}

func set(t *testing.T, route *unstructured.Unstructured, value any, path ...string) {
	t.Helper()
	if err := unstructured.SetNestedField(route.Object, value, path...); err != nil {
		t.Fatal(err)
	}
}

// condition changes a condition that the route's own gateway reports.
func condition(t *testing.T, route *unstructured.Unstructured, index int, fields map[string]any) {
	t.Helper()
	parents, _, err := unstructured.NestedSlice(route.Object, "status", "parents")
	if err != nil {
		t.Fatal(err)
	}
	conditions := parents[1].(map[string]any)["conditions"].([]any)
	for key, value := range fields {
		conditions[index].(map[string]any)[key] = value
	}
	set(t, route, parents, "status", "parents")
}

// backends gives a route's only rule these backends.
func backends(t *testing.T, route *unstructured.Unstructured, rules ...[]any) {
	t.Helper()
	var list []any
	for _, refs := range rules {
		list = append(list, map[string]any{"backendRefs": refs})
	}
	set(t, route, list, "spec", "rules")
}

func withRoute(objects ...runtime.Object) (*Client, *fake.FakeDynamicClient) {
	dynamic := fake.NewSimpleDynamicClient(runtime.NewScheme(), objects...)
	return &Client{dynamic: dynamic}, dynamic
}

func TestRouteWeights(t *testing.T) {
	route := newRoute(t)
	client, _ := withRoute(route)
	got, err := client.RouteWeights(t.Context(), "shop", "finance")
	if diff := cmp.Diff(map[string]int{"finance-stable": 90, "finance-canary": 10}, got); diff != "" || err != nil {
		t.Errorf("%v (-want +got)\n%s", err, diff)
	}

	backends(t, route, []any{map[string]any{"name": "a"}}, []any{map[string]any{"name": "a", "weight": int64(1)},
		map[string]any{"name": "b", "weight": int64(0)}})
	client, _ = withRoute(route)
	got, err = client.RouteWeights(t.Context(), "shop", "finance")
	if diff := cmp.Diff(map[string]int{"a": 1, "b": 0}, got); diff != "" || err != nil {
		t.Errorf("two rules that agree: %v (-want +got)\n%s", err, diff)
	}

	backends(t, route, []any{map[string]any{"name": "a"}}, []any{map[string]any{"name": "a", "weight": int64(7)}})
	client, _ = withRoute(route)
	_, err = client.RouteWeights(t.Context(), "shop", "finance")
	testkit.WantError(t, err, "httproute shop/finance", "backend a", "weight 1 in one rule and 7 in another")

	if got, err = client.RouteWeights(t.Context(), "shop", "missing"); got != nil || err != nil {
		t.Errorf("weights %v, error %v of a route that does not exist", got, err)
	}
}

func TestSetRouteWeights(t *testing.T) {
	before := newRoute(t)
	client, dynamic := withRoute(before)
	if err := client.SetRouteWeights(t.Context(), "shop", "finance",
		map[string]int{"finance-canary": 0, "finance-stable": 100}); err != nil {
		t.Fatal(err)
	}
	after, err := dynamic.Resource(HTTPRoutes).Namespace("shop").Get(t.Context(), "finance", metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	want := before.DeepCopy()
	rules, _, err := unstructured.NestedSlice(want.Object, "spec", "rules")
	if err != nil {
		t.Fatal(err)
	}
	refs := rules[0].(map[string]any)["backendRefs"].([]any)
	refs[0].(map[string]any)["weight"], refs[1].(map[string]any)["weight"] = int64(100), int64(0)
	set(t, want, rules, "spec", "rules")
	if diff := cmp.Diff(want.Object, after.Object); diff != "" {
		t.Errorf("more than the weights changed (-want +got)\n%s", diff)
	}
	// Nothing is written when the weights are those already.
	writes := len(dynamic.Actions())
	if err := client.SetRouteWeights(t.Context(), "shop", "finance", map[string]int{"finance-canary": 0}); err != nil {
		t.Fatal(err)
	}
	for _, action := range dynamic.Actions()[writes:] {
		if action.GetVerb() != "get" {
			t.Errorf("%s without a change", action.GetVerb())
		}
	}
}

func TestSetRouteWeightsRefuses(t *testing.T) {
	client, dynamic := withRoute(newRoute(t))
	err := client.SetRouteWeights(t.Context(), "shop", "finance",
		map[string]int{"finance-stable": 100, "finance-week1": 0})
	testkit.WantError(t, err, "httproute shop/finance", "finance-stable=100, finance-week1=0",
		"no backend finance-week1; it has finance-stable, finance-canary")
	for _, action := range dynamic.Actions() {
		if action.GetVerb() != "get" {
			t.Errorf("%s although a backend is missing", action.GetVerb())
		}
	}
	if err := client.SetRouteWeights(t.Context(), "shop", "none", map[string]int{"a": 0}); !apierrors.IsNotFound(err) {
		t.Errorf("error %v, want one for a route that does not exist", err)
	}
}

// The gateway writes the status of the route at the same time.
func TestSetRouteWeightsOverConflicts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		client, dynamic := withRoute(newRoute(t))
		conflicts := 0
		dynamic.PrependReactor("update", "httproutes", func(clienttesting.Action) (bool, runtime.Object, error) {
			if conflicts == 2 {
				return false, nil, nil
			}
			conflicts++
			return true, nil, apierrors.NewConflict(HTTPRoutes.GroupResource(), "finance", errors.New("it was modified"))
		})
		if err := client.SetRouteWeights(t.Context(), "shop", "finance", map[string]int{"finance-canary": 0}); err != nil {
			t.Fatal(err)
		}
		weights, err := client.RouteWeights(t.Context(), "shop", "finance")
		if err != nil || weights["finance-canary"] != 0 || conflicts != 2 {
			t.Errorf("%v after %d conflicts, error %v", weights, conflicts, err)
		}
	})
}

// The weights that were set are read back, whatever the rules are.
func TestWeightsAreReadAsTheyWereSet(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		services := []string{"a", "b", "c"}
		wanted := map[string]int{}
		var rules []any
		for range rapid.IntRange(1, 3).Draw(t, "rules") {
			var refs []any
			for _, service := range rapid.SliceOfNDistinct(rapid.SampledFrom(services), 1, 3, rapid.ID).Draw(t, "services") {
				backend := map[string]any{"name": service}
				if weight := rapid.Int64Range(-1, 100).Draw(t, "before"); weight >= 0 {
					backend["weight"] = weight
				}
				refs = append(refs, backend)
				wanted[service] = rapid.IntRange(0, 100).Draw(t, "wanted")
			}
			rules = append(rules, map[string]any{"backendRefs": refs})
		}
		object := &unstructured.Unstructured{Object: map[string]any{"spec": map[string]any{"rules": rules}}}
		if _, err := setWeights(object, wanted); err != nil {
			t.Fatal(err)
		}
		var route httpRoute
		if err := runtime.DefaultUnstructuredConverter.FromUnstructured(object.Object, &route); err != nil {
			t.Fatal(err)
		}
		got, err := route.weights()
		if diff := cmp.Diff(wanted, got); diff != "" || err != nil {
			t.Fatalf("%v (-want +got)\n%s", err, diff)
		}
		if changed, err := setWeights(object, wanted); changed || err != nil {
			t.Fatalf("set again: changed %t, %v", changed, err)
		}
	})
}
