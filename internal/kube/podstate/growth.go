package podstate

import (
	"fmt"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
)

// Growth is how far a Deployment is on its way to the pods that it asks for.
type Growth struct {
	// Wanted is the number of pods that the Deployment asks for, Ready the number of them that can take requests.
	Wanted, Ready int
	// Refused is why the cluster gives the Deployment no more pods, such as an exceeded quota or full nodes. It is empty
	// while the cluster has refused none.
	Refused string
	// Soonest and Latest bound the time that the probes let a started container take until it is ready: Soonest when every
	// probe passes at its first try, Latest when the last try of a startup probe passes.
	Soonest, Latest time.Duration
}

// The API server's defaults for a probe that leaves them out, in seconds and tries.
const (
	defaultPeriod   = 10
	defaultTimeout  = 1
	defaultFailures = 3
)

// GrowthOf is the growth of a Deployment with these pods. A nil Deployment asks for none.
func GrowthOf(deployment *appsv1.Deployment, pods []corev1.Pod) Growth {
	if deployment == nil {
		return Growth{}
	}
	growth := Growth{Wanted: 1, Ready: int(deployment.Status.ReadyReplicas), Refused: refusal(deployment, pods)}
	if deployment.Spec.Replicas != nil {
		growth.Wanted = int(*deployment.Spec.Replicas)
	}
	for i := range deployment.Spec.Template.Spec.Containers {
		soonest, latest := startOf(&deployment.Spec.Template.Spec.Containers[i])
		growth.Soonest, growth.Latest = max(growth.Soonest, soonest), max(growth.Latest, latest)
	}
	return growth
}

// refusal is the cluster's reason for not giving the Deployment a pod: it could not be created, or no node has room.
func refusal(deployment *appsv1.Deployment, pods []corev1.Pod) string {
	if reason := NotCreated(deployment); reason != "" {
		return reason
	}
	for i := range pods {
		if pods[i].DeletionTimestamp != nil {
			continue
		}
		for _, condition := range pods[i].Status.Conditions {
			if condition.Type == corev1.PodScheduled && condition.Status == corev1.ConditionFalse &&
				condition.Reason == corev1.PodReasonUnschedulable {
				return fmt.Sprintf("pod %s is %s: %.300s", pods[i].Name, condition.Reason, condition.Message)
			}
		}
	}
	return ""
}

// NotCreated is the ReplicaSet's reason for pods that it could not create, such as an exceeded quota; empty for none.
func NotCreated(deployment *appsv1.Deployment) string {
	for _, condition := range deployment.Status.Conditions {
		if condition.Type == appsv1.DeploymentReplicaFailure && condition.Status == corev1.ConditionTrue {
			return fmt.Sprintf("%s: %.300s", condition.Reason, condition.Message)
		}
	}
	return ""
}

// startOf is the shortest and the longest time from a container's start until it is ready.
func startOf(container *corev1.Container) (soonest, latest time.Duration) {
	if probe := container.StartupProbe; probe != nil {
		soonest += seconds(probe.InitialDelaySeconds, 0)
		tries := time.Duration(max(probe.FailureThreshold, 0))
		if tries == 0 {
			tries = defaultFailures
		}
		latest += soonest + tries*seconds(probe.PeriodSeconds, defaultPeriod)
	}
	if probe := container.ReadinessProbe; probe != nil {
		first := seconds(probe.InitialDelaySeconds, 0) + seconds(probe.PeriodSeconds, defaultPeriod)
		soonest += first
		latest += first + seconds(probe.TimeoutSeconds, defaultTimeout)
	}
	return soonest, latest
}

func seconds(value, otherwise int32) time.Duration {
	if value <= 0 {
		value = otherwise
	}
	return time.Duration(value) * time.Second
}
