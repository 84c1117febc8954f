package guard

import (
	"fmt"
	"slices"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"

	"github.com/vextrus/finance-rollout/internal/kube/podstate"
	"github.com/vextrus/finance-rollout/internal/names"
)

// Action is the response that a finding asks for.
type Action string

const (
	// RollBack takes the canary out of traffic.
	RollBack Action = "rollback"
	// Review asks a person to look. Like the deployment guide, the guard rolls back for errors, crash loops and failing
	// health checks, and leaves latency and single restarts to people.
	Review Action = "review"
)

// Causes of findings, as the metrics count them.
const (
	CauseErrors    = "errors"
	CauseLatency   = "latency"
	CauseCrashLoop = "crash-loop"
	CauseOOM       = "oom-killed"
	CauseRestart   = "restart"
	CauseReadiness = "readiness-lost"
	CauseImage     = "image-pull"
	CauseProgress  = "no-progress"
	CauseAlert     = "alert"
	CauseSoak      = "soak"
	CauseLatched   = "latched"
	CauseImpostor  = "impostor"
	CauseShared    = "shared"
	CauseLimited   = "limited"
	CauseSilent    = "stable-silent"
	CauseUncounted = "uncounted"
	CauseUnseen    = "unseen"
)

// Finding is one observation that speaks against a canary.
type Finding struct {
	Action Action
	Cause  string
	// Subject is the pod or alert that it is about. Cause and Subject together identify the finding.
	Subject string
	Reason  string
}

// Pods are the pods of a rollout, and what was seen of them before.
type Pods struct {
	// Canary and Stable are the pods of the tracks' Deployments.
	Canary, Stable []*corev1.Pod
	// WasReady holds, by UID, whether a pod has ever been seen ready.
	WasReady map[string]bool
	// LostFor holds, by UID, how long a pod's readiness has been lost.
	LostFor map[string]time.Duration
	// Regained holds, by UID, how long ago a pod's readiness came back after a loss.
	Regained map[string]time.Duration
	// Restarts holds the restarts of the containers when the pod was first seen, by [containerKey]: what happened before
	// the watch is no evidence.
	Restarts map[string]int32
	// Deployment is the canary's, StableDeployment the stable track's; nil when it does not exist.
	Deployment, StableDeployment *appsv1.Deployment
}

// containerKey names a container of a pod.
func containerKey(pod *corev1.Pod, container string) string { return string(pod.UID) + "/" + container }

// Findings judges the pods. It is a pure function.
//
// A crash loop and a repeated OOM kill of the service's own container roll back, and so does a readiness that is lost
// for longer than a probe needs to notice, by a share of the pods or by one pod for minutes. None of them does when
// stable is as badly off, when pods of the same release are ready beside pods that never were, or when all pods of a
// node fail together. A single restart asks for review, as a sidecar's trouble does. Pods that are being deleted do not
// count, nor do pods whose containers are ready on a node that has gone silent. An image that cannot be pulled takes no
// requests and asks for review. A Deployment that makes no progress rolls back when its containers run without becoming
// ready: its health checks fail.
func (p Pods) Findings() []Finding {
	var list []Finding
	for _, pod := range p.Canary {
		if pod.DeletionTimestamp != nil {
			continue
		}
		for _, status := range podstate.Containers(pod) {
			if finding, ok := p.ofContainer(pod, status); ok {
				list = append(list, finding)
			}
		}
	}
	list = append(list, p.readiness()...)
	if finding, ok := p.progress(); ok {
		list = append(list, finding)
	}
	return list
}

func (p Pods) ofContainer(pod *corev1.Pod, status corev1.ContainerStatus) (Finding, bool) {
	last := podstate.LastEnd(status)
	ended := ""
	if last != nil {
		ended = fmt.Sprintf("; it last ended with %s, exit code %d", last.Reason, last.ExitCode)
	}
	restarts := p.restarts(pod, status)
	killed := podstate.IsOutOfMemory(last) && (restarts > 0 || status.State.Terminated != nil)
	finding := Finding{Action: Review, Subject: pod.Name}
	switch {
	case podstate.IsCrashLooping(status):
		finding.Action, finding.Cause = RollBack, CauseCrashLoop
		finding.Reason = fmt.Sprintf("pod %s is in a crash loop (%d restarts%s)", pod.Name, status.RestartCount, ended)
	case killed && restarts >= 2:
		finding.Action, finding.Cause = RollBack, CauseOOM
		finding.Reason = fmt.Sprintf("pod %s was killed repeatedly for lack of memory (%d restarts)", pod.Name, restarts)
	case killed:
		finding.Cause, finding.Reason = CauseOOM, fmt.Sprintf("pod %s was killed for lack of memory (%d restarts)",
			pod.Name, restarts)
	case restarts > 0:
		finding.Cause, finding.Reason = CauseRestart, fmt.Sprintf("pod %s restarted (%d times%s)", pod.Name, restarts, ended)
	case podstate.LacksImage(status):
		finding.Cause, finding.Reason = CauseImage, fmt.Sprintf("pod %s cannot start: %s: %.200s", pod.Name,
			status.State.Waiting.Reason, status.State.Waiting.Message)
	default:
		return Finding{}, false
	}
	if finding.Action == RollBack {
		p.excuse(&finding, pod, status)
	}
	return finding, true
}

// restarts counts the restarts of a container since the watch began.
func (p Pods) restarts(pod *corev1.Pod, status corev1.ContainerStatus) int32 {
	return max(status.RestartCount-p.Restarts[containerKey(pod, status.Name)], 0)
}

