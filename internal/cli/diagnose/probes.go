package diagnose

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"

	"github.com/vextrus/finance-rollout/internal/kube/podstate"
)

// probes reports containers that run but are not ready, with the failure of their readiness or startup probe.
func probes(s Snapshot, w Workload) []Finding {
	var findings []Finding
	for i := range w.Pods {
		pod := &w.Pods[i]
		for _, status := range statuses(pod) {
			if status.State.Running == nil || status.Ready || status.RestartCount > 0 && killedBy(s, pod) != "" {
				continue
			}
			kind, probe, cause := "readiness", func(c corev1.Container) *corev1.Probe { return c.ReadinessProbe }, CauseReadiness
			if status.Started != nil && !*status.Started {
				kind, probe, cause = "startup", func(c corev1.Container) *corev1.Probe { return c.StartupProbe }, CauseStartup
			}
			message := probeSays(s, pod, kind)
			if message == "" {
				continue
			}
			findings = append(findings, Finding{
				Cause: cause, Pods: []string{pod.Name}, Summary: fmt.Sprintf("its %s probe fails: %s", kind, probeSummary(message)),
				Evidence: []string{"event: " + short(message), "probe: " + probeOf(pod, status.Name, probe)},
				Next: []string{fmt.Sprintf("kubectl logs %s -n %s -c %s", pod.Name, s.Namespace, status.Name), describe(s, pod),
					unlessSidecar(s, pod, status.Name,
						fmt.Sprintf("pulumi config set --path probes.%s.path PATH -s %s", kind, s.Stack))},
			})
		}
	}
	return findings
}

// probeSays returns the kubelet's newest event about a failing probe, empty when there is none.
func probeSays(s Snapshot, pod *Pod, kind string) string {
	for _, event := range slices.Backward(eventsOf(s, pod.Name, "Unhealthy", "ProbeWarning")) {
		if strings.HasPrefix(strings.ToLower(event.Message), kind+" probe") {
			return event.Message
		}
	}
	return ""
}

var statusCode = regexp.MustCompile(`statuscode: (\d+)`)

// probeSummary describes the failure of a probe.
func probeSummary(message string) string {
	code := ""
	if match := statusCode.FindStringSubmatch(message); match != nil {
		code = match[1]
	}
	switch {
	case code == "404":
		return "its path does not exist (404)"
	case code != "":
		return "the container answers with status " + code
	case strings.Contains(message, "connection refused"):
		return "nothing listens on its port"
	case strings.Contains(message, "context deadline exceeded"), strings.Contains(message, "Timeout"):
		return "no answer in time"
	case message == "":
		return "the kubelet gives no reason"
	default:
		return "see the event"
	}
}

// probeOf formats a container's probe.
func probeOf(pod *Pod, container string, of func(corev1.Container) *corev1.Probe) string {
	for _, c := range pod.Spec.Containers {
		if c.Name != container || of(c) == nil {
			continue
		}
		probe := of(c)
		text := fmt.Sprintf("after %d s, every %d s, %d failures in a row, timeout %d s", probe.InitialDelaySeconds,
			probe.PeriodSeconds, probe.FailureThreshold, probe.TimeoutSeconds)
		if get := probe.HTTPGet; get != nil {
			text = fmt.Sprintf("GET %s on port %s, %s", get.Path, get.Port.String(), text)
		}
		var ports []string
		for _, port := range c.Ports {
			ports = append(ports, fmt.Sprint(port.ContainerPort))
		}
		return text + "; the container's ports are " + list(ports)
	}
	return "none"
}

// unexplained reports pods that are not ready and have no other finding.
func unexplained(s Snapshot, w Workload, findings []Finding) []Finding {
	var more []Finding
	for i := range w.Pods {
		pod := &w.Pods[i]
		if pod.DeletionTimestamp != nil || podstate.IsReady(&pod.Pod) || slices.ContainsFunc(findings,
			func(f Finding) bool { return slices.Contains(f.Pods, pod.Name) }) {
			continue
		}
		finding := Finding{
			Cause: CauseNotReady, Pods: []string{pod.Name}, Summary: "its pods are not ready, for no known reason yet",
			Evidence: []string{fmt.Sprintf("phase %s %s", pod.Status.Phase, pod.Status.Message)},
			Next:     []string{describe(s, pod)},
		}
		for _, status := range statuses(pod) {
			if status.State.Waiting != nil {
				finding.Evidence = append(finding.Evidence, fmt.Sprintf("container %s waits: %s %s", status.Name,
					status.State.Waiting.Reason, short(status.State.Waiting.Message)))
			}
		}
		if events := eventsOf(s, pod.Name); len(events) > 0 {
			last := events[len(events)-1]
			finding.Evidence = append(finding.Evidence, fmt.Sprintf("event %s: %s", last.Reason, short(last.Message)))
		}
		more = append(more, finding)
	}
	return more
}
