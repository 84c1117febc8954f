package policy

import (
	"maps"
	"slices"
	"testing"

	"github.com/pulumi/pulumi/sdk/v3/go/property"
	"pgregory.net/rapid"
)

// blurred gives a value with one of its parts unknown.
func blurred(t *rapid.T, value property.Value) property.Value {
	unknown := property.New(property.Computed)
	switch {
	case value.IsMap() && value.AsMap().Len() > 0 && rapid.Bool().Draw(t, "deeper"):
		all := value.AsMap().AsMap()
		key := rapid.SampledFrom(slices.Sorted(maps.Keys(all))).Draw(t, "key")
		all[key] = blurred(t, all[key])
		return property.New(all)
	case value.IsArray() && value.AsArray().Len() > 0 && rapid.Bool().Draw(t, "deeper"):
		all := value.AsArray().AsSlice()
		i := rapid.IntRange(0, len(all)-1).Draw(t, "index")
		all[i] = blurred(t, all[i])
		return property.New(all)
	}
	return unknown
}

func blurredIn(t *rapid.T, properties property.Map) property.Map {
	if properties.Len() == 0 {
		return properties
	}
	all := properties.AsMap()
	key := rapid.SampledFrom(slices.Sorted(maps.Keys(all))).Draw(t, "key")
	all[key] = blurred(t, all[key])
	return property.NewMap(all)
}

// What keeps the rules keeps them also while a part of it is not known: else a preview would complain of what an
// update would not.
func TestNothingUnknownIsAViolation(t *testing.T) {
	known := readCases(t)
	rapid.Check(t, func(t *rapid.T) {
		p := rapid.SampledFrom(All(Facts{})).Draw(t, "policy")
		resources := resourcesOf(rapid.SampledFrom(known[p.Name].Pass).Draw(t, "case"))
		i := rapid.IntRange(0, len(resources)-1).Draw(t, "resource")
		resources[i].Properties = blurredIn(t, resources[i].Properties)
		limits, err := p.With(nil)
		if err != nil {
			t.Fatal(err)
		}
		if violations := p.judge(resources, limits); len(violations) > 0 {
			t.Fatalf("%s: %v\n%v", p.Name, violations, resources[i].Properties)
		}
	})
}

func anyValue(depth int) *rapid.Generator[property.Value] {
	return rapid.Custom(func(t *rapid.T) property.Value {
		last := 5
		if depth == 0 {
			last = 3
		}
		secret := rapid.Bool().Draw(t, "secret")
		var value property.Value
		switch rapid.IntRange(0, last).Draw(t, "kind") {
		case 0:
			value = property.New(rapid.String().Draw(t, "text"))
		case 1:
			value = property.New(rapid.Float64().Draw(t, "number"))
		case 2:
			value = property.New(property.Computed)
		case 3:
			value = property.New(property.Null)
		case 4:
			value = property.New(rapid.SliceOfN(anyValue(depth-1), 0, 3).Draw(t, "list"))
		default:
			value = property.New(rapid.MapOfN(rapid.SampledFrom(keysInUse), anyValue(depth-1), 0, 4).Draw(t, "map"))
		}
		return value.WithSecret(secret)
	})
}

var keysInUse = []string{
	"metadata", "spec", "template", "labels", "annotations", "containers", "initContainers", "env", "name", "value",
	"image", "securityContext",
	"rules", "backendRefs", "weight", "data", "stringData", "selector", "matchLabels", "groups", "verbs", "resources",
	"replicas", "lifecycle",
	"app", "track", "canaryReplicas", "stableReplicas", "endpoints", "ports", "port", "command", "args", "volumes",
	"roleRef",
}

func TestNoValueMakesAPolicyPanic(t *testing.T) {
	types := []string{
		"kubernetes:apps/v1:Deployment", "kubernetes:core/v1:ConfigMap", "kubernetes:core/v1:Secret",
		"kubernetes:core/v1:Service", "kubernetes:core/v1:Pod",
		"kubernetes:batch/v1:CronJob", "kubernetes:gateway.networking.k8s.io/v1:HTTPRoute",
		"kubernetes:monitoring.coreos.com/v1:ServiceMonitor",
		"kubernetes:monitoring.coreos.com/v1:PrometheusRule", "kubernetes:autoscaling/v2:HorizontalPodAutoscaler",
		"kubernetes:policy/v1:PodDisruptionBudget",
		"kubernetes:rbac.authorization.k8s.io/v1:Role", "kubernetes:rbac.authorization.k8s.io/v1:RoleBinding",
		"pulumi:pulumi:StackReference", "", ":", "kubernetes:",
	}
	rapid.Check(t, func(t *rapid.T) {
		var resources []Resource
		for range rapid.IntRange(1, 4).Draw(t, "resources") {
			properties := rapid.MapOfN(rapid.SampledFrom(keysInUse), anyValue(5), 0, 4).Draw(t, "properties")
			resources = append(resources, Resource{Type: rapid.SampledFrom(types).Draw(t, "type"),
				Properties: property.NewMap(properties)})
		}
		caught, err := Check(Facts{}, resources)
		if err != nil {
			t.Fatal(err)
		}
		for _, violation := range caught {
			if violation.Message == "" {
				t.Fatalf("%s says nothing", violation.Policy.Name)
			}
		}
	})
}
