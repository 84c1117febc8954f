package kube

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

// HTTPRoutes are the routes of the Gateway API.
var HTTPRoutes = schema.GroupVersionResource{Group: "gateway.networking.k8s.io", Version: "v1", Resource: "httproutes"}

// httpRoute is what a shift reads of an HTTPRoute or a GRPCRoute, which are alike as far as it goes.
type httpRoute struct {
	Kind     string            `json:"kind"`
	Metadata metav1.ObjectMeta `json:"metadata"`
	Spec     struct {
		ParentRefs []parentRef `json:"parentRefs"`
		Rules      []struct {
			BackendRefs []backendRef `json:"backendRefs"`
		} `json:"rules"`
	} `json:"spec"`
	Status struct {
		Parents []struct {
			ParentRef  parentRef          `json:"parentRef"`
			Conditions []metav1.Condition `json:"conditions"`
		} `json:"parents"`
	} `json:"status"`
}

// parentRef names a Gateway, or one listener of it.
type parentRef struct {
	Group       string `json:"group"`
	Kind        string `json:"kind"`
	Namespace   string `json:"namespace"`
	Name        string `json:"name"`
	SectionName string `json:"sectionName"`
	Port        int64  `json:"port"`
}

// backendRef is a share of the requests of a rule.
type backendRef struct {
	Name string `json:"name"`
	Port int64  `json:"port"`
	// Weight is 1 when it is not given, as the Gateway API has it.
	Weight *int64 `json:"weight"`
}

// RouteWeights gives the weights of the backends of a route, by the names of their Services; nil when there is no such
// route. The route is NAME for an HTTPRoute, or KIND/NAME. A backend that has different weights in two rules that split
// is an error, because then there is no one answer. A rule with one backend splits nothing: it counts only for a
// backend that is in no other rule.
func (c *Client) RouteWeights(ctx context.Context, namespace, route string) (map[string]int, error) {
	read, err := c.route(ctx, namespace, route)
	if apierrors.IsNotFound(err) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	return read.weights()
}

// SetRouteWeights gives the named backends of a route these weights, in every rule that splits by them, and leaves all
// else of the route as it is: a rule that leads to one of them alone goes on doing so. It returns when the API server
// has stored them; [Client.WaitRoute] tells when they are in force. A name that is no backend of the route is an error,
// and nothing is changed then.
func (c *Client) SetRouteWeights(ctx context.Context, namespace, route string, weights map[string]int) error {
	ctx, cancel := bounded(ctx)
	defer cancel()
	ref, err := parseRoute(route)
	if err == nil {
		err = c.changeRoute(ctx, namespace, ref, func(object *unstructured.Unstructured) (bool, error) {
			return setWeights(object, weights)
		})
	}
	if err != nil {
		return fmt.Errorf("set weights of %s to %s: %w", ref.in(namespace), formatWeights(weights),
			errors.Join(err, lateCause(ctx)))
	}
	return nil
}

// setWeights changes the weights in the object and reports whether that changed anything.
func setWeights(object *unstructured.Unstructured, weights map[string]int) (changed bool, err error) {
	rules, _, err := unstructured.NestedSlice(object.Object, "spec", "rules")
	if err != nil {
		return false, err
	}
	missing, split := maps.Clone(weights), splitBackends(rules)
	var existing []string
	for _, backends := range backendsOf(rules) {
		for _, backend := range backends {
			service, _ := backend["name"].(string)
			existing = append(existing, service)
			weight, wanted := weights[service]
			if !wanted {
				continue
			}
			delete(missing, service)
			if len(backends) == 1 && split[service] {
				continue
			}
			changed = changed || backend["weight"] != int64(weight)
			backend["weight"] = int64(weight)
		}
	}
	if len(missing) > 0 {
		return false, fmt.Errorf("no backend %s; it has %s",
			strings.Join(slices.Sorted(maps.Keys(missing)), ", "), strings.Join(existing, ", "))
	}
	return changed, unstructured.SetNestedSlice(object.Object, rules, "spec", "rules")
}

// backendsOf gives the backends of each rule, to be read and changed.
func backendsOf(rules []any) [][]map[string]any {
	var all [][]map[string]any
	for _, rule := range rules {
		fields, _ := rule.(map[string]any)
		list, _ := fields["backendRefs"].([]any)
		var backends []map[string]any
		for _, item := range list {
			if backend, isObject := item.(map[string]any); isObject {
				backends = append(backends, backend)
			}
		}
		all = append(all, backends)
	}
	return all
}

// splitBackends are the names of the backends that share a rule with others.
func splitBackends(rules []any) map[string]bool {
	split := map[string]bool{}
	for _, backends := range backendsOf(rules) {
		for _, backend := range backends {
			if service, named := backend["name"].(string); named && len(backends) > 1 {
				split[service] = true
			}
		}
	}
	return split
}

// WaitRoute waits until a route has these weights and every Gateway that it names has accepted just that
// generation of it, with all backends resolved. Backends that are not named may have any weight. A route that does
// not exist yet is waited for. It ends with the context, which needs a deadline to end at all; the error then says
// what is still missing.
//
// A gateway reports that it accepted the weights; we cannot see when its proxies apply them.
func (c *Client) WaitRoute(ctx context.Context, namespace, route string, weights map[string]int) error {
	ref, err := parseRoute(route)
	if err != nil {
		return err
	}
	start := time.Now()
	ticker := time.NewTicker(pollInterval)
	defer ticker.Stop()
	lack := "it does not exist"
	for {
		read, err := c.route(ctx, namespace, route)
		switch {
		case err == nil:
			if lack = read.lack(weights); lack == "" {
				return nil
			}
		case apierrors.IsForbidden(err), apierrors.IsUnauthorized(err):
			return err
		case apierrors.IsNotFound(err):
			lack = "it does not exist"
		case ctx.Err() == nil:
			lack = err.Error()
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("%s is not in force with weights %s after %v: %s: %w",
				ref.in(namespace), formatWeights(weights), time.Since(start).Round(time.Second), lack, context.Cause(ctx))
		case <-ticker.C:
		}
	}
}

