package shift

import (
	"testing"

	"github.com/vextrus/finance-rollout/internal/shift/shifttest"
	"github.com/vextrus/finance-rollout/internal/testkit"
)

// Each refusal says who has scaled the Deployment, what the weight is by the pods, and what to set.
func TestAnotherNumberOfPodsNamesItsOwner(t *testing.T) {
	for name, tt := range map[string]struct {
		weight         string
		stable, canary int
		manager        string
		says           []string
	}{
		"a webhook that sets at least two": {weight: "10", stable: 9, canary: 2, manager: "pulumi-kubernetes-1a2b",
			says: []string{"finance-service-v2 has 2 pods and shall have 1", "share is 18 % and not 10 %", "mutating webhook",
				"pulumi-kubernetes-1a2b", "pulumi config set replicas 20 -s production",
				"kubectl get mutatingwebhookconfigurations"}},
		"a webhook that sets at most five": {weight: "10", stable: 5, canary: 1, manager: "pulumi-kubernetes-1a2b",
			says: []string{"finance-service-stable has 5 pods and shall have 9", "share is 17 % and not 10 %",
				"exempt the namespace vextrus-production"}},
		"a webhook that keeps three stable pods": {weight: "100", stable: 3, canary: 10, manager: "pulumi-kubernetes-1a2b",
			says: []string{"finance-service-stable has 3 pods and shall have 2",
				"pulumi config set warmStable 3 -s production"}},
		"a person": {weight: "10", stable: 9, canary: 2, manager: "kubectl-scale",
			says: []string{"somebody else has scaled it: the field manager of spec.replicas is kubectl-scale",
				"to resolve: pulumi up --refresh -s production"}},
		"an autoscaler": {weight: "10", stable: 12, canary: 1, manager: "kube-controller-manager",
			says: []string{"an autoscaler scales it", "kubectl get hpa -n vextrus-production"}},
		"nobody": {weight: "10", stable: 9, canary: 0,
			says: []string{"finance-service-v2 has 0 pods", "share is 0 % and not 10 %", "somebody else has scaled it",
				"pulumi up --refresh -s production"}},
	} {
		t.Run(name, func(t *testing.T) {
			w := shifttest.New()
			w.ScaledBy = tt.manager
			w.Tracks = map[string]int{"finance-service-stable": tt.stable, "finance-service-v2": tt.canary}
			config := productionConfig()
			config["release"], config["canaryWeight"] = "v2", tt.weight
			testkit.WantError(t, newMove(t, w, config).gate.checkPods(t.Context()), tt.says...)
		})
	}
	w := shifttest.New()
	w.Tracks = map[string]int{"finance-service-stable": 9, "finance-service-v2": 1}
	config := productionConfig()
	config["release"], config["canaryWeight"] = "v2", "10"
	if err := newMove(t, w, config).gate.checkPods(t.Context()); err != nil {
		t.Errorf("the pods of the position: %v", err)
	}
}
