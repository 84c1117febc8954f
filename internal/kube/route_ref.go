package kube

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/util/retry"
)

// GRPCRoutes are the routes of the Gateway API for gRPC.
var GRPCRoutes = schema.GroupVersionResource{Group: "gateway.networking.k8s.io", Version: "v1", Resource: "grpcroutes"}

// routeRef names a route of one of the kinds whose rules have backends with weights.
type routeRef struct {
	resource   schema.GroupVersionResource
	kind, name string
}

// parseRoute reads NAME, which is that of an HTTPRoute, or KIND/NAME as kubectl takes it.
func parseRoute(text string) (routeRef, error) {
	kind, name, qualified := strings.Cut(text, "/")
	if !qualified {
		kind, name = "httproute", text
	}
	switch kind {
	case "httproute":
		return routeRef{HTTPRoutes, kind, name}, nil
	case "grpcroute":
		return routeRef{GRPCRoutes, kind, name}, nil
	default:
		return routeRef{kind: kind, name: name}, fmt.Errorf("no kind of routes with weights: %q", kind)
	}
}

// in names the route for people.
func (r routeRef) in(namespace string) string {
	return fmt.Sprintf("%s %s/%s", r.kind, namespace, r.name)
}

// changeRoute reads, changes and writes a route until nobody else wrote in between. The gateway writes the route's
// status, which is a conflict as well.
func (c *Client) changeRoute(ctx context.Context, namespace string, ref routeRef,
	change func(*unstructured.Unstructured) (changed bool, err error)) error {
	client := c.dynamic.Resource(ref.resource).Namespace(namespace)
	return retry.RetryOnConflict(retry.DefaultBackoff, func() error {
		object, err := client.Get(ctx, ref.name, metav1.GetOptions{})
		if err != nil {
			return err
		}
		changed, err := change(object)
		if err != nil || !changed {
			return err
		}
		_, err = client.Update(ctx, object, metav1.UpdateOptions{FieldManager: fieldManager})
		return err
	})
}

// Backend is where a rule of a route leads.
type Backend struct {
	Name string
	// Port is 0 when the rule gives none.
	Port int
}

// RouteBackends lists the backends of a route, rule by rule. The second result is false when there is no such route.
func (c *Client) RouteBackends(ctx context.Context, namespace, route string) (rules [][]Backend, exists bool,
	err error) {
	read, err := c.route(ctx, namespace, route)
	if apierrors.IsNotFound(err) {
		return nil, false, nil
	}
	if err != nil {
		return nil, false, err
	}
	for _, rule := range read.Spec.Rules {
		var backends []Backend
		for _, backend := range rule.BackendRefs {
			backends = append(backends, Backend{Name: backend.Name, Port: int(backend.Port)})
		}
		rules = append(rules, backends)
	}
	return rules, true, nil
}

// SplitRoute puts the backends of these weights in the place of one Service, in every rule that has it, and leaves all
// else of the route as it is. Each of them keeps what the rule says of the Service: its port and its filters. A route
// that does not lead to the Service stays as it is.
func (c *Client) SplitRoute(ctx context.Context, namespace, route, service string, weights map[string]int) error {
	ctx, cancel := bounded(ctx)
	defer cancel()
	ref, err := parseRoute(route)
	if err == nil {
		err = c.changeRoute(ctx, namespace, ref, func(object *unstructured.Unstructured) (bool, error) {
			return splitBackend(object, service, weights)
		})
	}
	if err != nil {
		return fmt.Errorf("split backend %s of %s into %s: %w", service, ref.in(namespace), formatWeights(weights),
			errors.Join(err, lateCause(ctx)))
	}
	return nil
}

// splitBackend replaces a Service in the object and reports whether it was there.
func splitBackend(object *unstructured.Unstructured, service string, weights map[string]int) (changed bool, err error) {
	rules, _, err := unstructured.NestedSlice(object.Object, "spec", "rules")
	if err != nil {
		return false, err
	}
	for _, rule := range rules {
		fields, _ := rule.(map[string]any)
		backends, _ := fields["backendRefs"].([]any)
		var split []any
		for _, item := range backends {
			backend, _ := item.(map[string]any)
			if backend["name"] != service {
				split = append(split, item)
				continue
			}
			changed = true
			for _, name := range slices.Sorted(maps.Keys(weights)) {
				part := (&unstructured.Unstructured{Object: backend}).DeepCopy().Object
				part["name"], part["weight"] = name, int64(weights[name])
				split = append(split, part)
			}
		}
		if len(split) > 0 {
			fields["backendRefs"] = split
		}
	}
	return changed, unstructured.SetNestedSlice(object.Object, rules, "spec", "rules")
}
