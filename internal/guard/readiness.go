package guard

import (
	"fmt"
	"slices"
	"strings"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"

	"github.com/vextrus/finance-rollout/internal/kube/podstate"
)

const (
	// leastLost is the least time that a readiness must stay lost before it speaks against a canary.
	leastLost = time.Second
	// aloneFor is how long one pod's readiness must stay lost when the share of such pods is below lostShare.
	aloneFor = 3 * time.Minute
	// reportSlack is how much later than another kubelet one may report what it found at the same time.
	reportSlack = time.Second
	// lostShare is the part of the canary's pods that must have lost their readiness, as one of so many.
	lostShare = 3
)

// lost reports whether a pod fails its readiness probe after having been ready.
func (p Pods) lost(pod *corev1.Pod) bool {
	return pod.DeletionTimestamp == nil && p.WasReady[string(pod.UID)] && !podstate.IsReady(pod) &&
		podstate.RunsUnready(pod)
}

// shared counts the stable pods that share the canary's loss: those that are down, and those that have regained their
// readiness just now. Pods regain it at times of their own, too.
func (p Pods) shared() (s share) {
	for _, pod := range p.Stable {
		if pod.DeletionTimestamp != nil || !p.WasReady[string(pod.UID)] {
			continue
		}
		s.all++
		since, regained := p.Regained[string(pod.UID)]
		if p.isDown(pod) || regained && since <= p.hold()+reportSlack {
			s.bad++
		}
	}
	return s
}

// isDown reports whether a pod that was ready is not any more, and its containers show it: they fail their probes, or
// have ended and start again. The containers of a pod whose node has gone silent are ready.
func (p Pods) isDown(pod *corev1.Pod) bool {
	return pod.DeletionTimestamp == nil && p.WasReady[string(pod.UID)] && !podstate.IsReady(pod) &&
		slices.ContainsFunc(pod.Status.ContainerStatuses, func(status corev1.ContainerStatus) bool { return !status.Ready })
}

// isLostFor reports whether a pod's readiness is lost for long enough to be judged. A container that started again
// after the loss has to start up first.
func (p Pods) isLostFor(pod *corev1.Pod) bool {
	hold := p.hold()
	if p.startsAgain(pod) {
		hold = aloneFor
	}
	return p.LostFor[string(pod.UID)] >= hold
}

// startsAgain reports whether the service's own container has started again since the pod was ready, or is taken for
// one that starts: a kubelet that restarts repeats the startup probe of a container that has run all along. Both times
// are those of the pod's kubelet.
func (p Pods) startsAgain(pod *corev1.Pod) bool {
	i := slices.IndexFunc(pod.Status.Conditions, func(c corev1.PodCondition) bool { return c.Type == corev1.PodReady })
	return i >= 0 && slices.ContainsFunc(pod.Status.ContainerStatuses, func(status corev1.ContainerStatus) bool {
		if !p.isOwn(status.Name) || !podstate.IsUnready(status) {
			return false
		}
		started := status.State.Running.StartedAt.Time
		return status.Started != nil && !*status.Started || status.RestartCount > 0 &&
			!started.Add(reportSlack).Before(pod.Status.Conditions[i].LastTransitionTime.Time)
	})
}

// losses counts the pods that have lost their readiness among those that were ever ready.
func (p Pods) losses(pods []*corev1.Pod) (s share, lost []*corev1.Pod) {
	for _, pod := range pods {
		if pod.DeletionTimestamp != nil || !p.WasReady[string(pod.UID)] {
			continue
		}
		s.all++
		if p.lost(pod) {
			s.bad++
			lost = append(lost, pod)
		}
	}
	return s, lost
}

