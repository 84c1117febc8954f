package diagnose

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"

	"github.com/vextrus/finance-rollout/internal/kube/podstate"
	"github.com/vextrus/finance-rollout/internal/names"
)

// containers reports containers that the runtime cannot start.
func containers(s Snapshot, w Workload) []Finding {
	var findings []Finding
	for i := range w.Pods {
		pod := &w.Pods[i]
		for _, status := range statuses(pod) {
			message := notStarted(status)
			if message == "" {
				continue
			}
			finding := Finding{
				Cause: CauseContainer, Pods: []string{pod.Name}, Summary: fmt.Sprintf("container %s cannot be started",
					status.Name),
				Evidence: []string{short(message)}, Next: []string{describe(s, pod)},
			}
			switch {
			case saysMemory.MatchString(message), saysStopped.MatchString(message) && tiny(pod, status.Name):
				finding.Cause, finding.Summary = CauseMemory, memorySummary(pod, status.Name)
				finding.Next = append(finding.Next, unlessSidecar(s, pod, status.Name, raiseMemory(s)))
			case saysCommand.MatchString(message):
				finding.Cause, finding.Summary = CauseCommand,
					fmt.Sprintf("the image of container %s lacks the program to run", status.Name)
			}
			findings = append(findings, finding)
		}
	}
	return findings
}

var (
	saysMemory  = regexp.MustCompile(`(?i)oom|out of memory|memory limit|cannot allocate memory`)
	saysStopped = regexp.MustCompile(`(?i)cannot start a stopped process|container init exited prematurely`)
	saysCommand = regexp.MustCompile(`(?i)executable file not found|no such file or directory|permission denied`)
)

// leastMemory is the memory in bytes that the container runtime itself needs at start. With a lower limit the container
// is killed before its program begins, and the runtime reports it as stopped without a reason.
const leastMemory = 16 << 20

func tiny(pod *Pod, container string) bool {
	for _, c := range pod.Spec.Containers {
		if limit, ok := c.Resources.Limits[corev1.ResourceMemory]; ok && c.Name == container {
			return limit.Value() < leastMemory
		}
	}
	return false
}

// notStarted returns the runtime's message about a container that never ran, empty for any other.
func notStarted(status corev1.ContainerStatus) string {
	if waiting := status.State.Waiting; waiting != nil && slices.Contains([]string{"RunContainerError",
		"CreateContainerError", "StartError"}, waiting.Reason) {
		return waiting.Reason + ": " + waiting.Message
	}
	if last := podstate.LastEnd(status); last != nil && (last.Reason == "StartError" ||
		last.Reason == "ContainerCannotRun") {
		return last.Reason + ": " + last.Message
	}
	return ""
}

func memorySummary(pod *Pod, container string) string {
	for _, c := range pod.Spec.Containers {
		if limit, ok := c.Resources.Limits[corev1.ResourceMemory]; ok && c.Name == container {
			return fmt.Sprintf("container %s needs more memory than its limit of %s", container, limit.String())
		}
	}
	return fmt.Sprintf("container %s was killed because it ran out of memory", container)
}

func raiseMemory(s Snapshot) string {
	return "pulumi config set --path resources.limits.memory VALUE -s " + s.Stack
}

// unlessSidecar gives the command that changes a setting of the service's container; for a sidecar, where its own
// settings stand.
func unlessSidecar(s Snapshot, pod *Pod, container, command string) string {
	if podstate.IsSidecar(&pod.Spec, pod.Labels[names.App], container) {
		return fmt.Sprintf("pulumi config get pod -s %s   # container %s is a sidecar", s.Stack, container)
	}
	return command
}

// crashes explains why containers ended: out of memory, killed by the kubelet after a failed probe, an invalid
// configuration, or another reason in their last lines.
func crashes(s Snapshot, w Workload) []Finding {
	var findings []Finding
	for i := range w.Pods {
		pod := &w.Pods[i]
		for _, status := range statuses(pod) {
			end := podstate.LastEnd(status)
			if end == nil || end.ExitCode == 0 && status.RestartCount == 0 || notStarted(status) != "" || over(s, status, end) {
				continue
			}
			findings = append(findings, afterExit(s, pod, status, end))
		}
	}
	return findings
}

// recent is how long a restart matters after the container is ready again. The guide investigates restarts of the last
// 15 minutes.
const recent = 15 * time.Minute

// over reports whether a termination is history: the container has been ready again for a while.
func over(s Snapshot, status corev1.ContainerStatus, end *corev1.ContainerStateTerminated) bool {
	return status.Ready && s.Now.Sub(end.FinishedAt.Time) > recent
}

