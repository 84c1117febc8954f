package kube

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	clienttesting "k8s.io/client-go/testing"

	"github.com/vextrus/finance-rollout/internal/testkit"
)

func TestWaitRoute(t *testing.T) {
	tests := []struct {
		name   string
		change func(*testing.T, *unstructured.Unstructured)
		want   []string // parts of the error; none when the weights are in force
	}{
		{"in force", nil, nil},
		{"reported without defaults", func(t *testing.T, route *unstructured.Unstructured) {
			set(t, route, "infra", "metadata", "namespace")
			set(t, route, []any{map[string]any{"name": "public", "sectionName": "web"}}, "spec", "parentRefs")
		}, nil},
		{"old generation", func(t *testing.T, route *unstructured.Unstructured) {
			set(t, route, int64(5), "metadata", "generation")
		}, []string{
			"httproute shop/finance is not in force with weights finance-canary=10, finance-stable=90 after 10s",
			"gateway infra/public (listener web) reports Accepted of generation 4, the route is at 5",
		}},
		{"references of the old generation", func(t *testing.T, route *unstructured.Unstructured) {
			condition(t, route, 1, map[string]any{"observedGeneration": int64(3)})
		}, []string{"reports ResolvedRefs of generation 3, the route is at 4"}},
		{"not accepted", func(t *testing.T, route *unstructured.Unstructured) {
			condition(t, route, 0, map[string]any{"status": "False", "reason": "NotAllowedByListeners",
				"message": "namespace shop"})
		}, []string{"Accepted is False: NotAllowedByListeners: namespace shop"}},
		{"backend missing", func(t *testing.T, route *unstructured.Unstructured) {
			condition(t, route, 1, map[string]any{"status": "False", "reason": "BackendNotFound"})
		}, []string{"ResolvedRefs is False: BackendNotFound"}},
		{"condition missing", func(t *testing.T, route *unstructured.Unstructured) {
			condition(t, route, 1, map[string]any{"type": "Programmed"})
		}, []string{"has not reported ResolvedRefs"}},
		{"no controller", func(_ *testing.T, route *unstructured.Unstructured) {
			unstructured.RemoveNestedField(route.Object, "status")
		}, []string{"gateway infra/public (listener web) has reported nothing", "a controller runs for its class"}},
		{"one of two gateways", func(t *testing.T, route *unstructured.Unstructured) {
			parents, _, _ := unstructured.NestedSlice(route.Object, "spec", "parentRefs")
			set(t, route, append(parents, map[string]any{"name": "inner"}), "spec", "parentRefs")
		}, []string{"gateway shop/inner has reported nothing"}},
		{"other weights", func(t *testing.T, route *unstructured.Unstructured) {
			backends(t, route, []any{map[string]any{"name": "finance-stable", "weight": int64(100)},
				map[string]any{"name": "finance-canary", "weight": int64(0)}})
		}, []string{"it has finance-canary=0, finance-stable=100"}},
		{"no such backend", func(t *testing.T, route *unstructured.Unstructured) {
			backends(t, route, []any{map[string]any{"name": "finance", "weight": int64(1)}})
		}, []string{"it has finance=1"}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				route := newRoute(t)
				if test.change != nil {
					test.change(t, route)
				}
				client, _ := withRoute(route)
				ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
				defer cancel()
				err := client.WaitRoute(ctx, route.GetNamespace(), "finance",
					map[string]int{"finance-stable": 90, "finance-canary": 10})
				if test.want == nil {
					if err != nil {
						t.Error(err)
					}
					return
				}
				testkit.WantError(t, err, test.want...)
				if !errors.Is(err, context.DeadlineExceeded) {
					t.Errorf("error %v does not hold the cause", err)
				}
			})
		})
	}
}

// Only the backends that are named count.
func TestWaitRouteLooksAtTheNamedBackends(t *testing.T) {
	client, _ := withRoute(newRoute(t))
	if err := client.WaitRoute(t.Context(), "shop", "finance", map[string]int{"finance-canary": 10}); err != nil {
		t.Error(err)
	}
}

