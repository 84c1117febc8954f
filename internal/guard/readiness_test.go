package guard

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
)

// probed is a Deployment with production's readiness probe, every 5 seconds within 3.
func probed(containers ...string) *appsv1.Deployment {
	d := &appsv1.Deployment{}
	for _, name := range append([]string{"app"}, containers...) {
		d.Spec.Template.Spec.Containers = append(d.Spec.Template.Spec.Containers, corev1.Container{Name: name})
	}
	d.Spec.Template.Spec.Containers[0].ReadinessProbe = &corev1.Probe{PeriodSeconds: 5, TimeoutSeconds: 3}
	return d
}

// many makes pods of that name that were all ready; the first bad of them are changed.
func (p *Pods) many(name string, all, bad int, change func(*corev1.Pod)) []*corev1.Pod {
	if p.WasReady == nil {
		p.WasReady, p.LostFor = map[string]bool{}, map[string]time.Duration{}
	}
	var pods []*corev1.Pod
	for i := range all {
		pod := pod(fmt.Sprint(name, i))
		if i < bad {
			change(pod)
		}
		p.WasReady[string(pod.UID)], p.LostFor[string(pod.UID)] = true, time.Minute
		pods = append(pods, pod)
	}
	return pods
}

func on(node string) func(*corev1.Pod) {
	return func(p *corev1.Pod) { p.Spec.NodeName = node }
}

func both(changes ...func(*corev1.Pod)) func(*corev1.Pod) {
	return func(p *corev1.Pod) {
		for _, change := range changes {
			change(p)
		}
	}
}

// sidecarFails adds a container that somebody injected and that is in a crash loop.
func sidecarFails(p *corev1.Pod) {
	p.Status.ContainerStatuses = append(p.Status.ContainerStatuses, corev1.ContainerStatus{Name: "istio-proxy",
		RestartCount: 5, State: corev1.ContainerState{Waiting: &corev1.ContainerStateWaiting{Reason: "CrashLoopBackOff"}}})
}

func TestWhoIsToBlame(t *testing.T) {
	loops := both(restarted(3, "Error"), waits("CrashLoopBackOff"))
	tests := []struct {
		name              string
		canary, badCanary int
		stable, badStable int
		change            func(*corev1.Pod)
		deployment        *appsv1.Deployment
		more              func(*Pods)
		want              string
	}{
		{name: "1 of 60 pods unready for a minute", canary: 60, badCanary: 1, stable: 40, change: unready,
			want: "review readiness-lost"},
		{name: "1 of 60 pods unready for three minutes", canary: 60, badCanary: 1, stable: 40, change: unready,
			more: func(p *Pods) { p.LostFor["c0"] = 3 * time.Minute }, want: "rollback readiness-lost"},
		{name: "20 of 60 pods", canary: 60, badCanary: 20, stable: 40, change: unready, want: "rollback readiness-lost"},
		{name: "the only pod, for less than a period and a timeout", canary: 1, badCanary: 1, stable: 9, change: unready,
			deployment: probed(), more: func(p *Pods) { p.LostFor["c0"] = 7900 * time.Millisecond }, want: ""},
		{name: "the only pod, for a period and a timeout", canary: 1, badCanary: 1, stable: 9, change: unready,
			deployment: probed(), more: func(p *Pods) { p.LostFor["c0"] = 8 * time.Second }, want: "rollback readiness-lost"},
		{name: "the only pod and the stable pod of its node", canary: 1, badCanary: 1, stable: 9, badStable: 1,
			change: both(unready, on("n1")), want: "review readiness-lost"},
		{name: "two pods of one node, and one on another is ready", canary: 3, badCanary: 2, stable: 7,
			change: both(unready, on("n1")), more: func(p *Pods) { on("n2")(p.Canary[2]) }, want: "review readiness-lost"},
		{name: "two pods of one node whose stable pod is ready", canary: 3, badCanary: 2, stable: 7,
			change: both(unready, on("n1")), more: func(p *Pods) { on("n2")(p.Canary[2]); on("n1")(p.Stable[0]) },
			want: "rollback readiness-lost"},
		{name: "all pods, which have a node of their own", canary: 2, badCanary: 2, stable: 8,
			change: both(unready, on("n1")), want: "rollback readiness-lost"},
		{name: "crash loop of all ten pods", canary: 1, badCanary: 1, stable: 9, badStable: 9, change: loops,
			want: "review crash-loop"},
		{name: "crash loop of the canary beside one of nine stable pods", canary: 1, badCanary: 1, stable: 9, badStable: 1,
			change: loops, want: "rollback crash-loop"},
		{name: "killed for their memory on both tracks", canary: 1, badCanary: 1, stable: 9, badStable: 6,
			change: restarted(2, "OOMKilled"), want: "review oom-killed"},
		{name: "an injected sidecar in a crash loop everywhere", canary: 1, badCanary: 1, stable: 9, badStable: 9,
			change: sidecarFails, deployment: probed(), want: "review crash-loop"},
		{name: "the canary's sidecar in a crash loop", canary: 1, badCanary: 1, stable: 9, change: sidecarFails,
			deployment: probed("istio-proxy"), want: "review crash-loop"},
		{name: "a pod that was never ready beside one that is", canary: 2, badCanary: 1, stable: 8, change: loops,
			more: func(p *Pods) { p.WasReady["c0"] = false }, want: "review crash-loop"},
		{name: "a pod that was ready before, beside one that is", canary: 2, badCanary: 1, stable: 8, change: loops,
			want: "rollback crash-loop"},
		{name: "one restart before the watch and one kill in it", canary: 1, badCanary: 1, stable: 9,
			change: restarted(2, "OOMKilled"), more: func(p *Pods) { p.Restarts = map[string]int32{"c0/app": 1} },
			want: "review oom-killed"},
		{name: "a restart before the watch", canary: 1, badCanary: 1, stable: 9, change: restarted(2, "OOMKilled"),
			more: func(p *Pods) { p.Restarts = map[string]int32{"c0/app": 2} }, want: ""},
		{name: "no progress, and stable is not ready either", canary: 1, badCanary: 1, stable: 9, badStable: 9,
			change: unready, deployment: stuck(&appsv1.Deployment{}), more: func(p *Pods) { p.LostFor = nil },
			want: "review no-progress"},
		{name: "no progress of new pods beside ready ones", canary: 2, badCanary: 1, stable: 8, change: unready,
			deployment: stuck(&appsv1.Deployment{}), more: func(p *Pods) { p.WasReady["c0"] = false },
			want: "review no-progress"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			p := Pods{Deployment: tt.deployment}
			p.Canary = p.many("c", tt.canary, tt.badCanary, tt.change)
			p.Stable = p.many("s", tt.stable, tt.badStable, tt.change)
			if tt.more != nil {
				tt.more(&p)
			}
			var got []string
			for _, finding := range p.Findings() {
				got = append(got, string(finding.Action)+" "+finding.Cause)
			}
			if strings.Join(got, ", ") != tt.want {
				t.Errorf("got %q, want %q", got, tt.want)
			}
		})
	}
}

