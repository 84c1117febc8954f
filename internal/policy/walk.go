package policy

import (
	"slices"
	"strings"

	"github.com/pulumi/pulumi/sdk/v3/go/property"
)

const (
	kubernetesPrefix = "kubernetes:"
	suffixPatch      = "Patch"
	suffixList       = "List"
)

// spread gives every object that a resource makes: itself, and each item of a List.
func spread(r Resource) []Resource {
	list := r.at("items")
	if !strings.HasSuffix(r.rawKind(), suffixList) || !list.IsArray() {
		return []Resource{r}
	}
	rest := r
	rest.Properties = r.Properties.Delete("items")
	all := []Resource{rest}
	for _, item := range items(list) {
		if item.IsMap() {
			all = append(all, spread(r.item(item, list.Secret()))...)
		}
	}
	return all
}

// item is one object of a List. An object that names no kind has that of the list.
func (r Resource) item(object property.Value, secret bool) Resource {
	one := Resource{Type: strings.TrimSuffix(r.Type, suffixList), Name: r.Name, URN: r.URN, Properties: object.AsMap()}
	if secret || object.Secret() {
		for key, value := range one.Properties.AllStable {
			one.Properties = one.Properties.Set(key, value.WithSecret(true))
		}
	}
	if kind, group := text(at(object, "kind")), text(at(object, "apiVersion")); kind != "" && group != "" {
		if !strings.Contains(group, "/") {
			group = "core/" + group
		}
		one.Type = kubernetesPrefix + group + ":" + kind
	}
	return one
}

// podsIn is a pod spec that a resource holds, with the template around it.
type podsIn struct {
	template, spec property.Value
}

// pods finds the pod specs of a resource wherever they stand and whatever its kind is called: by the way of the known
// workloads, and by what only a pod spec holds.
func (r Resource) pods() []podsIn {
	var list []podsIn
	wanted, isWorkload := templates[r.kind()]
	visitMaps(r.root(), func(path []string, parent, value property.Value) {
		usual := isWorkload && len(path) == len(wanted)+1 && slices.Equal(path[:len(wanted)], wanted) &&
			path[len(wanted)] == "spec"
		if usual || isPodSpec(value) {
			list = append(list, podsIn{parent, value})
		}
	})
	return list
}

// isPodSpec reports whether a map is a pod spec by the fields that nothing else has. A field of the same name that is
// no list of objects, as in the schema of a custom resource, is another one.
func isPodSpec(value property.Value) bool {
	for _, key := range []string{keyContainers, keyInitContainers, keyEphemeral} {
		field := at(value, key)
		list := items(field)
		isObject := func(item property.Value) bool { return item.IsMap() || item.IsComputed() }
		if field.IsComputed() || field.IsArray() && (len(list) == 0 || slices.ContainsFunc(list, isObject)) {
			return true
		}
	}
	return slices.ContainsFunc([]string{"hostNetwork", "hostPID", "hostIPC", "hostUsers", "shareProcessNamespace"},
		func(key string) bool { return at(value, key).IsBool() })
}

// visitMaps calls visit for every map below a value, with the way to it and the map around it.
func visitMaps(value property.Value, visit func(path []string, parent, value property.Value)) {
	var walk func(path []string, parent, value property.Value)
	walk = func(path []string, parent, value property.Value) {
		if value.IsMap() {
			visit(path, parent, value)
			parent = value
		}
		entries(value, func(key string, inner property.Value) {
			walk(append(slices.Clip(path), key), parent, inner)
		})
		for _, item := range items(value) {
			walk(append(slices.Clip(path), "[]"), parent, item)
		}
	}
	walk(nil, property.Value{}, value)
}

// eachPod judges every pod spec of a resource.
func eachPod(judge func(r Resource, limits Limits, pod podsIn) []string) func(Resource, Limits) []string {
	return func(r Resource, limits Limits) []string {
		var messages []string
		for _, pod := range r.pods() {
			messages = append(messages, judge(r, limits, pod)...)
		}
		return messages
	}
}
