package podstate

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

func TestGrowthOf(t *testing.T) {
	ten := int32(10)
	deployment := func(change ...func(*appsv1.Deployment)) *appsv1.Deployment {
		d := &appsv1.Deployment{Spec: appsv1.DeploymentSpec{Replicas: &ten}}
		d.Status.ReadyReplicas = 4
		for _, c := range change {
			c(d)
		}
		return d
	}
	probed := func(startup, readiness *corev1.Probe) func(*appsv1.Deployment) {
		return func(d *appsv1.Deployment) {
			d.Spec.Template.Spec.Containers = append(d.Spec.Template.Spec.Containers,
				corev1.Container{StartupProbe: startup, ReadinessProbe: readiness})
		}
	}
	quota := "pods \"x\" is forbidden: exceeded quota: compute"
	full := corev1.Pod{ObjectMeta: metav1.ObjectMeta{Name: "s9"}}
	full.Status.Conditions = []corev1.PodCondition{{Type: corev1.PodScheduled, Status: corev1.ConditionFalse,
		Reason: "Unschedulable", Message: "0/5 nodes"}}
	leaving := *full.DeepCopy()
	leaving.DeletionTimestamp = &metav1.Time{Time: time.Unix(1, 0)}
	gated := *full.DeepCopy()
	gated.Status.Conditions[0].Reason = "SchedulingGated"
	tests := []struct {
		name       string
		deployment *appsv1.Deployment
		pods       []corev1.Pod
		want       Growth
	}{
		{"none", nil, nil, Growth{}},
		{"growing", deployment(), nil, Growth{Wanted: 10, Ready: 4}},
		{"replicas left to the default", deployment(func(d *appsv1.Deployment) { d.Spec.Replicas = nil }), nil,
			Growth{Wanted: 1, Ready: 4}},
		{"a quota refuses", deployment(func(d *appsv1.Deployment) {
			d.Status.Conditions = []appsv1.DeploymentCondition{{Type: appsv1.DeploymentReplicaFailure,
				Status: corev1.ConditionTrue, Reason: "FailedCreate", Message: quota}}
		}), nil, Growth{Wanted: 10, Ready: 4, Refused: "FailedCreate: " + quota}},
		{"full nodes", deployment(), []corev1.Pod{full},
			Growth{Wanted: 10, Ready: 4, Refused: "pod s9 is Unschedulable: 0/5 nodes"}},
		{"a pod without a node that leaves", deployment(), []corev1.Pod{leaving}, Growth{Wanted: 10, Ready: 4}},
		{"a pod whose scheduling waits for somebody", deployment(), []corev1.Pod{gated}, Growth{Wanted: 10, Ready: 4}},
		{"the guide's probes", deployment(probed(nil, &corev1.Probe{InitialDelaySeconds: 20, PeriodSeconds: 5,
			TimeoutSeconds: 3})), nil, Growth{Wanted: 10, Ready: 4, Soonest: 25 * time.Second, Latest: 28 * time.Second}},
		{"a startup probe of five minutes", deployment(probed(&corev1.Probe{PeriodSeconds: 2, FailureThreshold: 150},
			&corev1.Probe{PeriodSeconds: 5, TimeoutSeconds: 3})), nil,
			Growth{Wanted: 10, Ready: 4, Soonest: 5 * time.Second, Latest: 308 * time.Second}},
		{"defaults of the API server, and a sidecar that is sooner", deployment(probed(&corev1.Probe{}, &corev1.Probe{}),
			probed(nil, nil)), nil, Growth{Wanted: 10, Ready: 4, Soonest: 10 * time.Second, Latest: 41 * time.Second}},
	}
	for _, tt := range tests {
		if diff := cmp.Diff(tt.want, GrowthOf(tt.deployment, tt.pods)); diff != "" {
			t.Errorf("%s (-want +got)\n%s", tt.name, diff)
		}
	}
}
