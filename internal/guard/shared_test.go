package guard

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// change is what the API server shows of a pod from a time on.
type change struct {
	at  time.Duration
	pod *corev1.Pod
	do  func(*corev1.Pod)
}

// stage is a rollout of ten pods with production's probes, to which something happens that is nobody's fault.
type stage struct {
	random  *rand.Rand
	view    view
	changes []change
}

// probed are the times of the probes of a pod's track: production's, where it has no others.
func (s *stage) probed(pod *corev1.Pod) (readiness, startup *corev1.Probe) {
	deployment := s.view.pods.Deployment
	if slices.Contains(s.view.pods.Stable, pod) && s.view.pods.StableDeployment != nil {
		deployment = s.view.pods.StableDeployment
	}
	container := deployment.Spec.Template.Spec.Containers[0]
	return container.ReadinessProbe, container.StartupProbe
}

func seconds(n int32) time.Duration { return time.Duration(n) * time.Second }

func (s *stage) within(d time.Duration) time.Duration {
	return time.Duration(s.random.Float64() * float64(d))
}

func newStage(random *rand.Rand, canary, nodes int) *stage {
	s := &stage{random: random, view: newView(Config{})}
	s.view.pods.Deployment = probed()
	for i := range 10 {
		pod := pod(fmt.Sprint(i), on(fmt.Sprint(random.IntN(nodes))))
		if i < canary {
			s.view.pods.Canary = append(s.view.pods.Canary, pod)
		} else {
			s.view.pods.Stable = append(s.view.pods.Stable, pod)
		}
	}
	return s
}

func (s *stage) pods() []*corev1.Pod { return slices.Concat(s.view.pods.Canary, s.view.pods.Stable) }

// shows lets the API server show a change after the delay of a kubelet's report.
func (s *stage) shows(at time.Duration, pod *corev1.Pod, do func(*corev1.Pod)) {
	s.changes = append(s.changes, change{at + s.within(500*time.Millisecond), pod, do})
}

// outage lets the dependency fail of which every pod's readiness asks. A probe fails after the time that the outage
// makes it wait, at most its timeout; the third in a row, or as many as the probe says, takes the readiness, and as
// many good ones as it says give it back.
func (s *stage) outage(length time.Duration) {
	waits := s.random.Float64()
	for _, pod := range s.pods() {
		probe, _ := s.probed(pod)
		period, timeout := seconds(probe.PeriodSeconds), seconds(probe.TimeoutSeconds)
		wait := time.Duration(waits * float64(timeout))
		most, least := max(probe.FailureThreshold, 1), max(probe.SuccessThreshold, 1)
		if probe.FailureThreshold == 0 {
			most = 3
		}
		failed, good, lost := int32(0), int32(0), time.Duration(0)
		for at := s.within(period); at < length+time.Duration(least+1)*period; at += period {
			if at < length {
				good = 0
				if failed++; failed == most {
					// A probe begins when the one before it has ended: what is shown later stays later.
					lost = at + wait + 500*time.Millisecond
					s.shows(at+wait, pod, func(p *corev1.Pod) { isReady(p, false, at) })
				}
				continue
			}
			if good++; failed >= most && good == least {
				s.shows(max(at+s.within(100*time.Millisecond), lost), pod, func(p *corev1.Pod) { isReady(p, true, at) })
			}
			if good >= least || failed < most {
				failed = 0
			}
		}
	}
}

// kubeletRestarts makes the pods of a node unready until the kubelet has probed them, first by their startup probes.
func (s *stage) kubeletRestarts(node string) {
	for _, pod := range s.pods() {
		if pod.Spec.NodeName != node {
			continue
		}
		readiness, startup := s.probed(pod)
		starts := func(p *corev1.Pod, started bool) { p.Status.ContainerStatuses[0].Started = &started }
		at := time.Duration(0)
		s.changes = append(s.changes, change{at, pod, func(p *corev1.Pod) {
			isReady(p, false, 0)
			starts(p, startup == nil)
		}})
		if startup != nil {
			at += s.within(seconds(startup.PeriodSeconds) + seconds(startup.TimeoutSeconds))
			s.changes = append(s.changes, change{at, pod, func(p *corev1.Pod) { starts(p, true) }})
		}
		at += s.within(seconds(readiness.PeriodSeconds) + seconds(readiness.TimeoutSeconds)/2)
		s.changes = append(s.changes, change{at, pod, func(p *corev1.Pod) { isReady(p, true, 0) }})
	}
}

