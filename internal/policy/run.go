package policy

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/pulumi/pulumi/sdk/v3/go/property"

	"github.com/vextrus/finance-rollout/internal/names"
)

func runPolicies() []Policy {
	return []Policy{
		{
			Name:        "pod-resources",
			Description: "Containers ask for processor and memory and are limited in both.",
			Limits: []Limit{{
				Name:        "limited",
				Description: "Amounts that a container must be limited in.",
				Default:     []string{"cpu", "memory"},
			}},
			Resource: func(r Resource, limits Limits) []string {
				limited := limits.words("limited")
				return eachContainer(func(_ property.Value, c container) string { return resources(c, limited) })(r, limits)
			},
		},
		{
			Name:        "pod-probes",
			Description: "Containers that serve have a liveness and a readiness probe.",
			Resource:    eachPod(probes),
		},
		{
			Name:        "pod-grace-period",
			Description: "A pod has longer to end than its preStop hook takes.",
			Limits: []Limit{{
				Name:        "seconds",
				Description: "Seconds that must be left after the preStop hook.",
				Default:     float64(5),
			}},
			Resource: eachPod(gracePeriod),
		},
	}
}

func resources(c container, limited []string) string {
	var lacking []string
	lacks := func(part string, names []string) {
		for _, name := range names {
			if missing(at(c.Value, "resources", part, name)) {
				lacking = append(lacking, "resources."+part+"."+name)
			}
		}
	}
	lacks("requests", []string{"cpu", "memory"})
	lacks("limits", limited)
	if len(lacking) == 0 {
		return ""
	}
	return "it can starve its neighbours or be starved; set " + strings.Join(lacking, ", ")
}

// probes asks for probes where pods serve: work that ends by itself needs none, nor do init containers, nor a container
// without a port beside the one of the app.
func probes(r Resource, _ Limits, pod podsIn) []string {
	if kind := r.kind(); kind == "Job" || kind == "CronJob" {
		return nil
	}
	var messages []string
	for _, c := range containersOf(pod.spec, keyContainers) {
		if missing(at(c.Value, "ports")) && isBeside(pod, c) {
			continue
		}
		for _, probe := range []string{"livenessProbe", "readinessProbe"} {
			if missing(at(c.Value, probe)) {
				messages = append(messages, fmt.Sprintf("%s: it has no %s, so that the kubelet cannot tell whether it works; "+
					"set one", c.where, probe))
			}
		}
	}
	return messages
}

// isBeside reports whether a container runs beside the one of the app, or may do so while a name is not known.
func isBeside(pod podsIn, c container) bool {
	label := at(pod.template, "metadata", "labels", names.App)
	if main := mainContainer(pod.spec, text(label)); main != "" {
		return c.where != main
	}
	all := items(at(pod.spec, keyContainers))
	return len(all) > 1 && (unknown(label) || slices.ContainsFunc(all,
		func(item property.Value) bool { return unknown(at(item, "name")) }))
}

// standardGrace is what Kubernetes gives a pod that names no grace period, in seconds.
const standardGrace = 30

func gracePeriod(_ Resource, limits Limits, in podsIn) []string {
	pod := in.spec
	grace, spare := at(pod, "terminationGracePeriodSeconds"), limits.number("seconds")
	if unknown(grace) {
		return nil
	}
	seconds, ok := number(grace)
	if !ok {
		seconds = standardGrace
	}
	var messages []string
	for _, c := range containersOf(pod, keyContainers) {
		if stop, ok := preStop(c); ok && seconds < stop+spare {
			messages = append(messages, fmt.Sprintf("%s: its preStop hook takes %v s of the %v s that the pod has to end, "+
				"and open requests need %v more; "+
				"set terminationGracePeriodSeconds to %v or more", c.where, stop, seconds, spare, stop+spare))
		}
	}
	return messages
}

var sleepCommand = regexp.MustCompile(`\bsleep\s+([0-9]+(?:\.[0-9]+)?)`)

// preStop is how many seconds the preStop hook of a container sleeps.
func preStop(c container) (float64, bool) {
	if seconds, ok := number(at(c.Value, "lifecycle", "preStop", "sleep", "seconds")); ok {
		return seconds, true
	}
	command := words(at(c.Value, "lifecycle", "preStop", "exec", "command"))
	groups := sleepCommand.FindStringSubmatch(strings.Join(command, " "))
	if groups == nil {
		return 0, false
	}
	seconds, err := strconv.ParseFloat(groups[1], 64)
	return seconds, err == nil
}
