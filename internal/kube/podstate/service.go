package podstate

import (
	"slices"

	corev1 "k8s.io/api/core/v1"
)

// Service is the container of a pod that serves: the one of the service's name, or the first where none has it. Further
// containers are its surroundings. It is nil for a pod without containers.
func Service(spec *corev1.PodSpec, service string) *corev1.Container {
	for i := range spec.Containers {
		if spec.Containers[i].Name == service {
			return &spec.Containers[i]
		}
	}
	if len(spec.Containers) == 0 {
		return nil
	}
	return &spec.Containers[0]
}

// ImageOf is the image of the container that serves; empty for a pod without containers.
func ImageOf(spec *corev1.PodSpec, service string) string {
	if container := Service(spec, service); container != nil {
		return container.Image
	}
	return ""
}

// OwnStatuses are the statuses of a pod's containers without its sidecars, the init containers first.
func OwnStatuses(pod *corev1.Pod, service string) []corev1.ContainerStatus {
	return slices.DeleteFunc(Containers(pod), func(status corev1.ContainerStatus) bool {
		return IsSidecar(&pod.Spec, service, status.Name)
	})
}

// OwnRestarts is how often the service's container was restarted.
func OwnRestarts(pod *corev1.Pod, service string) int {
	restarts := 0
	for _, status := range pod.Status.ContainerStatuses {
		if !IsSidecar(&pod.Spec, service, status.Name) {
			restarts += int(status.RestartCount)
		}
	}
	return restarts
}

// IsSidecar reports whether a container of that name runs beside the one that serves: a further container, or an init
// container that stays. Other init containers are part of the service's start.
func IsSidecar(spec *corev1.PodSpec, service, container string) bool {
	for _, init := range spec.InitContainers {
		if init.Name == container {
			return init.RestartPolicy != nil && *init.RestartPolicy == corev1.ContainerRestartPolicyAlways
		}
	}
	main := Service(spec, service)
	return main != nil && main.Name != container
}