// nodeRestarts takes a node away for a while. Its containers start again, and take their time for it.
func (s *stage) nodeRestarts(node string) {
	back := 30*time.Second + s.within(time.Minute)
	start := 5*time.Second + s.within(time.Minute)
	for _, pod := range s.pods() {
		if pod.Spec.NodeName != node {
			continue
		}
		s.shows(40*time.Second, pod, lostNode)
		at := max(back, 41*time.Second) + s.within(3*time.Second)
		s.shows(at, pod, func(p *corev1.Pod) {
			isReady(p, false, at)
			restarted(1, "Unknown")(p)
			p.Status.ContainerStatuses[0].State.Running.StartedAt = metav1.NewTime(born.Add(at))
		})
		ready := at + start + s.within(5*time.Second)
		s.shows(ready, pod, func(p *corev1.Pod) { isReady(p, true, ready) })
	}
}

func isReady(p *corev1.Pod, ready bool, at time.Duration) {
	p.Status.Conditions[0].Status = corev1.ConditionFalse
	if ready {
		p.Status.Conditions[0].Status = corev1.ConditionTrue
	}
	p.Status.Conditions[0].LastTransitionTime = metav1.NewTime(born.Add(at))
	p.Status.ContainerStatuses[0].Ready = ready
}

// blamed is the finding that rolls the canary back; empty for none. The guard looks at every change and every second.
func (s *stage) blamed() string {
	s.view.remember(born.Add(-time.Minute))
	s.view.listed = true
	slices.SortFunc(s.changes, func(a, b change) int { return int(a.at - b.at) })
	look := func(at time.Duration) string {
		s.view.remember(born.Add(at))
		for _, finding := range s.view.pods.Findings() {
			if finding.Action == RollBack {
				return fmt.Sprintf("after %v: %s: %s", at, finding.Cause, finding.Reason)
			}
		}
		return ""
	}
	next := 0
	for at := time.Duration(0); next < len(s.changes); at += time.Second {
		for ; next < len(s.changes) && s.changes[next].at <= at; next++ {
			s.changes[next].do(s.changes[next].pod)
			if reason := look(s.changes[next].at); reason != "" {
				return reason
			}
		}
		if reason := look(at); reason != "" {
			return reason
		}
	}
	return ""
}

// Outages of a dependency of all pods, from their beginning to their end, and restarts of kubelets and nodes: whichever
// pods notice first, and whichever recover last, the canary is not to blame.
func TestSharedTroubleAndRestartsBlameNobody(t *testing.T) {
	const runs = 10_000
	seed := uint64(20261129)
	for i := range runs {
		random := rand.New(rand.NewPCG(seed, uint64(i)))
		s := newStage(random, []int{1, 3, 6}[i%3], 1+random.IntN(5))
		var what string
		switch node := fmt.Sprint(random.IntN(5)); i % 5 {
		case 0:
			what = "kubelet"
			s.kubeletRestarts(node)
		case 1:
			what = "node"
			s.nodeRestarts(node)
		default:
			length := []time.Duration{5 * time.Second, 20 * time.Second, time.Minute, s.within(2 * time.Minute)}[random.IntN(4)]
			what = fmt.Sprintf("outage of %v", length)
			s.outage(length)
		}
		if reason := s.blamed(); reason != "" {
			t.Fatalf("seed %d, run %d, %s: %s", seed, i, what, reason)
		}
	}
}

// A canary alone that loses its readiness for good is blamed after a probe's period and timeout, also in the wake of an
// outage that all pods shared; and one whose container does not come back from a restart, within minutes.
func TestACanaryThatIsUnreadyAloneIsBlamed(t *testing.T) {
	for _, tt := range []struct {
		name   string
		happen func(*stage)
		within time.Duration
	}{
		{"alone", func(s *stage) { s.shows(0, s.view.pods.Canary[0], unready) }, 10 * time.Second},
		{"it stays unready after an outage", func(s *stage) {
			s.outage(20 * time.Second)
			s.changes = slices.DeleteFunc(s.changes, func(c change) bool {
				return c.pod == s.view.pods.Canary[0] && c.at >= 20*time.Second
			})
		}, 50 * time.Second},
		{"it does not come back from a restart", func(s *stage) {
			s.shows(0, s.view.pods.Canary[0], func(p *corev1.Pod) {
				isReady(p, false, 0)
				restarted(1, "Error")(p)
			})
		}, 200 * time.Second},
	} {
		s := newStage(rand.New(rand.NewPCG(1, 2)), 1, 3)
		tt.happen(s)
		s.changes = append(s.changes, change{tt.within, s.view.pods.Canary[0], func(*corev1.Pod) {}})
		if s.blamed() == "" {
			t.Errorf("%s: not blamed within %v", tt.name, tt.within)
		}
	}
}
