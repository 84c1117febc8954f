package policy

import (
	"strconv"
	"strings"

	"github.com/pulumi/pulumi/sdk/v3/go/property"
)

// at walks into nested maps. It gives null where a key is missing, and an unknown value where one is met on the way.
func at(value property.Value, path ...string) property.Value {
	for _, key := range path {
		switch {
		case value.IsComputed():
			return value
		case !value.IsMap():
			return property.Value{}
		}
		value = value.AsMap().Get(key)
	}
	return value
}

// items gives the elements of a list; none for anything else.
func items(value property.Value) []property.Value {
	if !value.IsArray() {
		return nil
	}
	return value.AsArray().AsSlice()
}

// entries calls visit for each key of a map, in the order of the keys.
func entries(value property.Value, visit func(key string, value property.Value)) {
	if !value.IsMap() {
		return
	}
	for key, inner := range value.AsMap().AllStable {
		visit(key, inner)
	}
}

// missing tells that a value is known to be absent.
func missing(value property.Value) bool { return value.IsNull() }

// unknown tells that a value, or a part of it, will be known only later.
func unknown(value property.Value) bool { return value.HasComputed() }

func text(value property.Value) string {
	if !value.IsString() {
		return ""
	}
	return value.AsString()
}

// isTrue and isFalse tell that a value is known and that; an unknown or missing one is neither.
func isTrue(value property.Value) bool  { return value.IsBool() && value.AsBool() }
func isFalse(value property.Value) bool { return value.IsBool() && !value.AsBool() }

// number reads a number or a text that holds one.
func number(value property.Value) (float64, bool) {
	if value.IsNumber() {
		return value.AsNumber(), true
	}
	parsed, err := strconv.ParseFloat(strings.TrimSpace(text(value)), 64)
	return parsed, err == nil
}

// words gives the texts of a list of texts.
func words(value property.Value) []string {
	var list []string
	for _, item := range items(value) {
		list = append(list, text(item))
	}
	return list
}

// texts gives the entries of a map of texts; others are left out.
func texts(value property.Value) map[string]string {
	result := map[string]string{}
	entries(value, func(key string, value property.Value) {
		if value.IsString() {
			result[key] = value.AsString()
		}
	})
	return result
}

// root is the whole of a resource as one value.
func (r Resource) root() property.Value { return property.New(r.Properties) }

func (r Resource) at(path ...string) property.Value { return at(r.root(), path...) }

// kind is the Kubernetes kind, for example Deployment; empty for what is no Kubernetes object. A patch has the kind of
// what it patches, and so the same rules: what it adds is as good as what was there.
func (r Resource) kind() string {
	kind := r.rawKind()
	if base, ok := strings.CutSuffix(kind, suffixPatch); ok && base != "" {
		return base
	}
	return kind
}

// rawKind is the kind as Pulumi names it: DeploymentPatch, DeploymentList.
func (r Resource) rawKind() string {
	rest, ok := strings.CutPrefix(r.Type, kubernetesPrefix)
	if !ok {
		return ""
	}
	return rest[strings.LastIndex(rest, ":")+1:]
}

// name is the name in the cluster, or Pulumi's while that is not known.
func (r Resource) name() string {
	if name := text(r.at("metadata", "name")); name != "" {
		return name
	}
	return r.Name
}

func (r Resource) label(key string) string { return text(r.at("metadata", "labels", key)) }
