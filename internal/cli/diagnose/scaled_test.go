package diagnose

import (
	"slices"
	"strings"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// scaledBy is a Deployment with that many pods, whose number that field manager wrote.
func scaledBy(name, manager string, pods int32, planned int) Workload {
	deployment := &appsv1.Deployment{ObjectMeta: metav1.ObjectMeta{Name: name}}
	deployment.Spec.Replicas = &pods
	deployment.ManagedFields = []metav1.ManagedFieldsEntry{{Manager: manager,
		FieldsV1: &metav1.FieldsV1{Raw: []byte(`{"f:spec":{"f:replicas":{}}}`)}}}
	return Workload{Name: name, Deployment: deployment, Planned: planned}
}

// The advice follows who wrote the number, and proposes only a plan that fits.
func TestTheAdviceFollowsTheScaler(t *testing.T) {
	const canary, stable, refresh = "shop-v2", "shop-stable", "pulumi up --refresh -s production"
	for name, tt := range map[string]struct {
		canary, stable   Workload
		weight, replicas int
		judged           string
		evidence, next   string
	}{
		"an autoscaler": {canary: scaledBy(canary, "kube-controller-manager", 3, 1),
			stable: scaledBy(stable, "pulumi-kubernetes", 9, 9), weight: 10, replicas: 10, judged: canary,
			evidence: "the canary has 25 % of the pods", next: "kubectl get hpa -n shop"},
		"a webhook on stable": {canary: scaledBy(canary, "pulumi-kubernetes", 1, 1),
			stable: scaledBy(stable, "pulumi-kubernetes-1a", 18, 9), weight: 10, replicas: 10, judged: stable,
			evidence: "a mutating webhook changes", next: "pulumi config set replicas 20 -s production"},
		"at 100 % the pods split nothing": {canary: scaledBy(canary, "kubectl", 12, 10),
			stable: scaledBy(stable, "pulumi-kubernetes", 2, 2), weight: 100, replicas: 10, judged: canary,
			evidence: "kubectl", next: refresh},
		"without a plan": {canary: scaledBy(canary, "kubectl", 2, 1),
			stable: Workload{Name: stable}, judged: canary, evidence: "kubectl", next: refresh},
	} {
		t.Run(name, func(t *testing.T) {
			s := Snapshot{Stack: "production", Namespace: "shop", Weight: tt.weight, Replicas: tt.replicas,
				Workloads: []Workload{tt.canary, tt.stable}}
			at := slices.IndexFunc(s.Workloads, func(w Workload) bool { return w.Name == tt.judged })
			findings := scaled(s, s.Workloads[at])
			if len(findings) != 1 || !strings.Contains(strings.Join(findings[0].Evidence, "\n"), tt.evidence) ||
				!slices.Contains(findings[0].Next, tt.next) {
				t.Errorf("%+v, want %q and %q", findings, tt.evidence, tt.next)
			}
			if tt.weight == 100 && strings.Contains(strings.Join(findings[0].Evidence, "\n"), "of the pods") {
				t.Errorf("a share of pods at 100 %%: %q", findings[0].Evidence)
			}
		})
	}
}
