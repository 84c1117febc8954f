package soak

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/vextrus/finance-rollout/internal/gate"
)

// The gate's crash loop is the guard's: an init container that fails again and again counts too.
func TestPodStates(t *testing.T) {
	looping := corev1.ContainerState{Waiting: &corev1.ContainerStateWaiting{Reason: "CrashLoopBackOff"}}
	pods := []corev1.Pod{
		{ObjectMeta: metav1.ObjectMeta{Name: "healthy"}},
		{ObjectMeta: metav1.ObjectMeta{Name: "restarted"}, Status: corev1.PodStatus{
			ContainerStatuses: []corev1.ContainerStatus{{RestartCount: 2}, {RestartCount: 1}}}},
		{ObjectMeta: metav1.ObjectMeta{Name: "looping"}, Status: corev1.PodStatus{
			ContainerStatuses: []corev1.ContainerStatus{{RestartCount: 4, State: looping}}}},
		{ObjectMeta: metav1.ObjectMeta{Name: "never started"}, Status: corev1.PodStatus{
			InitContainerStatuses: []corev1.ContainerStatus{{RestartCount: 4, State: looping}}}},
		{ObjectMeta: metav1.ObjectMeta{Name: "beside a sidecar", Labels: map[string]string{"app": "shop"}},
			Spec: corev1.PodSpec{Containers: []corev1.Container{{Name: "proxy"}, {Name: "shop"}}},
			Status: corev1.PodStatus{ContainerStatuses: []corev1.ContainerStatus{
				{Name: "proxy", RestartCount: 9, State: looping}, {Name: "shop", RestartCount: 1}}}},
	}
	want := []gate.PodState{
		{Name: "healthy"}, {Name: "restarted", Restarts: 3}, {Name: "looping", Restarts: 4, CrashLoop: true},
		{Name: "never started", CrashLoop: true}, {Name: "beside a sidecar", Restarts: 1},
	}
	if diff := cmp.Diff(want, podStates(pods)); diff != "" {
		t.Errorf("states (-want +got)\n%s", diff)
	}
}
