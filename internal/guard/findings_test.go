package guard

import (
	"strings"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
)

var born = time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC)

// pod makes a pod that runs and is ready.
func pod(name string, change ...func(*corev1.Pod)) *corev1.Pod {
	p := &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Name: name, UID: types.UID(name)},
		Status: corev1.PodStatus{
			Phase: corev1.PodRunning,
			Conditions: []corev1.PodCondition{{Type: corev1.PodReady, Status: corev1.ConditionTrue,
				LastTransitionTime: metav1.NewTime(born)}},
			ContainerStatuses: []corev1.ContainerStatus{{
				Name: "app", Ready: true,
				State: corev1.ContainerState{Running: &corev1.ContainerStateRunning{StartedAt: metav1.NewTime(born)}},
			}},
		},
	}
	for _, c := range change {
		c(p)
	}
	return p
}

func waits(reason string) func(*corev1.Pod) {
	return func(p *corev1.Pod) {
		p.Status.ContainerStatuses[0].State = corev1.ContainerState{Waiting: &corev1.ContainerStateWaiting{Reason: reason}}
		unready(p)
	}
}

func restarted(times int32, reason string) func(*corev1.Pod) {
	return func(p *corev1.Pod) {
		p.Status.ContainerStatuses[0].RestartCount = times
		p.Status.ContainerStatuses[0].LastTerminationState.Terminated = &corev1.ContainerStateTerminated{Reason: reason,
			ExitCode: 1}
	}
}

func unready(p *corev1.Pod) {
	p.Status.Conditions[0].Status = corev1.ConditionFalse
	p.Status.ContainerStatuses[0].Ready = false
}

// lostNode is unready although its containers are: nobody has heard of the node.
func lostNode(p *corev1.Pod) { p.Status.Conditions[0].Status = corev1.ConditionFalse }

func leaves(p *corev1.Pod) { now := metav1.NewTime(born); p.DeletionTimestamp = &now }

func stuck(p *appsv1.Deployment) *appsv1.Deployment {
	p.Status.Conditions = []appsv1.DeploymentCondition{{Type: appsv1.DeploymentProgressing,
		Reason: "ProgressDeadlineExceeded", Status: corev1.ConditionFalse}}
	return p
}

