package live

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/vextrus/finance-rollout/internal/cli/preflight"
	"github.com/vextrus/finance-rollout/internal/settings"
	"github.com/vextrus/finance-rollout/internal/testkit/cluster"
)

func TestRoutesOfAllNamespacesAreRead(t *testing.T) {
	c := cluster.New(t, &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": "gateway.networking.k8s.io/v1", "kind": "HTTPRoute",
		"metadata": map[string]any{"namespace": "legacy", "name": "finance"},
		"spec": map[string]any{
			"hostnames": []any{"finance.example"},
			"parentRefs": []any{map[string]any{"name": "web"}, map[string]any{"namespace": "edge", "name": "web",
				"sectionName": "tls"}},
			"rules": []any{
				map[string]any{},
				map[string]any{"matches": []any{
					map[string]any{"path": map[string]any{"type": "Exact", "value": "/graphql"}},
					map[string]any{"method": "POST"},
					map[string]any{"headers": []any{map[string]any{"name": "x", "value": "y"}}},
				}},
			},
		},
	}})
	r := &reader{cluster: c.Client, facts: &preflight.Facts{}, Source: Source{Settings: settings.Defaults()}}
	r.routes(t.Context())
	want := preflight.Routes{All: []preflight.Route{{Namespace: "legacy", Name: "finance",
		Hostnames: []string{"finance.example"},
		Parents: []preflight.RouteParent{{Namespace: "legacy", Name: "web"}, {Namespace: "edge", Name: "web",
			Section: "tls"}},
		Paths: []string{preflight.AllPaths, "Exact /graphql"}}}}
	if diff := cmp.Diff(want, r.facts.Routes); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// A match of a GRPCRoute names its method by an object.
func TestRoutesForGRPCAreReadWhereTheRolloutHasOne(t *testing.T) {
	c := cluster.New(t, &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": "gateway.networking.k8s.io/v1", "kind": "GRPCRoute",
		"metadata": map[string]any{"namespace": "legacy", "name": "payments"},
		"spec": map[string]any{
			"parentRefs": []any{map[string]any{"name": "web"}},
			"rules": []any{map[string]any{}, map[string]any{"matches": []any{
				map[string]any{"method": map[string]any{"service": "shop.Payments"}},
			}}},
		},
	}})
	s := settings.Defaults()
	s.Gateway.Kind = settings.RouteGRPC
	r := &reader{cluster: c.Client, facts: &preflight.Facts{}, Source: Source{Settings: s}}
	r.routes(t.Context())
	want := preflight.Routes{All: []preflight.Route{{Namespace: "legacy", Name: "payments",
		Parents: []preflight.RouteParent{{Namespace: "legacy", Name: "web"}}, Paths: []string{preflight.AllPaths}}}}
	if diff := cmp.Diff(want, r.facts.Routes); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}
