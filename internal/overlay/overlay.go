// Package overlay lays a user's strategic merge patch on the pod template of a track. The Kubernetes library merges as
// the API server does; what the rollout needs of its pods is compared before and after, and what would take it away is
// refused by its field.
//
// The package is pure: templates and patches are JSON as data.
package overlay

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/strategicpatch"
	kjson "sigs.k8s.io/json"
)

// Template is a PodTemplateSpec as data. Its numbers are int64 or float64.
type Template = map[string]any

// Patch is a strategic merge patch of a PodTemplateSpec. Reading one from JSON refuses fields that a PodTemplateSpec
// does not have; directives, such as $patch, are allowed.
type Patch map[string]any

// UnmarshalJSON reads a patch strictly: names are case-sensitive, as the API server takes them.
func (p *Patch) UnmarshalJSON(data []byte) error {
	var read map[string]any
	strict, err := kjson.UnmarshalStrict(data, &read)
	if err := errors.Join(append(strict, err)...); err != nil {
		return err
	}
	if err := typed(withoutDirectives(read)); err != nil {
		return err
	}
	*p = read
	return nil
}

// typed reports where a template is no PodTemplateSpec.
func typed(template any) error {
	encoded, err := json.Marshal(template)
	if err != nil {
		return err
	}
	strict, err := kjson.UnmarshalStrict(encoded, &corev1.PodTemplateSpec{})
	return errors.Join(append(strict, err)...)
}

// AddsContainers reports whether the patch holds containers beside the one of the service.
func (p Patch) AddsContainers(service string) bool {
	spec := object(p, "spec")
	return len(list(spec, keyInitContainers)) > 0 || slices.ContainsFunc(list(spec, keyContainers),
		func(item any) bool { return text(item, "name") != service })
}

// IsDirective reports whether a key tells how to merge, and is no field.
func IsDirective(key string) bool { return strings.HasPrefix(key, "$") }

// withoutDirectives is a copy of a patch without its directives. Elements of lists that hold a directive alone go too.
func withoutDirectives(value any) any {
	switch value := value.(type) {
	case map[string]any:
		plain := map[string]any{}
		for key, inner := range value {
			if !IsDirective(key) {
				plain[key] = withoutDirectives(inner)
			}
		}
		return plain
	case []any:
		plain := []any{}
		for _, item := range value {
			plain = append(plain, withoutDirectives(item))
		}
		return plain
	default:
		return value
	}
}

// Lay lays patches on a template, one after the other. An error names what a patch would take from the pods that the
// rollout needs; service is the name of the service's own container. Neither the template nor a patch is changed.
func Lay(template Template, service string, patches ...Patch) (Template, error) {
	for _, patch := range patches {
		if len(patch) == 0 {
			continue
		}
		merged, err := Apply(template, service, patch)
		if err != nil {
			return nil, err
		}
		var refused []error
		for _, refusal := range Refusals(template, merged, service) {
			refused = append(refused, refusal)
		}
		if len(refused) > 0 {
			return nil, errors.Join(refused...)
		}
		template = merged
	}
	return template, nil
}

// Apply merges a patch into a copy of a template.
//
// The library puts elements that a patch adds to a list before those that are there. Here they follow, unless the
// patch orders the list itself: kubectl takes the first container for the pod's, a variable can only refer to variables
// before it, and init containers run in their order.
func Apply(template Template, service string, patch Patch) (Template, error) {
	before := runtime.DeepCopyJSON(template)
	after, err := strategicpatch.StrategicMergeMapPatch(runtime.DeepCopyJSON(template), runtime.DeepCopyJSON(patch),
		corev1.PodTemplateSpec{})
	if err != nil {
		return nil, fmt.Errorf("merge the patch: %w", err)
	}
	merged := Template(after)
	if err := typed(merged); err != nil {
		return nil, fmt.Errorf("the patch makes no pod template: %w", err)
	}
	spec, wanted := object(merged, "spec"), object(patch, "spec")
	for _, key := range []string{keyContainers, keyInitContainers} {
		follow(object(before, "spec"), spec, wanted, key)
	}
	follow(named(object(before, "spec"), keyContainers, service), named(spec, keyContainers, service),
		named(wanted, keyContainers, service), "env")
	return merged, nil
}

// follow moves the elements of a list that are new behind those that were there, unless the patch orders the list.
func follow(before, after, patch map[string]any, key string) {
	items, ordered := list(after, key), patch["$setElementOrder/"+key]
	if len(items) == 0 || ordered != nil {
		return
	}
	var was, added []any
	for _, item := range items {
		if named(before, key, text(item, "name")) != nil {
			was = append(was, item)
		} else {
			added = append(added, item)
		}
	}
	after[key] = slices.Concat(was, added)
}

// Keys of a pod's specification.
const (
	keyContainers     = "containers"
	keyInitContainers = "initContainers"
)

// object reads an object by its path; nil when there is none.
func object(value any, path ...string) map[string]any {
	at, _ := value.(map[string]any)
	if patch, ok := value.(Patch); ok {
		at = patch
	}
	for _, key := range path {
		at, _ = at[key].(map[string]any)
	}
	return at
}

// list reads a list; nil when there is none.
func list(of map[string]any, key string) []any {
	items, _ := of[key].([]any)
	return items
}

// text reads a text; empty when there is none.
func text(of any, key string) string {
	value, _ := object(of)[key].(string)
	return value
}

// named is the element of a list with that name; nil when there is none.
func named(of map[string]any, key, name string) map[string]any {
	for _, item := range list(of, key) {
		if element := object(item); element != nil && text(element, "name") == name {
			return element
		}
	}
	return nil
}