func TestFindings(t *testing.T) {
	ready := map[string]bool{"c1": true, "c2": true, "s1": true, "s2": true, "s3": true}
	healthy := []*corev1.Pod{pod("s1"), pod("s2"), pod("s3")}
	tests := []struct {
		name string
		pods Pods
		want string // action and cause of each finding
	}{
		{"nobody", Pods{}, ""},
		{"healthy", Pods{Canary: []*corev1.Pod{pod("c1")}, Stable: healthy, WasReady: ready}, ""},
		{"crash loop", Pods{Canary: []*corev1.Pod{pod("c1", restarted(3, "Error"), waits("CrashLoopBackOff"))}},
			"rollback crash-loop"},
		{"crash loop of a pod that leaves", Pods{Canary: []*corev1.Pod{pod("c1", restarted(3, "Error"),
			waits("CrashLoopBackOff"), leaves)}}, ""},
		{"one restart", Pods{Canary: []*corev1.Pod{pod("c1", restarted(1, "Error"))}}, "review restart"},
		{"killed for its memory once", Pods{Canary: []*corev1.Pod{pod("c1", restarted(1, "OOMKilled"))}},
			"review oom-killed"},
		{"killed for its memory twice", Pods{Canary: []*corev1.Pod{pod("c1", restarted(2, "OOMKilled"))}},
			"rollback oom-killed"},
		{"image that cannot be pulled", Pods{Canary: []*corev1.Pod{pod("c1", waits("ImagePullBackOff"))}},
			"review image-pull"},
		{"image that is not on the node and must not be pulled", Pods{Canary: []*corev1.Pod{pod("c1",
			waits("ErrImageNeverPull"))}}, "review image-pull"},
		{"registry that is away", Pods{Canary: []*corev1.Pod{pod("c1", waits("RegistryUnavailable"))}},
			"review image-pull"},
		{"pod that starts", Pods{Canary: []*corev1.Pod{pod("c3", waits("ContainerCreating"))}, WasReady: ready}, ""},
		{"never ready", Pods{Canary: []*corev1.Pod{pod("c3", unready)}, WasReady: ready}, ""},
		{"readiness lost", Pods{Canary: []*corev1.Pod{pod("c1", unready), pod("c2")}, Stable: healthy, WasReady: ready},
			"rollback readiness-lost"},
		{"readiness lost by a pod that leaves", Pods{Canary: []*corev1.Pod{pod("c1", unready, leaves)}, WasReady: ready}, ""},
		{"node lost", Pods{Canary: []*corev1.Pod{pod("c1", lostNode)}, Stable: healthy, WasReady: ready}, ""},
		{"readiness lost by both tracks", Pods{
			Canary: []*corev1.Pod{pod("c1", unready)}, Stable: []*corev1.Pod{pod("s1", unready), pod("s2", unready), pod("s3")},
			WasReady: ready,
		}, "review readiness-lost"},
		{"one of three stable pods is unready too", Pods{
			Canary:   []*corev1.Pod{pod("c1", unready), pod("c2", unready)},
			Stable:   []*corev1.Pod{pod("s1", unready), pod("s2"), pod("s3")},
			WasReady: map[string]bool{"c1": true, "c2": true, "s1": true, "s2": true, "s3": true},
		}, "rollback readiness-lost"},
		{"no progress, containers run", Pods{Canary: []*corev1.Pod{pod("c3", unready)},
			Deployment: stuck(&appsv1.Deployment{})}, "rollback no-progress"},
		{"no progress, image missing", Pods{Canary: []*corev1.Pod{pod("c3", waits("ErrImagePull"))},
			Deployment: stuck(&appsv1.Deployment{})},
			"review image-pull, review no-progress"},
		{"no progress, no pod", Pods{Deployment: stuck(&appsv1.Deployment{})}, "review no-progress"},
		{"crash loop of an init container", Pods{Canary: []*corev1.Pod{pod("c1", func(p *corev1.Pod) {
			p.Status.InitContainerStatuses = []corev1.ContainerStatus{{RestartCount: 4,
				State: corev1.ContainerState{Waiting: &corev1.ContainerStateWaiting{Reason: "CrashLoopBackOff"}}}}
		})}}, "rollback crash-loop"},
		{"stable's crash loop", Pods{Canary: []*corev1.Pod{pod("c1")},
			Stable: []*corev1.Pod{pod("s1", waits("CrashLoopBackOff"))}, WasReady: ready}, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var got []string
			if tt.pods.LostFor == nil {
				tt.pods.LostFor = lostFor(time.Minute, "c1", "c2", "c3", "s1", "s2", "s3")
			}
			for _, finding := range tt.pods.Findings() {
				got = append(got, string(finding.Action)+" "+finding.Cause)
				if finding.Reason == "" || finding.Subject == "" && finding.Cause != CauseProgress {
					t.Errorf("a finding has no reason: %+v", finding)
				}
			}
			if strings.Join(got, ", ") != tt.want {
				t.Errorf("got %q, want %q", got, tt.want)
			}
		})
	}
}

// lostFor says that the pods' readiness is lost for that long, if it is.
func lostFor(long time.Duration, pods ...string) map[string]time.Duration {
	lost := map[string]time.Duration{}
	for _, pod := range pods {
		lost[pod] = long
	}
	return lost
}

func TestBecameUnready(t *testing.T) {
	later := func(p *corev1.Pod) { p.Status.Conditions[0].LastTransitionTime = metav1.NewTime(born.Add(time.Minute)) }
	tests := []struct {
		name string
		pod  *corev1.Pod
		want bool
	}{
		{"ready", pod("c1"), false},
		{"not ready yet", pod("c1", unready), false},
		{"lost it", pod("c1", unready, later), true},
		{"container waits", pod("c1", waits("CrashLoopBackOff"), later), false},
		{"no container", pod("c1", unready, later, func(p *corev1.Pod) { p.Status.ContainerStatuses = nil }), false},
	}
	for _, tt := range tests {
		if got := becameUnready(tt.pod); got != tt.want {
			t.Errorf("%s: %v", tt.name, got)
		}
	}
}
