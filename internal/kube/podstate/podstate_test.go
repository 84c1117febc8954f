package podstate

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
)

func waiting(reason string) corev1.ContainerStatus {
	return corev1.ContainerStatus{State: corev1.ContainerState{Waiting: &corev1.ContainerStateWaiting{Reason: reason}}}
}

func running(ready bool) corev1.ContainerStatus {
	return corev1.ContainerStatus{Ready: ready, State: corev1.ContainerState{Running: &corev1.ContainerStateRunning{}}}
}

func TestIsReady(t *testing.T) {
	condition := func(kind corev1.PodConditionType, status corev1.ConditionStatus) *corev1.Pod {
		return &corev1.Pod{Status: corev1.PodStatus{Conditions: []corev1.PodCondition{{Type: kind, Status: status}}}}
	}
	tests := []struct {
		name string
		pod  *corev1.Pod
		want bool
	}{
		{"ready", condition(corev1.PodReady, corev1.ConditionTrue), true},
		{"not ready", condition(corev1.PodReady, corev1.ConditionFalse), false},
		{"its node is not heard of", condition(corev1.PodReady, corev1.ConditionUnknown), false},
		{"another condition", condition(corev1.PodScheduled, corev1.ConditionTrue), false},
		{"no condition", &corev1.Pod{}, false},
	}
	for _, tt := range tests {
		if got := IsReady(tt.pod); got != tt.want {
			t.Errorf("%s: %v", tt.name, got)
		}
	}
}

func TestRunsUnready(t *testing.T) {
	tests := []struct {
		name       string
		containers []corev1.ContainerStatus
		want       bool
	}{
		{"one of two fails its probe", []corev1.ContainerStatus{running(true), running(false)}, true},
		{"all pass", []corev1.ContainerStatus{running(true)}, false},
		{"it does not run", []corev1.ContainerStatus{waiting("CrashLoopBackOff")}, false},
		{"nothing is known yet", nil, false},
	}
	for _, tt := range tests {
		pod := &corev1.Pod{Status: corev1.PodStatus{ContainerStatuses: tt.containers}}
		if got := RunsUnready(pod); got != tt.want {
			t.Errorf("%s: %v", tt.name, got)
		}
	}
}

func TestWhatAContainerWaitsFor(t *testing.T) {
	tests := []struct {
		reason       string
		image, crash bool
	}{
		{"ErrImagePull", true, false},
		{"ImagePullBackOff", true, false},
		{"ErrImageNeverPull", true, false},
		{"InvalidImageName", true, false},
		{"RegistryUnavailable", true, false},
		{"SignatureValidationFailed", true, false},
		{"ImageInspectError", true, false},
		{"CrashLoopBackOff", false, true},
		{"ContainerCreating", false, false},
		{"CreateContainerConfigError", false, false},
		{"", false, false},
	}
	for _, tt := range tests {
		container := waiting(tt.reason)
		if image, crash := LacksImage(container), IsCrashLooping(container); image != tt.image || crash != tt.crash {
			t.Errorf("%q: lacks its image %v, crash loop %v", tt.reason, image, crash)
		}
	}
	if container := running(true); LacksImage(container) || IsCrashLooping(container) {
		t.Error("a running container waits")
	}
}

func TestContainersAndRestarts(t *testing.T) {
	pod := &corev1.Pod{Status: corev1.PodStatus{
		InitContainerStatuses: []corev1.ContainerStatus{{Name: "migrate", RestartCount: 5}},
		ContainerStatuses:     []corev1.ContainerStatus{{Name: "app", RestartCount: 2}, {Name: "proxy", RestartCount: 1}},
	}}
	var names []string
	for _, container := range Containers(pod) {
		names = append(names, container.Name)
	}
	if diff := cmp.Diff([]string{"migrate", "app", "proxy"}, names); diff != "" {
		t.Errorf("containers (-want +got)\n%s", diff)
	}
	if got := Restarts(pod.Status); got != 3 {
		t.Errorf("%d restarts, want 3", got)
	}
}

func TestLastEnd(t *testing.T) {
	before := &corev1.ContainerStateTerminated{Reason: "OOMKilled"}
	now := &corev1.ContainerStateTerminated{Reason: "Error"}
	ended := corev1.ContainerStatus{
		State:                corev1.ContainerState{Terminated: now},
		LastTerminationState: corev1.ContainerState{Terminated: before},
	}
	again := running(true)
	again.LastTerminationState.Terminated = before
	for _, tt := range []struct {
		name      string
		container corev1.ContainerStatus
		want      *corev1.ContainerStateTerminated
		memory    bool
	}{
		{"it has just ended", ended, now, false},
		{"it runs again", again, before, true},
		{"it never ended", running(true), nil, false},
	} {
		if got := LastEnd(tt.container); got != tt.want || IsOutOfMemory(got) != tt.memory {
			t.Errorf("%s: %v, out of memory %v", tt.name, got, IsOutOfMemory(got))
		}
	}
}
