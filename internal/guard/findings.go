package guard

import (
	"fmt"
	"strings"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"

	"github.com/vextrus/finance-rollout/internal/kube/podstate"
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
	CauseUncounted = "uncounted"
)

// Finding is one observation that speaks against a canary.
type Finding struct {
	Action Action
	Cause  string
	// Subject is the pod or alert that it is about. Cause and Subject together identify the finding.
	Subject string
	Reason  string
}

// Pods are the pods of a rollout.
type Pods struct {
	// Canary and Stable are the pods of the tracks' Deployments.
	Canary, Stable []*corev1.Pod
	// WasReady holds, by UID, whether a pod has ever been seen ready.
	WasReady map[string]bool
	// Deployment is the canary's; nil when it does not exist.
	Deployment *appsv1.Deployment
}

// Findings judges the pods. It is a pure function.
//
// A crash loop and a repeated OOM kill roll back; a single restart asks for review. A lost readiness rolls back unless
// the stable track loses it as well. Pods that are being deleted or were never ready do not count, nor do pods whose
// containers are ready on a node that has gone silent. An image that cannot be pulled takes no requests and asks for
// review. A Deployment that makes no progress rolls back when its containers run without becoming ready: its health
// checks fail.
func (p Pods) Findings() []Finding {
	var list []Finding
	for _, pod := range p.Canary {
		if pod.DeletionTimestamp != nil {
			continue
		}
		for _, status := range podstate.Containers(pod) {
			if finding, ok := ofContainer(pod.Name, status); ok {
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

func ofContainer(pod string, status corev1.ContainerStatus) (Finding, bool) {
	last := podstate.LastEnd(status)
	ended := ""
	if last != nil {
		ended = fmt.Sprintf("; it last ended with %s, exit code %d", last.Reason, last.ExitCode)
	}
	killed := podstate.IsOutOfMemory(last)
	finding := Finding{Action: Review, Subject: pod}
	switch {
	case podstate.IsCrashLooping(status):
		finding.Action, finding.Cause = RollBack, CauseCrashLoop
		finding.Reason = fmt.Sprintf("pod %s is in a crash loop (%d restarts%s)", pod, status.RestartCount, ended)
	case killed && status.RestartCount >= 2:
		finding.Action, finding.Cause = RollBack, CauseOOM
		finding.Reason = fmt.Sprintf("pod %s was killed repeatedly for lack of memory (%d restarts)", pod,
			status.RestartCount)
	case killed:
		finding.Cause, finding.Reason = CauseOOM, fmt.Sprintf("pod %s was killed for lack of memory (%d restarts)", pod,
			status.RestartCount)
	case status.RestartCount > 0:
		finding.Cause, finding.Reason = CauseRestart, fmt.Sprintf("pod %s restarted (%d times%s)", pod, status.RestartCount,
			ended)
	case podstate.LacksImage(status):
		finding.Cause, finding.Reason = CauseImage, fmt.Sprintf("pod %s cannot start: %s: %.200s", pod,
			status.State.Waiting.Reason, status.State.Waiting.Message)
	default:
		return Finding{}, false
	}
	return finding, true
}

// lost reports whether a pod fails its readiness probe after having been ready.
func (p Pods) lost(pod *corev1.Pod) bool {
	return pod.DeletionTimestamp == nil && p.WasReady[string(pod.UID)] && !podstate.IsReady(pod) &&
		podstate.RunsUnready(pod)
}

func (p Pods) readiness() []Finding {
	var lost []string
	for _, pod := range p.Canary {
		if p.lost(pod) {
			lost = append(lost, pod.Name)
		}
	}
	if len(lost) == 0 {
		return nil
	}
	alike, known := 0, 0
	for _, pod := range p.Stable {
		if pod.DeletionTimestamp == nil && p.WasReady[string(pod.UID)] {
			known++
			if p.lost(pod) {
				alike++
			}
		}
	}
	finding := Finding{
		Action: RollBack, Cause: CauseReadiness, Subject: strings.Join(lost, ","),
		Reason: fmt.Sprintf("the readiness probe fails in %s, which was ready before", strings.Join(lost, ", ")),
	}
	if alike > 0 && alike*len(p.Canary) >= known*len(lost)/2 {
		finding.Action = Review
		finding.Reason += fmt.Sprintf(", but also in %d of %d stable pods: a shared dependency fails, not the canary",
			alike, known)
	}
	return []Finding{finding}
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
		for _, pod := range p.Canary {
			if pod.DeletionTimestamp == nil && podstate.RunsUnready(pod) {
				finding.Action = RollBack
				finding.Reason += fmt.Sprintf("; pod %s runs and fails its readiness probe", pod.Name)
				break
			}
		}
		return finding, true
	}
	return Finding{}, false
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
