package diagnose

import (
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"

	"github.com/vextrus/finance-rollout/internal/gate"
)

// Snapshot is the observed state of a rollout at one moment.
type Snapshot struct {
	Now time.Time
	// Stack and Namespace appear in commands. The names of the stack's Secrets end in Environment.
	Stack, Environment, Namespace string
	// Workloads are the Deployments to diagnose, the canary's first.
	Workloads []Workload
	// Events are the events of the namespace, the newest last.
	Events []corev1.Event
	// Secrets and ConfigMaps hold the keys of the objects that pods refer to, by name; nil for an object that does not
	// exist. Objects that could not be read are absent.
	Secrets, ConfigMaps map[string][]string
	// Weight is the canary's planned share in percent, and Replicas the planned pods of both tracks; Replicas is 0 where
	// the pods do not split the requests.
	Weight, Replicas int
	// Limits are the thresholds for errors and latency.
	Limits Limits
	// Unseen lists what could not be read.
	Unseen []string
}

// Limits are the stack's criteria.
type Limits struct {
	// ErrorRate and SlowShare are shares from 0 to 1; a request slower than Latency is slow.
	ErrorRate, SlowShare float64
	Latency              time.Duration
}

// Workload is a Deployment with its ReplicaSets and pods.
type Workload struct {
	Name string
	// Planned is its number of pods at the position; 0 when that is not known or left to an autoscaler.
	Planned int
	// Deployment is nil when it does not exist.
	Deployment  *appsv1.Deployment
	ReplicaSets []appsv1.ReplicaSet
	Pods        []Pod
	// Traffic holds its recent request counts from Prometheus; nil when they could not be read.
	Traffic *Traffic
}

// Pod is a pod with its logs, health report and usage.
type Pod struct {
	corev1.Pod
	// Logs are the last lines of its containers.
	Logs []Log
	// Health is its health report; nil when it could not be read.
	Health *Health
	// Usage is its resource usage; nil when Prometheus has none.
	Usage *Usage
}

// Log is the tail of a container's log.
type Log struct {
	Container string
	// Previous is true for the log of the container before its last restart.
	Previous bool
	Lines    []string
}

// Health is a pod's own health report. It shows which dependencies the pod reaches from its own network.
type Health struct {
	// Status is the HTTP status, Took the response time.
	Status int
	Took   time.Duration
	// Dependencies maps each dependency to its state, "up" when healthy.
	Dependencies map[string]string
}

// Usage is the resource usage of a pod.
type Usage struct {
	// Throttled is the share of CPU periods in which the pod was throttled, from 0 to 1.
	Throttled float64
	// Memory is its working set in bytes.
	Memory float64
}

// Traffic holds the request counts of a workload.
type Traffic struct {
	// Window is the period that was counted. Requests counts all and the failed requests, Slow all and the slow ones.
	Window         time.Duration
	Requests, Slow gate.Counts
}
