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
	// lostShare is the part of the canary's pods that must have lost their readiness, as one of so many.
	lostShare = 3
	// defaultPeriod and defaultTimeout are those of a probe that leaves them out, in seconds.
	defaultPeriod, defaultTimeout = 10, 1
)

// lost reports whether a pod fails its readiness probe after having been ready.
func (p Pods) lost(pod *corev1.Pod) bool {
	return pod.DeletionTimestamp == nil && p.WasReady[string(pod.UID)] && !podstate.IsReady(pod) &&
		podstate.RunsUnready(pod)
}

// hold is how long a readiness must stay lost before it is judged: a probe period and its timeout. Kubelets probe at
// times of their own, so that the pods of both tracks notice the same outage up to a period apart, and a kubelet that
// restarts needs a period to find its pods ready again.
func (p Pods) hold() time.Duration {
	hold := leastLost
	if p.Deployment == nil {
		return hold
	}
	for i := range p.Deployment.Spec.Template.Spec.Containers {
		if probe := p.Deployment.Spec.Template.Spec.Containers[i].ReadinessProbe; probe != nil {
			period, timeout := probe.PeriodSeconds, probe.TimeoutSeconds
			if period <= 0 {
				period = defaultPeriod
			}
			if timeout <= 0 {
				timeout = defaultTimeout
			}
			hold = max(hold, time.Duration(period+timeout)*time.Second)
		}
	}
	return hold
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
	hold := p.hold()
	held := slices.DeleteFunc(lost, func(pod *corev1.Pod) bool { return p.LostFor[string(pod.UID)] < hold })
	if len(held) == 0 {
		return nil
	}
	stable, _ := p.losses(p.Stable)
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
		canary, stable := notReady(p.Canary), notReady(p.Stable)
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

// notReady counts the pods that are not ready.
func notReady(pods []*corev1.Pod) share {
	var s share
	for _, pod := range pods {
		if pod.DeletionTimestamp == nil {
			if s.all++; !podstate.IsReady(pod) {
				s.bad++
			}
		}
	}
	return s
}
