package provider

import (
	"maps"
	"reflect"

	"github.com/pulumi/pulumi/sdk/v3/go/common/resource"
	pulumirpc "github.com/pulumi/pulumi/sdk/v3/proto/go"
)

// difference says what changes between two inputs, and what of that replaces the resource.
func difference(before, after resource.PropertyMap, replaces []string) *pulumirpc.DiffResponse {
	diff := before.Diff(after)
	if diff == nil {
		return &pulumirpc.DiffResponse{Changes: pulumirpc.DiffResponse_DIFF_NONE}
	}
	response := &pulumirpc.DiffResponse{Changes: pulumirpc.DiffResponse_DIFF_SOME, Replaces: replaces}
	for _, key := range diff.ChangedKeys() {
		response.Diffs = append(response.Diffs, string(key))
	}
	return response
}

// replacedCluster is what in a provider's configuration makes it another cluster's, so that all its resources are
// replaced. One that is known by its identity goes by that alone; adding or removing the identity replaces nothing by
// itself.
func replacedCluster(before, after resource.PropertyMap) []string {
	const identity = "clusterIdentifier"
	was, is := before[identity], after[identity]
	if was.HasValue() && is.HasValue() {
		if was.DeepEquals(is) {
			return nil
		}
		return []string{identity}
	}
	var replaces []string
	for _, key := range []resource.PropertyKey{"kubeconfig", "context", "cluster"} {
		if !before[key].DeepEquals(after[key]) {
			replaces = append(replaces, string(key))
		}
	}
	return replaces
}

// immutable are the paths that no update may change, by the kind of the object; those of the empty kind are every
// object's.
var immutable = map[string][]string{
	"":           {"apiVersion", "kind", "metadata.name", "metadata.namespace"},
	"Deployment": {"spec.selector"},
	"Secret":     {"type"},
	"Service":    {"spec.clusterIP"},
}

// replacedObject lists the immutable paths that differ.
func replacedObject(before, after resource.PropertyMap) []string {
	kind, _ := plain(after)["kind"].(string)
	var replaces []string
	for _, path := range append(append([]string(nil), immutable[""]...), immutable[kind]...) {
		if !reflect.DeepEqual(at(before, path), at(after, path)) {
			replaces = append(replaces, path)
		}
	}
	return replaces
}

// at is the plain value at a path; nil for none.
func at(properties resource.PropertyMap, path string) any {
	parsed, err := resource.ParsePropertyPath(path)
	if err != nil {
		return nil
	}
	value, ok := parsed.Get(resource.NewObjectProperty(properties))
	if !ok {
		return nil
	}
	return value.MapRepl(nil, bare)
}

// plain are the properties as the API server takes them: numbers, texts, lists and maps, secrets among them.
func plain(properties resource.PropertyMap) map[string]any { return properties.MapRepl(nil, bare) }

// bare takes the wrapping off secrets and outputs.
func bare(value resource.PropertyValue) (any, bool) {
	switch {
	case value.IsSecret():
		return value.SecretValue().Element.MapRepl(nil, bare), true
	case value.IsOutput():
		return value.OutputValue().Element.MapRepl(nil, bare), true
	default:
		return nil, false
	}
}

// idOf is the resource's ID: the namespace and the name of the object.
func idOf(properties resource.PropertyMap) string {
	namespace, name := keyOf(plain(properties))
	if namespace == "" {
		return name
	}
	return namespace + "/" + name
}

func keyOf(object map[string]any) (namespace, name string) {
	metadata, _ := object["metadata"].(map[string]any)
	namespace, _ = metadata["namespace"].(string)
	name, _ = metadata["name"].(string)
	return namespace, name
}

// readBack are the inputs with the values that the live object has now. Fields that nobody set through Pulumi stay out,
// and a secret stays one.
func readBack(inputs resource.PropertyMap, live map[string]any) resource.PropertyMap {
	found := resource.PropertyMap{}
	for key, value := range inputs {
		if present, ok := live[string(key)]; ok {
			found[key] = readBackValue(value, present)
		}
	}
	return found
}

func readBackValue(input resource.PropertyValue, live any) resource.PropertyValue {
	fields, isMap := live.(map[string]any)
	items, isList := live.([]any)
	switch {
	case input.IsSecret():
		return resource.MakeSecret(readBackValue(input.SecretValue().Element, live))
	case input.IsObject() && isMap:
		return resource.NewObjectProperty(readBack(input.ObjectValue(), fields))
	case input.IsArray() && isList && len(items) == len(input.ArrayValue()):
		var values []resource.PropertyValue
		for i, item := range items {
			values = append(values, readBackValue(input.ArrayValue()[i], item))
		}
		return resource.NewArrayProperty(values)
	default:
		return resource.NewPropertyValue(live)
	}
}

// without is an object without some of its metadata.
func without(object map[string]any, keys ...string) map[string]any {
	metadata, ok := object["metadata"].(map[string]any)
	if !ok {
		return object
	}
	object, metadata = maps.Clone(object), maps.Clone(metadata)
	for _, key := range keys {
		delete(metadata, key)
	}
	object["metadata"] = metadata
	return object
}