// excuse turns a finding about a container that ends again and again into a review when the release is not to blame.
func (p Pods) excuse(finding *Finding, pod *corev1.Pod, status corev1.ContainerStatus) {
	if !p.isOwn(status.Name) {
		finding.Action = Review
		finding.Reason += fmt.Sprintf(", but container %s is not the release's own", status.Name)
		return
	}
	canary, stable := p.failing(status.Name), p.failingAsWell(status, p.restarts(pod, status))
	switch {
	case stable.isAsBadAs(canary):
		finding.Action = Review
		finding.Reason += fmt.Sprintf(", but %d of %d stable pods fail as well: %s", stable.bad, stable.all, sharedTrouble)
	case !p.WasReady[string(pod.UID)] && !podstate.IsReady(pod) && p.hasReady():
		finding.Action = Review
		finding.Reason += ", but it was never ready, and other pods of the same release are: " +
			"look at what new pods are started with, such as a changed secret"
	}
}

const sharedTrouble = "a shared dependency fails, not the canary"

// isOwn reports whether a container is the service's, or one of the init containers that end before it starts. Others
// are sidecars.
func (p Pods) isOwn(container string) bool {
	if p.Deployment == nil {
		return true
	}
	template := &p.Deployment.Spec.Template
	return !podstate.IsSidecar(&template.Spec, template.Labels[names.App], container)
}

// runsUnready reports whether the service's own container runs and does not pass its readiness probe.
func (p Pods) runsUnready(pod *corev1.Pod) bool {
	return slices.ContainsFunc(pod.Status.ContainerStatuses, func(status corev1.ContainerStatus) bool {
		return p.isOwn(status.Name) && podstate.IsUnready(status)
	})
}

// hasReady reports whether a pod of the canary is ready.
func (p Pods) hasReady() bool {
	return slices.ContainsFunc(p.Canary, func(pod *corev1.Pod) bool {
		return pod.DeletionTimestamp == nil && podstate.IsReady(pod)
	})
}

// share is a number of pods with trouble among all that could have it.
type share struct{ bad, all int }

// isAsBadAs reports whether the trouble of these pods is at least half as common as that of others.
func (s share) isAsBadAs(others share) bool {
	return s.bad > 0 && 2*s.bad*others.all >= s.all*others.bad
}

// failing counts the canary's pods whose container of that name is in a crash loop or was killed for its memory
// repeatedly.
func (p Pods) failing(container string) share {
	return countOf(p.Canary, func(pod *corev1.Pod) bool {
		return hasContainer(pod, container, func(status corev1.ContainerStatus) bool {
			return podstate.IsCrashLooping(status) ||
				podstate.IsOutOfMemory(podstate.LastEnd(status)) && p.restarts(pod, status) >= 2
		})
	})
}

// together is how far apart the ends of containers may be that have one cause: a kubelet waits as long at most before
// it starts a container again.
const together = 5 * time.Minute

// failingAsWell counts the stable pods that share the trouble of the canary's container, which has restarted that
// often. Containers end at times of their own: one that runs between two ends counts where it ended beside the
// canary's, and one that was killed for its memory half as often. So does a pod that is down without ending.
func (p Pods) failingAsWell(canary corev1.ContainerStatus, restarted int32) share {
	end := podstate.LastEnd(canary)
	return countOf(p.Stable, func(pod *corev1.Pod) bool {
		return p.isDown(pod) || hasContainer(pod, canary.Name, func(status corev1.ContainerStatus) bool {
			last, restarts := podstate.LastEnd(status), p.restarts(pod, status)
			switch {
			case podstate.IsCrashLooping(status):
				return true
			case restarts == 0 || last == nil || end == nil:
				return false
			case podstate.IsOutOfMemory(last) && podstate.IsOutOfMemory(end) && 2*restarts >= restarted:
				return true
			default:
				return last.FinishedAt.Sub(end.FinishedAt.Time).Abs() <= together
			}
		})
	})
}

// countOf counts the bad pods among those that stay.
func countOf(pods []*corev1.Pod, isBad func(*corev1.Pod) bool) share {
	var s share
	for _, pod := range pods {
		if pod.DeletionTimestamp == nil {
			if s.all++; isBad(pod) {
				s.bad++
			}
		}
	}
	return s
}

func hasContainer(pod *corev1.Pod, name string, is func(corev1.ContainerStatus) bool) bool {
	return slices.ContainsFunc(podstate.Containers(pod), func(status corev1.ContainerStatus) bool {
		return status.Name == name && is(status)
	})
}

// sidecarFails reports whether a sidecar of a pod has ended and starts again, or did so when the pod lost its
// readiness.
func (p Pods) sidecarFails(pod *corev1.Pod) bool {
	i := slices.IndexFunc(pod.Status.Conditions, func(c corev1.PodCondition) bool { return c.Type == corev1.PodReady })
	return i >= 0 && slices.ContainsFunc(podstate.Containers(pod), func(status corev1.ContainerStatus) bool {
		if p.isOwn(status.Name) || status.Ready {
			return false
		}
		last := podstate.LastEnd(status)
		return podstate.IsCrashLooping(status) || status.State.Terminated != nil || p.restarts(pod, status) > 0 &&
			last != nil && last.FinishedAt.Sub(pod.Status.Conditions[i].LastTransitionTime.Time).Abs() <= together
	})
}

// becameUnready reports whether a pod's state alone shows that it was ready before: its readiness changed after its
// containers had started.
func becameUnready(pod *corev1.Pod) bool {
	for _, condition := range pod.Status.Conditions {
		if condition.Type != corev1.PodReady || condition.Status == corev1.ConditionTrue {
			continue
		}
		for _, status := range pod.Status.ContainerStatuses {
			if running := status.State.Running; running == nil || !condition.LastTransitionTime.After(running.StartedAt.Time) {
				return false
			}
		}
		return len(pod.Status.ContainerStatuses) > 0
	}
	return false
}
