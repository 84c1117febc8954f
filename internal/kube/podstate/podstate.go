// Package podstate answers questions about a pod from its status alone, in one way for the guard, the gates, the
// commands and the tests. It imports nothing but the API's types.
package podstate

import (
	"slices"

	corev1 "k8s.io/api/core/v1"
)

// Reasons of a container that waits or has ended, as the kubelet gives them.
const (
	reasonCrashLoop = "CrashLoopBackOff"
	reasonOOM       = "OOMKilled"
)

// imageReasons are the kubelet's reasons for a container whose image is not there; see
// k8s.io/kubernetes/pkg/kubelet/images.
var imageReasons = []string{
	"ErrImagePull", "ImagePullBackOff", "ErrImageNeverPull", "InvalidImageName", "RegistryUnavailable",
	"SignatureValidationFailed", "ImageInspectError",
}

// IsReady reports whether the pod's readiness condition is true. A pod that is being deleted may still be ready.
func IsReady(pod *corev1.Pod) bool {
	return slices.ContainsFunc(pod.Status.Conditions, func(c corev1.PodCondition) bool {
		return c.Type == corev1.PodReady && c.Status == corev1.ConditionTrue
	})
}

// RunsUnready reports whether a container of the pod runs and does not pass its readiness probe.
func RunsUnready(pod *corev1.Pod) bool {
	return slices.ContainsFunc(pod.Status.ContainerStatuses, IsUnready)
}

// IsUnready reports whether the container runs and does not pass its readiness probe.
func IsUnready(container corev1.ContainerStatus) bool {
	return container.State.Running != nil && !container.Ready
}

// Containers are the statuses of the pod's containers, its init containers first.
func Containers(pod *corev1.Pod) []corev1.ContainerStatus {
	return slices.Concat(pod.Status.InitContainerStatuses, pod.Status.ContainerStatuses)
}

// Restarts is how often the pod's containers were restarted, without its init containers.
func Restarts(status corev1.PodStatus) int {
	restarts := 0
	for _, container := range status.ContainerStatuses {
		restarts += int(container.RestartCount)
	}
	return restarts
}

// IsCrashLooping reports whether the kubelet waits before it starts the container once more.
func IsCrashLooping(container corev1.ContainerStatus) bool {
	return waitsFor(container) == reasonCrashLoop
}

// LacksImage reports whether the container waits for an image that the kubelet cannot get.
func LacksImage(container corev1.ContainerStatus) bool {
	return slices.Contains(imageReasons, waitsFor(container))
}

func waitsFor(container corev1.ContainerStatus) string {
	if container.State.Waiting == nil {
		return ""
	}
	return container.State.Waiting.Reason
}

// LastEnd is how the container ended last: just now or before its last start. It is nil when the container has not
// ended yet.
func LastEnd(container corev1.ContainerStatus) *corev1.ContainerStateTerminated {
	if container.State.Terminated != nil {
		return container.State.Terminated
	}
	return container.LastTerminationState.Terminated
}

// IsOutOfMemory reports whether the end is a kill for too much memory; nil is no end.
func IsOutOfMemory(end *corev1.ContainerStateTerminated) bool {
	return end != nil && end.Reason == reasonOOM
}
