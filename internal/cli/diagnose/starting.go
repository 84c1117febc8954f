package diagnose

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"

	"github.com/vextrus/finance-rollout/internal/kube/podstate"
)

// missing reports a Deployment that does not exist.
func missing(s Snapshot, w Workload) []Finding {
	if w.Deployment != nil {
		return nil
	}
	return []Finding{{
		Cause: CauseNoDeployment, Summary: fmt.Sprintf("there is no Deployment %s in %s", w.Name, s.Namespace),
		Evidence: []string{"the API server has no object of that name"},
		Next:     []string{"kubectl get deployments -n " + s.Namespace, "pulumi up --refresh -s " + s.Stack},
	}}
}

// creation reports pods that the API server refuses to create. There is no pod to inspect then, only a condition of
// the ReplicaSet.
func creation(s Snapshot, w Workload) []Finding {
	var findings []Finding
	for i := range w.ReplicaSets {
		set := &w.ReplicaSets[i]
		for _, condition := range set.Status.Conditions {
			if condition.Type != appsv1.ReplicaSetReplicaFailure || condition.Status != corev1.ConditionTrue {
				continue
			}
			finding := Finding{
				Cause: CauseNotCreated, Summary: "the API server refuses to create its pods",
				Evidence: []string{fmt.Sprintf("replicaset %s: %s: %s", set.Name, condition.Reason, condition.Message)},
				Next:     []string{fmt.Sprintf("kubectl describe replicaset %s -n %s", set.Name, s.Namespace)},
			}
			switch text := condition.Message; {
			case strings.Contains(text, "exceeded quota"):
				finding.Cause, finding.Summary = CauseQuota, "its pods would exceed a quota of the namespace"
				finding.Next = []string{"kubectl describe resourcequota -n " + s.Namespace,
					"pulumi config set --path resources.requests.cpu VALUE -s " + s.Stack}
			case strings.Contains(text, "violates PodSecurity"):
				finding.Cause, finding.Summary = CausePodSecurity, "its pods violate the pod security standard of the namespace"
				finding.Next = append(finding.Next, fmt.Sprintf("kubectl get namespace %s --show-labels", s.Namespace))
			case strings.Contains(text, "error looking up service account"):
				finding.Cause, finding.Summary = CauseServiceAccount, "its service account does not exist"
				finding.Next = []string{"kubectl get serviceaccounts -n " + s.Namespace, "pulumi up --refresh -s " + s.Stack}
			}
			findings = append(findings, finding)
		}
	}
	return findings
}

// scheduling reports pods that no node can take.
func scheduling(s Snapshot, w Workload) []Finding {
	var findings []Finding
	for i := range w.Pods {
		pod := &w.Pods[i]
		for _, condition := range pod.Status.Conditions {
			if condition.Type != corev1.PodScheduled || condition.Status != corev1.ConditionFalse ||
				condition.Reason != corev1.PodReasonUnschedulable {
				continue
			}
			finding := Finding{
				Cause: CauseUnschedulable, Pods: []string{pod.Name}, Summary: "no node can take its pods",
				Evidence: []string{fmt.Sprintf("%s: %s", condition.Reason, condition.Message)},
				Next:     []string{"kubectl describe nodes", describe(s, pod)},
			}
			var short []string
			for _, resource := range []corev1.ResourceName{corev1.ResourceCPU, corev1.ResourceMemory} {
				if strings.Contains(condition.Message, "Insufficient "+string(resource)) {
					short = append(short, string(resource))
				}
			}
			if len(short) > 0 {
				finding.Summary = "no node has enough " + strings.Join(short, " and ") + " for a pod"
				finding.Evidence = append(finding.Evidence, "a pod requests "+amounts(pod.Spec.Containers, requests))
				finding.Next = append(finding.Next, fmt.Sprintf("pulumi config set --path resources.requests.%s VALUE -s %s",
					short[0], s.Stack))
			}
			findings = append(findings, finding)
		}
	}
	return findings
}

func requests(c corev1.Container) corev1.ResourceList { return c.Resources.Requests }
func limits(c corev1.Container) corev1.ResourceList   { return c.Resources.Limits }

// amounts formats the resources of a pod's containers.
func amounts(containers []corev1.Container, of func(corev1.Container) corev1.ResourceList) string {
	var parts []string
	for _, container := range containers {
		list := of(container)
		for _, name := range []corev1.ResourceName{corev1.ResourceCPU, corev1.ResourceMemory} {
			if amount, ok := list[name]; ok {
				parts = append(parts, fmt.Sprintf("%s %s (%s)", name, amount.String(), container.Name))
			}
		}
	}
	if len(parts) == 0 {
		return "nothing"
	}
	return strings.Join(parts, ", ")
}

