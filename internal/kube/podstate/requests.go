package podstate

import (
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
)

// Requests are what the scheduler counts of a pod: its containers and sidecars together, or an init container beside
// the sidecars that were started before it, where that asks for more.
func Requests(spec *corev1.PodSpec) (cpu, memory resource.Quantity) {
	return requested(spec, corev1.ResourceCPU), requested(spec, corev1.ResourceMemory)
}

func requested(spec *corev1.PodSpec, name corev1.ResourceName) resource.Quantity {
	var sidecars, most, total resource.Quantity
	for _, container := range spec.InitContainers {
		request := container.Resources.Requests[name]
		if policy := container.RestartPolicy; policy != nil && *policy == corev1.ContainerRestartPolicyAlways {
			sidecars.Add(request)
			continue
		}
		request.Add(sidecars)
		if request.Cmp(most) > 0 {
			most = request
		}
	}
	total.Add(sidecars)
	for _, container := range spec.Containers {
		total.Add(container.Resources.Requests[name])
	}
	if most.Cmp(total) > 0 {
		return most
	}
	return total
}