// The wait goes on over a route that is yet to be made, and over an API server that fails for a while.
func TestWaitRouteGoesOn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		client, dynamic := withRoute()
		looks := 0
		dynamic.PrependReactor("get", "httproutes", func(clienttesting.Action) (bool, runtime.Object, error) {
			looks++
			switch looks {
			case 1:
				return true, nil, apierrors.NewNotFound(HTTPRoutes.GroupResource(), "finance")
			case 2:
				return true, nil, apierrors.NewInternalError(errors.New("etcd is away"))
			default:
				return true, newRoute(t), nil
			}
		})
		if err := client.WaitRoute(t.Context(), "shop", "finance", map[string]int{"finance-canary": 10}); err != nil ||
			looks != 3 {
			t.Errorf("%v after %d looks, want 3", err, looks)
		}
	})
}

func TestWaitRouteSaysWhatFailed(t *testing.T) {
	tests := []struct {
		name string
		err  error
		want string
	}{
		{"forbidden", apierrors.NewForbidden(HTTPRoutes.GroupResource(), "finance", errors.New("no such right")),
			"no such right"},
		{"missing", apierrors.NewNotFound(HTTPRoutes.GroupResource(), "finance"), "it does not exist"},
		{"broken", apierrors.NewInternalError(errors.New("etcd is away")), "etcd is away"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				client, dynamic := withRoute()
				dynamic.PrependReactor("get", "httproutes", func(clienttesting.Action) (bool, runtime.Object, error) {
					return true,
						nil, test.err
				})
				ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
				defer cancel()
				testkit.WantError(t, client.WaitRoute(ctx, "shop", "finance", map[string]int{"finance-canary": 0}),
					"httproute shop/finance", test.want)
			})
		})
	}
}

// A controller that is gone leaves its entry behind.
func TestAnyControllerMayAcceptARoute(t *testing.T) {
	accepted := func(generation int64, status metav1.ConditionStatus) []metav1.Condition {
		return []metav1.Condition{
			{Type: "Accepted", Status: status, Reason: "Because", ObservedGeneration: generation},
			{Type: "ResolvedRefs", Status: metav1.ConditionTrue, ObservedGeneration: generation},
		}
	}
	tests := []struct {
		name    string
		entries [][]metav1.Condition
		want    string
	}{
		{"a stale entry before the live one", [][]metav1.Condition{accepted(1, metav1.ConditionTrue),
			accepted(4, metav1.ConditionTrue)}, ""},
		{"a stale entry behind it", [][]metav1.Condition{accepted(4, metav1.ConditionTrue),
			accepted(1, metav1.ConditionTrue)}, ""},
		{"a controller that says nothing beside it", [][]metav1.Condition{nil, accepted(4, metav1.ConditionTrue)}, ""},
		{"stale entries alone", [][]metav1.Condition{accepted(1, metav1.ConditionTrue), accepted(2, metav1.ConditionTrue)},
			"gateway infra/public reports Accepted of generation 2, the route is at 4"},
		{"the live one refuses", [][]metav1.Condition{accepted(1, metav1.ConditionTrue), accepted(4, metav1.ConditionFalse)},
			"gateway infra/public reports that Accepted is False: Because"},
		{"nobody", nil,
			"gateway infra/public has reported nothing: check that it exists and that a controller runs for its class"},
	}
	for _, tt := range tests {
		parent := parentRef{Group: HTTPRoutes.Group, Kind: "Gateway", Namespace: "infra", Name: "public"}
		route := &httpRoute{Metadata: metav1.ObjectMeta{Name: "finance", Namespace: "shop", Generation: 4}}
		for _, conditions := range tt.entries {
			route.Status.Parents = append(route.Status.Parents, struct {
				ParentRef  parentRef          `json:"parentRef"`
				Conditions []metav1.Condition `json:"conditions"`
			}{parent, conditions})
		}
		if got := route.unaccepted(parent); got != tt.want {
			t.Errorf("%s: %q, want %q", tt.name, got, tt.want)
		}
	}
}
