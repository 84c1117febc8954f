package diagnose

import (
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"

	"github.com/vextrus/finance-rollout/internal/gate"
)

// Snapshot is what is known of a rollout at one moment.
type Snapshot struct {
	Now time.Time
	// Stack and Namespace are named in commands; the names of the stack's Secrets end in Environment.
	Stack, Environment, Namespace string
	// Workloads are the Deployments that are looked at, the canary's first.
	Workloads []Workload
	// Events are those of the namespace, the newest last.
	Events []corev1.Event
	// Secrets and ConfigMaps are the keys of those that pods refer to, by name; nil for one that does not exist. What
	// could not be read is not among them.
	Secrets, ConfigMaps map[string][]string
	// Limits are what is high.
	Limits Limits
	// Unseen says what could not be looked at.
	Unseen []string
}

// Limits are the stack's criteria.
type Limits struct {
	// ErrorRate and SlowShare are shares of the requests, Latency what makes one slow.
	ErrorRate, SlowShare float64
	Latency              time.Duration
}

// Workload is a Deployment with what belongs to it.
type Workload struct {
	Name string
	// Deployment is nil when it does not exist.
	Deployment  *appsv1.Deployment
	ReplicaSets []appsv1.ReplicaSet
	Pods        []Pod
	// Traffic is what Prometheus counted of it in the last minutes; nil when it could not be asked.
	Traffic *Traffic
}

// Pod is a pod with what it says of itself.
type Pod struct {
	corev1.Pod
	// Logs are the ends of its containers' logs.
	Logs []Log
	// Health is its answer about its dependencies; nil when it could not be asked.
	Health *Health
	// Usage is what the node measured; nil when Prometheus has nothing of it.
	Usage *Usage
}

// Log is the end of a container's log.
type Log struct {
	Container string
	// Previous is that of the container before its last restart.
	Previous bool
	Lines    []string
}

// Health is a pod's own report, asked from outside and looked at from within: it tells what the pod reaches from its
// own network.
type Health struct {
	// Status is the HTTP status, Took how long the answer took.
	Status int
	Took   time.Duration
	// Dependencies are the states by name, "up" when all is well.
	Dependencies map[string]string
}

// Usage is what a pod needs of its node.
type Usage struct {
	// Throttled is the share of the CPU periods in which the pod was held back, 0 to 1.
	Throttled float64
	// Memory is its working set in bytes.
	Memory float64
}

// Traffic is what was counted of a workload.
type Traffic struct {
	// Window is how long was counted; Requests and Slow are the requests with the failed and with the slow ones among
	// them.
	Window         time.Duration
	Requests, Slow gate.Counts
}
