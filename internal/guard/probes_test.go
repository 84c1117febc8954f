package guard

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// withProbes is a Deployment with these probes; startup may be nil.
func withProbes(readiness, startup *corev1.Probe) *appsv1.Deployment {
	d := probed()
	d.Spec.Template.Spec.Containers[0].ReadinessProbe = readiness
	d.Spec.Template.Spec.Containers[0].StartupProbe = startup
	return d
}

// A release may be probed in its own way: whichever track notices an outage first, and whichever pod a restarted
// kubelet probes last, the canary is not to blame.
func TestOutagesUnderProbesOfAllKindsBlameNobody(t *testing.T) {
	const runs = 1500
	seed := uint64(20261130)
	for i := range runs {
		random := rand.New(rand.NewPCG(seed, uint64(i)))
		probe := func() *corev1.Probe {
			period := []int32{1, 2, 5, 10, 15, 30}[random.IntN(6)]
			return &corev1.Probe{PeriodSeconds: period, TimeoutSeconds: 1 + random.Int32N(min(period, 5)),
				FailureThreshold: 1 + random.Int32N(3), SuccessThreshold: 1 + random.Int32N(2)}
		}
		readiness := probe()
		var startup *corev1.Probe
		if random.IntN(2) == 0 {
			startup = &corev1.Probe{PeriodSeconds: 2 + random.Int32N(9), TimeoutSeconds: 1 + random.Int32N(3)}
		}
		s := newStage(random, []int{1, 2, 3, 6, 9}[i%5], 1+random.IntN(5))
		s.view.pods.Deployment = withProbes(readiness, startup)
		s.view.pods.StableDeployment = s.view.pods.Deployment
		if random.IntN(2) == 0 {
			s.view.pods.StableDeployment = withProbes(probe(), startup)
		}
		what := "the kubelet restarts"
		if i%3 == 0 {
			s.kubeletRestarts(fmt.Sprint(random.IntN(5)))
		} else {
			length := s.within(3 * time.Minute)
			what = fmt.Sprintf("outage of %v", length)
			s.outage(length)
		}
		if reason := s.blamed(); reason != "" {
			t.Fatalf("run %d, canary probed by %+v and %+v, stable by %+v, %s: %s", i, readiness, startup,
				s.view.pods.StableDeployment.Spec.Template.Spec.Containers[0].ReadinessProbe, what, reason)
		}
	}
}

func TestHold(t *testing.T) {
	guide := &corev1.Probe{PeriodSeconds: 5, TimeoutSeconds: 3}
	quick := &corev1.Probe{PeriodSeconds: 1, TimeoutSeconds: 1, FailureThreshold: 1}
	lax := &corev1.Probe{PeriodSeconds: 60, TimeoutSeconds: 10, FailureThreshold: 10}
	startup := &corev1.Probe{PeriodSeconds: 2, TimeoutSeconds: 1}
	for _, tt := range []struct {
		name           string
		canary, stable *appsv1.Deployment
		want           time.Duration
	}{
		{"the guide's", withProbes(guide, nil), withProbes(guide, nil), 8 * time.Second},
		{"with a startup probe", withProbes(guide, startup), withProbes(guide, startup), 11 * time.Second},
		{"a canary that notices at once beside a stable track that does not", withProbes(quick, nil),
			withProbes(guide, nil), 18 * time.Second},
		{"a stable track that notices at once", withProbes(guide, nil), withProbes(quick, nil), 8 * time.Second},
		{"defaults of the API server", withProbes(&corev1.Probe{}, nil), withProbes(&corev1.Probe{}, nil), 11 * time.Second},
		{"a stable track that takes ten minutes", withProbes(quick, nil), withProbes(lax, nil), aloneFor},
		{"no probe", withProbes(nil, nil), withProbes(nil, nil), leastLost},
		{"no stable track", withProbes(guide, nil), nil, 8 * time.Second},
	} {
		p := Pods{Deployment: tt.canary, StableDeployment: tt.stable, Stable: []*corev1.Pod{pod("s")}}
		if diff := cmp.Diff(tt.want, p.hold()); diff != "" {
			t.Errorf("%s (-want +got)\n%s", tt.name, diff)
		}
	}
}

// endedAt is a container that ended so often for that reason, the last time so long after the pod's birth, and runs.
func endedAt(times int32, reason string, after time.Duration) func(*corev1.Pod) {
	return func(p *corev1.Pod) {
		restarted(times, reason)(p)
		p.Status.ContainerStatuses[0].LastTerminationState.Terminated.FinishedAt = metav1.NewTime(born.Add(after))
	}
}

// Pods that share a trouble do not show it at the same moment, nor in the same way.
func TestTroubleAtDifferentTimesIsShared(t *testing.T) {
	loops := both(endedAt(2, "Error", time.Minute), waits("CrashLoopBackOff"))
	tests := []struct {
		name   string
		canary func(*corev1.Pod)
		stable func(*corev1.Pod)
		bad    int
		want   string
	}{
		{name: "stable's containers run again between two ends", canary: loops, stable: endedAt(1, "Error", 50*time.Second),
			bad: 6, want: "review crash-loop"},
		{name: "stable's containers ended once, an hour before", canary: loops,
			stable: endedAt(1, "Error", time.Minute-time.Hour), bad: 6, want: "rollback crash-loop"},
		{name: "stable fails its probes where the canary ends", canary: loops, stable: unready, bad: 9,
			want: "review crash-loop"},
		{name: "two of nine stable pods ended beside it", canary: loops, stable: endedAt(1, "Error", time.Minute), bad: 2,
			want: "rollback crash-loop"},
		{name: "stable ends where the canary fails its probes", canary: unready, stable: loops, bad: 9,
			want: "review readiness-lost"},
		{name: "stable was killed for its memory once so far", canary: endedAt(2, "OOMKilled", time.Hour),
			stable: endedAt(1, "OOMKilled", 10*time.Minute), bad: 5, want: "review oom-killed"},
		{name: "stable was killed for its memory once where the canary was nine times",
			canary: endedAt(9, "OOMKilled", time.Hour), stable: endedAt(1, "OOMKilled", 10*time.Minute), bad: 9,
			want: "rollback oom-killed"},
		{name: "a few stable pods were killed", canary: endedAt(2, "OOMKilled", time.Hour),
			stable: endedAt(2, "OOMKilled", time.Hour), bad: 4, want: "rollback oom-killed"},
		{name: "a sidecar takes the service with it", canary: both(unready, sidecarFails), stable: sidecarFails, bad: 1,
			want: "review crash-loop, review readiness-lost"},
		{name: "stable's nodes are silent", canary: unready, stable: lostNode, bad: 9, want: "rollback readiness-lost"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			p := Pods{Deployment: probed("istio-proxy")}
			p.Canary = p.many("c", 1, 1, tt.canary)
			p.Stable = p.many("s", 9, tt.bad, tt.stable)
			if got := judged(p); got != tt.want {
				t.Errorf("got %q, want %q", got, tt.want)
			}
		})
	}
}

// judged are the actions and causes of the findings.
func judged(p Pods) string {
	var list []string
	for _, finding := range p.Findings() {
		list = append(list, string(finding.Action)+" "+finding.Cause)
	}
	return strings.Join(list, ", ")
}