func afterExit(s Snapshot, pod *Pod, status corev1.ContainerStatus, end *corev1.ContainerStateTerminated) Finding {
	finding := Finding{Pods: []string{pod.Name}, Evidence: []string{
		fmt.Sprintf("container %s ended with %s, exit code %d, after %v; %d restarts", status.Name, end.Reason, end.ExitCode,
			end.FinishedAt.Sub(end.StartedAt.Time), status.RestartCount),
	}}
	logs := fmt.Sprintf("kubectl logs %s -n %s -c %s --previous", pod.Name, s.Namespace, status.Name)
	lines := lastWords(pod, status.Name)
	killed := killedBy(s, pod)
	wrong, variables := configurationError(lines)
	switch {
	case podstate.IsOutOfMemory(end):
		finding.Cause, finding.Summary = CauseMemory, memorySummary(pod, status.Name)
		finding.Next = []string{describe(s, pod), unlessSidecar(s, pod, status.Name, raiseMemory(s))}
	case end.Reason == "Unknown" || end.Reason == "ContainerStatusUnknown":
		finding.Cause, finding.Summary = CauseNode, "its node, or the container runtime on it, restarted"
		finding.Next = []string{"kubectl get nodes", describe(s, pod)}
	case killed != "" && end.ExitCode != 1:
		return afterFailedProbe(s, pod, status, killed, finding)
	case wrong != "":
		finding.Cause, finding.Summary = CauseConfiguration, "it rejects its configuration at start"+variables
		finding.Evidence = append(finding.Evidence, "log: "+short(wrong))
		finding.Next = []string{logs, "pulumi config -s " + s.Stack}
	default:
		if cause, line, ok := blamed(lines); ok {
			finding = fromLog(s, cause, line, finding)
			finding.Summary += ", and it exits because of that"
			finding.Next = append([]string{logs}, finding.Next...)
			return finding
		}
		finding.Cause, finding.Summary = CauseCrash, fmt.Sprintf("container %s exits by itself with exit code %d",
			status.Name,
			end.ExitCode)
		for _, line := range lines[max(0, len(lines)-3):] {
			finding.Evidence = append(finding.Evidence, "log: "+short(line))
		}
		finding.Next = []string{logs, describe(s, pod)}
	}
	return finding
}

// lastWords returns the log of the container that ended.
func lastWords(pod *Pod, container string) []string {
	var current []string
	for _, log := range pod.Logs {
		if log.Container != container {
			continue
		}
		if log.Previous && len(log.Lines) > 0 {
			return log.Lines
		}
		current = log.Lines
	}
	return current
}

// killedBy returns the event with which the kubelet killed a container after a failed liveness or startup probe, empty
// if it did not.
func killedBy(s Snapshot, pod *Pod) string {
	for _, event := range slices.Backward(eventsOf(s, pod.Name, "Killing")) {
		if strings.Contains(event.Message, "failed liveness probe") ||
			strings.Contains(event.Message, "failed startup probe") {
			return event.Message
		}
	}
	return ""
}

func afterFailedProbe(s Snapshot, pod *Pod, status corev1.ContainerStatus, killed string, finding Finding) Finding {
	kind, probe, cause := "liveness", func(c corev1.Container) *corev1.Probe { return c.LivenessProbe }, CauseLiveness
	if strings.Contains(killed, "startup") {
		kind, probe, cause = "startup", func(c corev1.Container) *corev1.Probe { return c.StartupProbe }, CauseStartup
	}
	finding.Cause = cause
	message := probeSays(s, pod, kind)
	finding.Summary = fmt.Sprintf("its %s probe fails, so the kubelet restarts it: %s", kind, probeSummary(message))
	finding.Evidence = append(finding.Evidence, "event: "+short(message), "probe: "+probeOf(pod, status.Name, probe))
	finding.Next = []string{describe(s, pod), unlessSidecar(s, pod, status.Name,
		fmt.Sprintf("pulumi config set --path probes.%s.path PATH -s %s", kind, s.Stack))}
	return finding
}

// configurationPatterns match the messages of a service about its wrong configuration: this project's example, Joi and
// class-validator as NestJS uses them, envalid, and zod.
var configurationPatterns = regexp.MustCompile(
	`(?i)^.{0,60}\benvironment: |missing: [A-Z][A-Z0-9_]+|config(uration)? validation (error|failed)|invalid (environment|configuration)|` +
		`missing (required )?(environment|env)( variables?)?|"[A-Z][A-Z0-9_]{2,}" (is required|must be|is not allowed)|environment variables? (is|are) (missing|not set|required)`)

// variableName matches the name of an environment variable.
var variableName = regexp.MustCompile(`\b[A-Z][A-Z0-9]*(?:_[A-Z0-9]+)+\b`)

// configurationError returns the line with which a service rejects its configuration, and the variables it names.
func configurationError(lines []string) (line, variables string) {
	for i, text := range lines {
		if !configurationPatterns.MatchString(text) {
			continue
		}
		names := unique(variableName.FindAllString(strings.Join(lines[i:min(len(lines), i+10)], "\n"), -1))
		if len(names) > 0 {
			variables = ": " + strings.Join(names, ", ")
		}
		return text, variables
	}
	return "", ""
}