func describe(s Snapshot, pod *Pod) string {
	return fmt.Sprintf("kubectl describe pod %s -n %s", pod.Name, s.Namespace)
}

// images reports images that cannot be pulled.
func images(s Snapshot, w Workload) []Finding {
	var findings []Finding
	for i := range w.Pods {
		pod := &w.Pods[i]
		for _, status := range statuses(pod) {
			waiting := status.State.Waiting
			if !podstate.LacksImage(status) {
				continue
			}
			message := []string{waiting.Message}
			for _, event := range eventsOf(s, pod.Name, "Failed") {
				if strings.Contains(event.Message, "pull") {
					message = append(message, event.Message)
				}
			}
			finding := pullFailure(strings.Join(message, "\n"), imageOf(pod, status), waiting.Reason, s)
			finding.Pods = []string{pod.Name}
			finding.Evidence = []string{fmt.Sprintf("container %s: %s: %s", status.Name, waiting.Reason, short(waiting.Message))}
			if last := message[len(message)-1]; len(message) > 1 && last != waiting.Message {
				finding.Evidence = append(finding.Evidence, "event: "+short(last))
			}
			finding.Next = append([]string{describe(s, pod)}, finding.Next...)
			findings = append(findings, finding)
		}
	}
	return findings
}

// Messages of registries and container runtimes.
var (
	saysPlatform = regexp.MustCompile(`(?i)no match for platform|no matching manifest`)
	saysRefused  = regexp.MustCompile(
		`(?i)unauthorized|authentication required|authorization failed|access denied|denied:|\b40[13]\b|pull access`)
	saysUnreachable = regexp.MustCompile(
		`(?i)no such host|connection refused|i/o timeout|dial tcp|TLS handshake|no route to host|certificate|server misbehaving`)
	saysNotFound = regexp.MustCompile(
		`(?i)not found|manifest unknown|does not exist|name unknown|invalid reference|couldn't parse image`)
)

func pullFailure(message, image, reason string, s Snapshot) Finding {
	set := fmt.Sprintf("pulumi config set image REPOSITORY@sha256:… -s %s", s.Stack)
	switch {
	case saysPlatform.MatchString(message):
		return Finding{Cause: CauseImagePlatform, Summary: fmt.Sprintf("image %s has no variant for the nodes' platform",
			image), Next: []string{"kubectl get nodes -L kubernetes.io/arch", set}}
	case saysRefused.MatchString(message):
		return Finding{Cause: CauseImageRefused, Summary: fmt.Sprintf("the registry refuses image %s: the credentials are "+
			"missing or wrong", image),
			Next: []string{"kubectl get serviceaccounts -n " + s.Namespace + " -o yaml",
				"pulumi config set --secret --path registry.password -s " + s.Stack}}
	case saysUnreachable.MatchString(message):
		return Finding{Cause: CauseRegistry, Summary: fmt.Sprintf("the node cannot reach the registry of image %s",
			image), Next: []string{"kubectl get nodes -o wide", set}}
	case saysNotFound.MatchString(message) || reason == "InvalidImageName":
		return Finding{Cause: CauseImageMissing, Summary: fmt.Sprintf("there is no image %s", image), Next: []string{set}}
	default:
		return Finding{Cause: CauseImage, Summary: fmt.Sprintf("image %s cannot be pulled", image), Next: []string{set}}
	}
}

func imageOf(pod *Pod, status corev1.ContainerStatus) string {
	for _, container := range slices.Concat(pod.Spec.InitContainers, pod.Spec.Containers) {
		if container.Name == status.Name {
			return container.Image
		}
	}
	return status.Image
}

// statuses returns the statuses of all containers. It is empty for a pod in deletion, whose containers are meant to
// end.
func statuses(pod *Pod) []corev1.ContainerStatus {
	if pod.DeletionTimestamp != nil {
		return nil
	}
	return podstate.Containers(&pod.Pod)
}

// eventsOf returns the events of an object with one of the reasons, or all its events, the newest last.
func eventsOf(s Snapshot, object string, reasons ...string) []corev1.Event {
	var findings []corev1.Event
	for _, event := range s.Events {
		if event.InvolvedObject.Name == object && (len(reasons) == 0 || slices.Contains(reasons, event.Reason)) {
			findings = append(findings, event)
		}
	}
	return findings
}

// short shortens a text to one readable line.
func short(text string) string {
	text = strings.Join(strings.Fields(text), " ")
	const most = 400
	if len(text) > most {
		return strings.ToValidUTF8(text[:most], "") + "…"
	}
	return text
}