func (c *Client) route(ctx context.Context, namespace, route string) (*httpRoute, error) {
	ctx, cancel := bounded(ctx)
	defer cancel()
	ref, err := parseRoute(route)
	if err != nil {
		return nil, err
	}
	object, err := c.dynamic.Resource(ref.resource).Namespace(namespace).Get(ctx, ref.name, metav1.GetOptions{})
	if err != nil {
		return nil, fmt.Errorf("get %s: %w", ref.in(namespace), errors.Join(err, lateCause(ctx)))
	}
	var read httpRoute
	if err := runtime.DefaultUnstructuredConverter.FromUnstructured(object.Object, &read); err != nil {
		return nil, fmt.Errorf("read %s: %w", ref.in(namespace), err)
	}
	return &read, nil
}

// String names the route for people.
func (r *httpRoute) String() string {
	return fmt.Sprintf("%s %s/%s", strings.ToLower(r.Kind), r.Metadata.Namespace, r.Metadata.Name)
}

func (r *httpRoute) weights() (map[string]int, error) {
	weights, split := map[string]int{}, r.split()
	for _, rule := range r.Spec.Rules {
		for _, backend := range rule.BackendRefs {
			if len(rule.BackendRefs) == 1 && split[backend.Name] {
				continue
			}
			weight := 1
			if backend.Weight != nil {
				weight = int(*backend.Weight)
			}
			if before, known := weights[backend.Name]; known && before != weight {
				return nil, fmt.Errorf("%s gives backend %s weight %d in one rule and %d in another: give it the same in all",
					r, backend.Name, before, weight)
			}
			weights[backend.Name] = weight
		}
	}
	return weights, nil
}

// split are the names of the backends that share a rule with others.
func (r *httpRoute) split() map[string]bool {
	split := map[string]bool{}
	for _, rule := range r.Spec.Rules {
		for _, backend := range rule.BackendRefs {
			if len(rule.BackendRefs) > 1 {
				split[backend.Name] = true
			}
		}
	}
	return split
}

// lack says what keeps the weights from being in force; nothing when they are.
func (r *httpRoute) lack(wanted map[string]int) string {
	weights, err := r.weights()
	if err != nil {
		return err.Error()
	}
	for service, weight := range wanted {
		if got, known := weights[service]; !known || got != weight {
			return "it has " + formatWeights(weights)
		}
	}
	for _, parent := range r.Spec.ParentRefs {
		if lack := r.unaccepted(parent); lack != "" {
			return lack
		}
	}
	return ""
}

// unaccepted says why a parent has not taken the route over as it is now; nothing when it has. The parent has when any
// controller has accepted this generation: one that is gone leaves its entry behind, with an older generation.
func (r *httpRoute) unaccepted(parent parentRef) string {
	parent = r.completed(parent)
	lack, newest := "", int64(-1)
	for _, status := range r.Status.Parents {
		if r.completed(status.ParentRef) != parent {
			continue
		}
		why, generation := r.refusal(parent, status.Conditions)
		if why == "" {
			return ""
		}
		// The controller that looked at the route last says best what is missing.
		if generation > newest {
			lack, newest = why, generation
		}
	}
	if lack == "" {
		return fmt.Sprintf("%s has reported nothing: check that it exists and that a controller runs for its class", parent)
	}
	return lack
}

// refusal says why a controller's entry for a parent does not accept the route as it is now, and which generation the
// entry is about.
func (r *httpRoute) refusal(parent parentRef, conditions []metav1.Condition) (why string, generation int64) {
	for _, kind := range []string{"Accepted", "ResolvedRefs"} {
		condition := meta.FindStatusCondition(conditions, kind)
		switch {
		case condition == nil:
			return fmt.Sprintf("%s has not reported %s", parent, kind), generation
		case condition.ObservedGeneration != r.Metadata.Generation:
			return fmt.Sprintf("%s reports %s of generation %d, the route is at %d", parent, kind, condition.ObservedGeneration,
				r.Metadata.Generation), condition.ObservedGeneration
		case condition.Status != metav1.ConditionTrue:
			return fmt.Sprintf("%s reports that %s is %s: %s", parent, kind, condition.Status,
				reason(condition.Reason, condition.Message)), condition.ObservedGeneration
		}
		generation = condition.ObservedGeneration
	}
	return "", generation
}

// completed fills in what a reference leaves out: controllers may report it so.
func (r *httpRoute) completed(parent parentRef) parentRef {
	if parent.Namespace == "" {
		parent.Namespace = r.Metadata.Namespace
	}
	if parent.Group == "" && parent.Kind == "" {
		parent.Group, parent.Kind = HTTPRoutes.Group, "Gateway"
	}
	return parent
}

func (p parentRef) String() string {
	text := fmt.Sprintf("%s %s/%s", strings.ToLower(p.Kind), p.Namespace, p.Name)
	if p.SectionName != "" {
		text += " (listener " + p.SectionName + ")"
	}
	return text
}

func formatWeights(weights map[string]int) string {
	var parts []string
	for _, service := range slices.Sorted(maps.Keys(weights)) {
		parts = append(parts, fmt.Sprintf("%s=%d", service, weights[service]))
	}
	return strings.Join(parts, ", ")
}
