package takeover

import (
	"cmp"
	"slices"

	autoscalingv2 "k8s.io/api/autoscaling/v2"
	corev1 "k8s.io/api/core/v1"
	policyv1 "k8s.io/api/policy/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// Workload is what runs pods that a Service leads to: a Deployment, or a ReplicaSet that none owns any more.
type Workload struct {
	Kind     string
	Meta     metav1.ObjectMeta
	Selector *metav1.LabelSelector
	// Replicas are the pods that it asks for.
	Replicas int
	Strategy Strategy
	Template corev1.PodTemplateSpec
}

// Strategy is how a Deployment replaces its pods; empty where it does not say.
type Strategy struct{ MaxSurge, MaxUnavailable string }

// Object names the workload.
func (w *Workload) Object() Object {
	return Object{Kind: w.Kind, Namespace: w.Meta.Namespace, Name: w.Meta.Name}
}

// Monitor is a ServiceMonitor, as far as it matters here.
type Monitor struct {
	Meta metav1.ObjectMeta
	// Selector selects Services by their labels.
	Selector map[string]string
	// Port, Path and Interval are those of its first endpoint.
	Port, Path, Interval string
}

// Live is what runs a service now.
type Live struct {
	// Owner is the namespace's stack, as project/stack; empty for none.
	Owner   string
	Service *corev1.Service
	// Pods are those that the Service selects.
	Pods []corev1.Pod
	// Workloads are those of the pods, without those of the rollout.
	Workloads []Workload
	// Colliding is the Deployment that has the name of the stable track and is not the rollout's; nil for none.
	Colliding *Workload
	// Kept are the names of the workloads in the namespace that have the name of one that is set aside.
	Kept        []string
	Autoscalers []autoscalingv2.HorizontalPodAutoscaler
	Budgets     []policyv1.PodDisruptionBudget
	Monitors    []Monitor
	// Alive reports whether the owner of an object exists.
	Alive Alive
}

// main is the workload that the stable track takes after: the one with the most pods.
func (f *Live) main() *Workload {
	if len(f.Workloads) == 0 {
		return nil
	}
	largest := slices.MaxFunc(f.Workloads, func(a, b Workload) int {
		return cmp.Or(cmp.Compare(a.Replicas, b.Replicas), cmp.Compare(b.Meta.Name, a.Meta.Name))
	})
	return &largest
}

// replicas are the pods that take requests now.
func (f *Live) replicas() int {
	sum := 0
	for _, workload := range f.Workloads {
		sum += workload.Replicas
	}
	return sum
}

// scales reports whether an autoscaler has a workload as its target.
func scales(autoscaler *autoscalingv2.HorizontalPodAutoscaler, workload *Workload) bool {
	target := autoscaler.Spec.ScaleTargetRef
	if target.Name == workload.Meta.Name && target.Kind == workload.Kind {
		return true
	}
	return slices.ContainsFunc(workload.Meta.OwnerReferences, func(owner metav1.OwnerReference) bool {
		return owner.Kind == target.Kind && owner.Name == target.Name
	})
}
