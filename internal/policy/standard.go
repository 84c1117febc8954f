package policy

import (
	"encoding/json"
	"fmt"
	"strings"

	"github.com/pulumi/pulumi/sdk/v3/go/property"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	psa "k8s.io/pod-security-admission/api"
	psapolicy "k8s.io/pod-security-admission/policy"
)

func standardPolicies() []Policy {
	return []Policy{{
		Name: "pod-standard",
		Description: "Pods keep the level restricted of the Pod Security Standards, as the library of the API server " +
			"judges it.",
		Resource: eachPod(restricted()),
	}}
}

// restricted judges a pod spec by the newest version of the level that the library knows.
func restricted() func(Resource, Limits, podsIn) []string {
	evaluator, broken := psapolicy.NewEvaluator(psapolicy.DefaultChecks())
	level := psa.LevelVersion{Level: psa.LevelRestricted, Version: psa.LatestVersion()}
	return func(_ Resource, _ Limits, pod podsIn) []string {
		if broken != nil {
			return []string{fmt.Sprintf("the library of the Pod Security Standards does not start: %v", broken)}
		}
		spec, err := securityOf(pod.spec)
		if err != nil {
			return []string{fmt.Sprintf("the pods cannot be judged, and the API server would not take them either: %v; "+
				"give each field of securityContext the type that Kubernetes documents", err)}
		}
		metadata := &metav1.ObjectMeta{Annotations: texts(at(pod.template, "metadata", "annotations"))}
		var broke []string
		for _, result := range evaluator.EvaluatePod(level, metadata, spec) {
			if !result.Allowed {
				broke = append(broke, fmt.Sprintf("%s (%s)", result.ForbiddenReason, result.ForbiddenDetail))
			}
		}
		if len(broke) == 0 {
			return nil
		}
		return []string{fmt.Sprintf("the pods break the level restricted of the Pod Security Standards: %s; "+
			"change each field that is named", strings.Join(broke, "; "))}
	}
}

// containerSecurity and podSecurity are the fields that the standard reads. The others may hold what no Go type takes,
// such as the number of a variable without quotes.
var (
	containerSecurity = []string{"name", "securityContext", "ports", "livenessProbe", "readinessProbe", "startupProbe",
		"lifecycle"}
	podSecurity = []string{"securityContext", "hostNetwork", "hostPID", "hostIPC", "hostUsers", "os"}
)

// securityOf reads what the standard judges from a pod spec. It takes what is not known yet for harmless.
func securityOf(pod property.Value) (*corev1.PodSpec, error) {
	plainPod := picked(pod, podSecurity)
	for _, key := range []string{keyContainers, keyInitContainers, keyEphemeral} {
		var containers []any
		for _, item := range items(at(pod, key)) {
			if item.IsMap() {
				containers = append(containers, picked(item, containerSecurity))
			}
		}
		plainPod[key] = containers
	}
	var volumes []any
	for _, item := range items(at(pod, "volumes")) {
		if volume := sourceOf(item); len(volume) > 1 {
			volumes = append(volumes, volume)
		}
	}
	plainPod["volumes"] = volumes
	encoded, err := json.Marshal(plainPod)
	if err != nil {
		return nil, err
	}
	spec := &corev1.PodSpec{}
	return spec, json.Unmarshal(encoded, spec)
}

// sourceOf reads which source a volume has, by its name alone. One that is not known yet has none.
func sourceOf(item property.Value) map[string]any {
	volume := map[string]any{"name": text(at(item, "name"))}
	entries(item, func(key string, value property.Value) {
		if key != "name" && !missing(value) {
			volume[key] = map[string]any{}
		}
	})
	return volume
}

func picked(value property.Value, keys []string) map[string]any {
	all := map[string]any{}
	for _, key := range keys {
		if inner, ok := assumed(key, at(value, key)); ok {
			all[key] = inner
		}
	}
	return all
}

// assumed is a value as JSON has it. A part of it that is not known yet is taken for what keeps the standard: it is
// judged when it is known. The second result is false for what is missing.
func assumed(key string, value property.Value) (any, bool) {
	switch {
	case value.IsComputed():
		safe, ok := keeps(key)
		return safe, ok
	case value.IsMap():
		all := map[string]any{}
		entries(value, func(field string, inner property.Value) {
			if plain, ok := assumed(key+"."+field, inner); ok {
				all[field] = plain
			}
		})
		return all, true
	case value.IsArray():
		all := []any{}
		for _, item := range items(value) {
			if plain, ok := assumed(key+"[]", item); ok {
				all = append(all, plain)
			}
		}
		return all, true
	case value.IsString():
		return value.AsString(), true
	case value.IsNumber():
		return value.AsNumber(), true
	case value.IsBool():
		return value.AsBool(), true
	}
	return nil, false
}

// keeps is the value of a field that keeps the standard; for most it is to be missing.
func keeps(path string) (any, bool) {
	switch key := path[strings.LastIndex(path, ".")+1:]; key {
	case "securityContext":
		return map[string]any{"runAsNonRoot": true, "allowPrivilegeEscalation": false,
			"capabilities":   map[string]any{"drop": []string{"ALL"}},
			"seccompProfile": map[string]any{"type": "RuntimeDefault"}}, true
	case "runAsNonRoot":
		return true, true
	case "allowPrivilegeEscalation":
		return false, true
	case "capabilities":
		return map[string]any{"drop": []string{"ALL"}}, true
	case "drop":
		return []string{"ALL"}, true
	case "drop[]":
		return "ALL", true
	case "seccompProfile":
		return map[string]any{"type": "RuntimeDefault"}, true
	case "type":
		return "RuntimeDefault", !strings.HasSuffix(path, "seLinuxOptions.type")
	}
	return nil, false
}
