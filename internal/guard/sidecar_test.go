package guard

import (
	"strings"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"

	"github.com/vextrus/finance-rollout/internal/names"
)

// meshed is a Deployment whose proxy comes before the service, with a native sidecar.
func meshed() *appsv1.Deployment {
	always := corev1.ContainerRestartPolicyAlways
	d := &appsv1.Deployment{}
	d.Spec.Template.Labels = map[string]string{names.App: "app"}
	d.Spec.Template.Spec.InitContainers = []corev1.Container{{Name: "tunnel", RestartPolicy: &always}}
	d.Spec.Template.Spec.Containers = []corev1.Container{{Name: "proxy", Image: "proxy@sha256:1111"},
		{Name: "app", Image: "finance@sha256:2222"}}
	return d
}

// beside adds a sidecar that runs and is ready.
func beside(change func(*corev1.ContainerStatus)) func(*corev1.Pod) {
	return func(p *corev1.Pod) {
		proxy := corev1.ContainerStatus{Name: "proxy", Ready: true,
			State: corev1.ContainerState{Running: &corev1.ContainerStateRunning{}}}
		change(&proxy)
		p.Status.ContainerStatuses = append([]corev1.ContainerStatus{proxy}, p.Status.ContainerStatuses...)
	}
}

// A sidecar's trouble asks for a look, wherever it stands in the pod; the service's own rolls back.
func TestTheServiceIsFoundByItsName(t *testing.T) {
	loops := corev1.ContainerState{Waiting: &corev1.ContainerStateWaiting{Reason: "CrashLoopBackOff"}}
	calm := func(*corev1.ContainerStatus) {}
	for name, tt := range map[string]struct {
		change func(*corev1.Pod)
		stuck  bool
		want   string
	}{
		"the proxy crashes": {beside(func(s *corev1.ContainerStatus) { s.State, s.RestartCount = loops, 4 }), false,
			"review crash-loop"},
		"the service crashes behind the proxy": {both(restarted(3, "Error"), waits("CrashLoopBackOff"), beside(calm)), false,
			"rollback crash-loop"},
		"a native sidecar crashes": {func(p *corev1.Pod) {
			p.Status.InitContainerStatuses = []corev1.ContainerStatus{{Name: "tunnel", RestartCount: 4, State: loops}}
		}, false, "review crash-loop"},
		"the proxy is not ready": {both(lostNode, beside(func(s *corev1.ContainerStatus) { s.Ready = false })), false,
			"review readiness-lost"},
		"the service is not ready beside the proxy": {both(unready, beside(calm)), false, "rollback readiness-lost"},
		"no progress, because the proxy is not ready": {both(lostNode, beside(func(s *corev1.ContainerStatus) {
			s.Ready = false
		})), true, "review no-progress"},
	} {
		p := Pods{Deployment: meshed()}
		p.Canary, p.Stable = p.many("c", 1, 1, tt.change), p.many("s", 9, 0, nil)
		if tt.stuck {
			stuck(p.Deployment)
			p.WasReady["c0"] = false
		}
		var got []string
		for _, finding := range p.Findings() {
			got = append(got, string(finding.Action)+" "+finding.Cause)
		}
		if strings.Join(got, ", ") != tt.want {
			t.Errorf("%s: got %q, want %q", name, got, tt.want)
		}
	}
}

func TestTheImageIsTheServices(t *testing.T) {
	v := newView(Config{})
	v.pods.Deployment = meshed()
	if got := v.image(); got != "sha256:2222" {
		t.Errorf("the Deployment runs %s", got)
	}
	injected := pod("c0", func(p *corev1.Pod) {
		p.Spec.Containers = []corev1.Container{{Name: "proxy", Image: "proxy@sha256:3333"},
			{Name: "app", Image: "finance@sha256:2222"}}
	})
	if got := v.podImage(injected); got != "sha256:2222" {
		t.Errorf("the pod runs %s", got)
	}
}