// A dependency of all pods fails at one moment. Each kubelet probes at its own phase, and the third probe that fails
// makes its pod unready, after up to its timeout. The canary is never blamed, whichever pods notice first.
func TestSharedOutagesBlameNobody(t *testing.T) {
	const runs, period, timeout = 10_000, 5.0, 3.0
	random := rand.New(rand.NewPCG(12, 4))
	hold := Pods{Deployment: probed()}.hold()
	for i := range runs {
		canary := []int{1, 3, 6}[i%3]
		p := Pods{Deployment: probed(), WasReady: map[string]bool{}}
		noticed := map[string]time.Duration{}
		slow := random.Float64() * timeout // how long a probe takes to fail in this outage
		for j := range 10 {
			pod := pod(fmt.Sprint(j))
			p.WasReady[pod.Name] = true
			noticed[pod.Name] = time.Duration((random.Float64()*period + 2*period + slow) * float64(time.Second))
			if j < canary {
				p.Canary = append(p.Canary, pod)
			} else {
				p.Stable = append(p.Stable, pod)
			}
		}
		for _, first := range p.Canary {
			at := noticed[first.Name] + hold // the first moment at which this pod counts
			p.LostFor = map[string]time.Duration{}
			for _, pods := range [][]*corev1.Pod{p.Canary, p.Stable} {
				for _, pod := range pods {
					pod.Status.Conditions[0].Status, pod.Status.ContainerStatuses[0].Ready = corev1.ConditionTrue, true
					if noticed[pod.Name] <= at {
						unready(pod)
						p.LostFor[pod.Name] = at - noticed[pod.Name]
					}
				}
			}
			for _, finding := range p.Findings() {
				if finding.Action == RollBack {
					t.Fatalf("run %d: %s", i, finding.Reason)
				}
			}
		}
	}
}

// A pod is judged by its past as well: whether it was ever seen ready.
func TestTheViewRemembersLossesAndRestarts(t *testing.T) {
	begin := time.Unix(1000, 0)
	v := newView(Config{})
	p := pod("c1", restarted(2, "Error"))
	v.pods.Canary = []*corev1.Pod{p}
	v.remember(begin)
	v.listed = true
	unready(p)
	v.remember(begin.Add(time.Second))
	v.remember(begin.Add(4 * time.Second))
	if v.pods.LostFor["c1"] != 3*time.Second || v.pods.Restarts["c1/app"] != 2 {
		t.Errorf("lost for %v, restarts %v", v.pods.LostFor, v.pods.Restarts)
	}
	late := pod("c2", restarted(1, "Error"))
	p.Status.Conditions[0].Status, p.Status.ContainerStatuses[0].Ready = corev1.ConditionTrue, true
	v.pods.Canary = append(v.pods.Canary, late)
	v.remember(begin.Add(5 * time.Second))
	if _, lost := v.lostSince["c1"]; lost || v.pods.Restarts["c2/app"] != 0 {
		t.Errorf("lost since %v, restarts %v", v.lostSince, v.pods.Restarts)
	}
	v.pods.Canary = nil
	v.remember(begin.Add(6 * time.Second))
	if len(v.lostSince)+len(v.pods.Restarts)+len(v.pods.WasReady) > 0 {
		t.Errorf("pods that are gone are remembered: %v, %v", v.lostSince, v.pods.Restarts)
	}
}
