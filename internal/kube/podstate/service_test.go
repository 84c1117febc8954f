package podstate

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
)

// meshed is a pod whose proxy comes before the service, with an init container and a native sidecar.
func meshed() *corev1.Pod {
	always := corev1.ContainerRestartPolicyAlways
	return &corev1.Pod{
		Spec: corev1.PodSpec{
			InitContainers: []corev1.Container{{Name: "migrate"}, {Name: "tunnel", RestartPolicy: &always}},
			Containers:     []corev1.Container{{Name: "proxy", Image: "proxy:1"}, {Name: "shop", Image: "shop:2"}},
		},
		Status: corev1.PodStatus{
			InitContainerStatuses: []corev1.ContainerStatus{{Name: "migrate", RestartCount: 1},
				{Name: "tunnel", RestartCount: 7}},
			ContainerStatuses: []corev1.ContainerStatus{{Name: "proxy", RestartCount: 5},
				{Name: "shop", RestartCount: 2}},
		},
	}
}

func TestService(t *testing.T) {
	spec := &meshed().Spec
	for service, want := range map[string]string{
		"shop": "shop:2", "proxy": "proxy:1", "unknown": "proxy:1", "": "proxy:1",
	} {
		if got := ImageOf(spec, service); got != want {
			t.Errorf("%s runs %s, want %s", service, got, want)
		}
	}
	if got := ImageOf(&corev1.PodSpec{}, "shop"); got != "" {
		t.Errorf("a pod without containers runs %s", got)
	}
}

func TestSidecarsAreNotTheService(t *testing.T) {
	pod := meshed()
	for name, want := range map[string]bool{
		"shop": false, "proxy": true, "migrate": false, "tunnel": true, "injected": true,
	} {
		if got := IsSidecar(&pod.Spec, "shop", name); got != want {
			t.Errorf("%s is a sidecar: %v", name, got)
		}
	}
	if IsSidecar(&corev1.PodSpec{}, "shop", "shop") {
		t.Error("the container of an unknown pod is a sidecar")
	}
	var names []string
	for _, status := range OwnStatuses(pod, "shop") {
		names = append(names, status.Name)
	}
	if diff := cmp.Diff([]string{"migrate", "shop"}, names); diff != "" {
		t.Error(diff)
	}
	if got := OwnRestarts(pod, "shop"); got != 2 {
		t.Errorf("%d restarts of the service, want 2", got)
	}
}
