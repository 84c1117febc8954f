package policy

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/pulumi/pulumi/sdk/v3/go/property"

	"github.com/vextrus/finance-rollout/internal/names"
)

func trackPolicies() []Policy {
	return []Policy{
		{
			Name:        "no-autoscaler",
			Description: "Where the pods split the requests, nothing else changes their number.",
			Stack:       noAutoscaler,
		},
		{
			Name:        "disruption-budget",
			Description: "Both tracks have a PodDisruptionBudget, so that emptying a node does not end a track.",
			Stack:       disruptionBudget,
		},
		{
			Name:        "split-by-pods",
			Description: "Where the pods split the requests, their numbers give the canary exactly its weight.",
			Stack:       splitByPods,
		},
	}
}

// track is the Deployment of one track.
type track struct {
	Resource
	app, track, version, environment string
	// labels are those of the pods.
	labels property.Value
}

// tracksOf lists the Deployments whose pods carry the labels of a track.
func tracksOf(resources []Resource) []track {
	var tracks []track
	for _, r := range resources {
		labels := r.podLabels()
		if r.rawKind() != "Deployment" {
			continue
		}
		one := track{
			Resource: r, labels: labels, app: text(at(labels, names.App)), track: text(at(labels, names.Track)),
			version: text(at(labels, names.Version)), environment: text(at(labels, names.Environment)),
		}
		if one.app != "" && one.track != "" {
			tracks = append(tracks, one)
		}
	}
	return tracks
}

// canariesOf lists the canaries that are known to have pods and whose labels are known.
func canariesOf(resources []Resource) []track {
	return slices.DeleteFunc(tracksOf(resources), func(t track) bool {
		pods, known := t.replicas()
		return t.track != names.Canary || !known || pods == 0 || unknown(t.labels)
	})
}

// replicas are the pods that the track asks for. The second result is false while that is not known.
func (t track) replicas() (float64, bool) {
	value := t.at("spec", "replicas")
	if missing(value) {
		return 1, true
	}
	return number(value)
}

// ofKind lists the resources of a kind.
func ofKind(resources []Resource, kind string) []Resource {
	return slices.DeleteFunc(slices.Clone(resources), func(r Resource) bool { return r.kind() != kind })
}

// selects reports whether a selector's labels are among others. An empty selector selects nothing here: it names no
// track. An unknown label may fit.
func selects(selector, labels property.Value) bool {
	if unknown(selector) {
		return true
	}
	wanted := texts(selector)
	for key, value := range wanted {
		if have := at(labels, key); !have.IsComputed() && text(have) != value {
			return false
		}
	}
	return len(wanted) > 0
}

// routed reports whether weights split the requests rather than pods do: by a route, or by one of somebody else, for
// which each track has a Service of its own.
func routed(resources []Resource) bool {
	own := map[string]bool{}
	for _, r := range resources {
		track := text(r.at("spec", "selector", names.Track))
		switch {
		case isRoute(r) && (len(backends(r)) > 1 || unknown(r.at("spec"))):
			return true
		case r.kind() == "Service" && track != "" && strings.HasSuffix(r.name(), "-"+track):
			own[track] = true
		}
	}
	return own[names.Stable] && own[names.Canary]
}

func noAutoscaler(resources []Resource) []Violation {
	if routed(resources) {
		return nil
	}
	tracks := tracksOf(resources)
	var violations []Violation
	for _, scaler := range ofKind(resources, "HorizontalPodAutoscaler") {
		target := scaler.at("spec", "scaleTargetRef")
		for _, t := range tracks {
			if text(at(target, "kind")) == "Deployment" && text(at(target, "name")) == t.name() {
				violations = append(violations, Violation{scaler.URN,
					fmt.Sprintf("HorizontalPodAutoscaler %s changes the pods of %s, and with them the canary's share; "+
						"remove it, or split by weights with `pulumi config set traffic gateway`", scaler.name(), t.name())})
			}
		}
	}
	return violations
}