// readiness judges the readiness that was lost. All who lost it count for stable, and for the canary those who have
// lost it for long enough: at the end of that time both tracks have noticed a shared outage.
func (p Pods) readiness() []Finding {
	canary, lost := p.losses(p.Canary)
	held := slices.DeleteFunc(lost, func(pod *corev1.Pod) bool { return !p.isLostFor(pod) })
	if len(held) == 0 {
		return nil
	}
	stable := p.shared()
	alone := slices.ContainsFunc(held, func(pod *corev1.Pod) bool { return p.LostFor[string(pod.UID)] >= aloneFor })
	pods := namesOf(held)
	finding := Finding{
		Action: RollBack, Cause: CauseReadiness, Subject: strings.Join(pods, ","),
		Reason: fmt.Sprintf("the readiness probe fails in %s, which was ready before", strings.Join(pods, ", ")),
	}
	switch nodes := p.failingNodes(); {
	case !slices.ContainsFunc(held, p.runsUnready):
		finding.Action = Review
		finding.Reason += ", but the release's own container is ready: a sidecar fails"
	case !slices.ContainsFunc(held, func(pod *corev1.Pod) bool { return !p.sidecarFails(pod) }):
		finding.Action = Review
		finding.Reason += ", but so does a sidecar of each of them, which the release may need to answer"
	case stable.isAsBadAs(canary):
		finding.Action = Review
		finding.Reason += fmt.Sprintf(", but also in %d of %d stable pods: %s", stable.bad, stable.all, sharedTrouble)
	case len(nodes) > 0 && !slices.ContainsFunc(held, func(pod *corev1.Pod) bool { return !nodes[pod.Spec.NodeName] }):
		finding.Action = Review
		finding.Reason += ", and in all other pods of its node: the node is in trouble, not the canary"
	case len(held)*lostShare < canary.all && !alone:
		finding.Action = Review
		finding.Reason += fmt.Sprintf("; %d of %d pods are too few to blame the release before they have failed for %v",
			len(held), canary.all, aloneFor)
	}
	return []Finding{finding}
}

// failingNodes are the nodes on which all pods of the rollout, at least two, have lost their readiness, among them a
// stable one, or while pods of the canary are ready on other nodes.
func (p Pods) failingNodes() map[string]bool {
	type node struct {
		all, lost, stable int
	}
	nodes := map[string]*node{}
	ready := map[string]bool{}
	for i, pods := range [][]*corev1.Pod{p.Canary, p.Stable} {
		for _, pod := range pods {
			if pod.DeletionTimestamp != nil || pod.Spec.NodeName == "" {
				continue
			}
			at := nodes[pod.Spec.NodeName]
			if at == nil {
				at = &node{}
				nodes[pod.Spec.NodeName] = at
			}
			at.all++
			switch {
			case p.lost(pod):
				at.lost++
				at.stable += i
			case i == 0 && podstate.IsReady(pod):
				ready[pod.Spec.NodeName] = true
			}
		}
	}
	failing := map[string]bool{}
	for name, at := range nodes {
		if at.all >= 2 && at.lost == at.all && (at.stable > 0 || len(ready) > 0) {
			failing[name] = true
		}
	}
	return failing
}

func namesOf(pods []*corev1.Pod) []string {
	var names []string
	for _, pod := range pods {
		names = append(names, pod.Name)
	}
	return names
}

// progress judges the Deployment's progress condition.
func (p Pods) progress() (Finding, bool) {
	if p.Deployment == nil {
		return Finding{}, false
	}
	for _, condition := range p.Deployment.Status.Conditions {
		if condition.Type != appsv1.DeploymentProgressing || condition.Reason != "ProgressDeadlineExceeded" {
			continue
		}
		finding := Finding{Action: Review, Cause: CauseProgress, Subject: p.Deployment.Name,
			Reason: fmt.Sprintf("deployment %s makes no progress: %.200s", p.Deployment.Name, condition.Message)}
		unready := func(pod *corev1.Pod) bool { return !podstate.IsReady(pod) }
		canary, stable := countOf(p.Canary, unready), countOf(p.Stable, unready)
		i := slices.IndexFunc(p.Canary, func(pod *corev1.Pod) bool {
			return pod.DeletionTimestamp == nil && p.runsUnready(pod)
		})
		switch {
		case i < 0:
		case stable.isAsBadAs(canary):
			finding.Reason += fmt.Sprintf("; %d of %d stable pods are not ready either: %s", stable.bad, stable.all,
				sharedTrouble)
		case p.hasReady():
			finding.Reason += fmt.Sprintf("; pod %s runs and fails its readiness probe, but other pods of the same release are "+
				"ready", p.Canary[i].Name)
		default:
			finding.Action = RollBack
			finding.Reason += fmt.Sprintf("; pod %s runs and fails its readiness probe", p.Canary[i].Name)
		}
		return finding, true
	}
	return Finding{}, false
}
