package policy

import (
	"fmt"

	"github.com/pulumi/pulumi/sdk/v3/go/property"
)

// templates are the ways from a workload to its pod template, by kind. A Pod is its own.
var templates = map[string][]string{
	"Deployment":            {"spec", "template"},
	"StatefulSet":           {"spec", "template"},
	"DaemonSet":             {"spec", "template"},
	"ReplicaSet":            {"spec", "template"},
	"ReplicationController": {"spec", "template"},
	"Job":                   {"spec", "template"},
	"CronJob":               {"spec", "jobTemplate", "spec", "template"},
	"PodTemplate":           {"template"},
	"Rollout":               {"spec", "template"}, // Argo
	"Service":               {"spec", "template"}, // Knative; a Service of Kubernetes has none
	"Pod":                   {},
}

// container is a container of a pod, with the words that name it in a message.
type container struct {
	property.Value
	where string
}

// podTemplate gives what holds metadata and spec of the pods of a workload. The second result is false for other
// kinds and while the pods are not known.
func (r Resource) podTemplate() (property.Value, bool) {
	path, ok := templates[r.kind()]
	if !ok {
		return property.Value{}, false
	}
	template := r.at(path...)
	return template, at(template, "spec").IsMap()
}

// pod gives the pod spec of a workload.
func (r Resource) pod() (property.Value, bool) {
	template, ok := r.podTemplate()
	return at(template, "spec"), ok
}

// podLabels are the labels of a workload's pods.
func (r Resource) podLabels() property.Value {
	template, _ := r.podTemplate()
	return at(template, "metadata", "labels")
}

// containersOf lists the containers under the given keys of a pod spec.
func containersOf(pod property.Value, keys ...string) []container {
	var list []container
	for _, key := range keys {
		for i, item := range items(at(pod, key)) {
			if !item.IsMap() {
				continue
			}
			name := text(at(item, "name"))
			if name == "" {
				name = fmt.Sprintf("%s[%d]", key, i)
			}
			list = append(list, container{item, "container " + name})
		}
	}
	return list
}

// Keys of a pod spec that hold containers.
const (
	keyContainers     = "containers"
	keyInitContainers = "initContainers"
	keyEphemeral      = "ephemeralContainers"
)

func allContainers(pod property.Value) []container {
	return containersOf(pod, keyInitContainers, keyContainers, keyEphemeral)
}

// eachContainer judges every container of a workload.
func eachContainer(judge func(pod property.Value, c container) string) func(Resource, Limits) []string {
	return eachPod(func(_ Resource, _ Limits, pod podsIn) []string {
		var messages []string
		for _, c := range allContainers(pod.spec) {
			if message := judge(pod.spec, c); message != "" {
				messages = append(messages, c.where+": "+message)
			}
		}
		return messages
	})
}

// secured gives a field of a container's security context, or the pod's where the container says nothing.
func secured(pod property.Value, c container, path ...string) property.Value {
	path = append([]string{"securityContext"}, path...)
	if setting := at(c.Value, path...); !missing(setting) {
		return setting
	}
	return at(pod, path...)
}