func disruptionBudget(resources []Resource) []Violation {
	budgets := ofKind(resources, "PodDisruptionBudget")
	var violations []Violation
	for _, t := range tracksOf(resources) {
		covered := slices.ContainsFunc(budgets, func(budget Resource) bool {
			return selects(budget.at("spec", "selector", "matchLabels"), t.labels)
		})
		if !covered {
			violations = append(violations, Violation{t.URN,
				fmt.Sprintf("no PodDisruptionBudget selects the pods of %s, so that emptying a node may end them all at once; "+
					"add one whose selector is that of the Deployment", t.name())})
		}
	}
	return violations
}

// splitByPods compares the pods of both tracks with the weight that the release record tells.
func splitByPods(resources []Resource) []Violation {
	if routed(resources) {
		return nil
	}
	var violations []Violation
	for _, record := range recordsOf(resources) {
		stable, canary, known := podsOf(tracksOf(resources), record.app)
		if !known || !record.known {
			continue
		}
		switch {
		// At 100 % the Service selects the canary alone, and the stable pods stand by.
		case record.weight == 100 && canary > 0, record.weight*(stable+canary) == 100*canary:
		default:
			violations = append(violations, Violation{record.URN,
				fmt.Sprintf("the record says that the canary gets %v %% of the requests, but %v of %v pods give it another share; "+
					"choose `canaryWeight` or `replicas` so that the pods express it", record.weight, canary, stable+canary)})
		}
	}
	return violations
}

// podsOf counts the pods of an app's tracks. It knows nothing unless the app has both.
func podsOf(tracks []track, app string) (stable, canary float64, known bool) {
	seen := map[string]bool{}
	for _, t := range tracks {
		pods, ok := t.replicas()
		if t.app != app {
			continue
		}
		if !ok {
			return 0, 0, false
		}
		seen[t.track] = true
		if t.track == names.Canary {
			canary += pods
		} else {
			stable += pods
		}
	}
	return stable, canary, seen[names.Canary] && seen[names.Stable]
}

// hasVariable reports whether the service's container of the track is given a variable, by itself or by a ConfigMap or
// Secret of the stack. It knows nothing while something on the way is not known, or comes from elsewhere.
func (t track) hasVariable(resources []Resource, name string) (known, set bool) {
	pod, ok := t.pod()
	if !ok {
		return false, false
	}
	known = !at(pod, keyContainers).IsComputed()
	for _, item := range items(at(pod, keyContainers)) {
		known = known && !item.IsComputed()
	}
	main := mainContainer(pod, t.app)
	for _, c := range containersOf(pod, keyContainers) {
		if main != "" && c.where != main {
			continue
		}
		variables, sources := at(c.Value, "env"), at(c.Value, "envFrom")
		for _, variable := range items(variables) {
			if text(at(variable, "name")) == name {
				return true, true
			}
			known = known && !at(variable, "name").IsComputed()
		}
		for _, source := range items(sources) {
			readable, has := givenBy(source, resources, name)
			if has {
				return true, true
			}
			known = known && readable
		}
		known = known && !variables.IsComputed() && !sources.IsComputed()
	}
	return known, false
}

// givenBy looks for a variable in what an envFrom entry names.
func givenBy(source property.Value, resources []Resource, name string) (readable, has bool) {
	for kind, field := range map[string]string{"ConfigMap": "configMapRef", "Secret": "secretRef"} {
		wanted := text(at(source, field, "name"))
		for _, r := range ofKind(resources, kind) {
			if wanted == "" || r.name() != wanted {
				continue
			}
			for _, data := range []string{"data", "stringData"} {
				switch content := r.at(data); {
				case content.IsComputed():
					return false, false
				case !missing(at(content, name)):
					return true, true
				}
			}
			return true, false
		}
	}
	return false, false
}

// sortedKeys lists the keys of a map in order.
func sortedKeys[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }
