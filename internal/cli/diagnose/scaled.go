package diagnose

import (
	"fmt"

	"github.com/vextrus/finance-rollout/internal/kube/podstate"
	"github.com/vextrus/finance-rollout/internal/plan"
)

// mostPods bounds the pods of a plan that is proposed.
const mostPods = 1000

// scaled reports a Deployment whose number of pods is not the position's: where the pods split the requests, another
// number is another weight.
func scaled(s Snapshot, w Workload) []Finding {
	if w.Deployment == nil || w.Planned == 0 || w.Deployment.Spec.Replicas == nil ||
		int(*w.Deployment.Spec.Replicas) == w.Planned {
		return nil
	}
	live, scaler := int(*w.Deployment.Spec.Replicas), podstate.ScalerOf(w.Deployment)
	finding := Finding{
		Cause: CauseScaled, Summary: fmt.Sprintf("it has %d pods and shall have %d", live, w.Planned),
		Evidence: []string{scaler.String()},
		Next: []string{fmt.Sprintf("kubectl get deployment %s -n %s -o yaml --show-managed-fields", w.Name,
			s.Namespace)},
	}
	if share, ok := s.canaryShare(); ok {
		finding.Evidence = append(finding.Evidence, fmt.Sprintf("the canary has %s of the pods in place of %d %%",
			percent(share), s.Weight))
	}
	switch {
	case scaler.IsAdmission():
		finding.Evidence[0] += ", unless an update is under way or was interrupted"
		finding.Next = append(finding.Next, "kubectl get mutatingwebhookconfigurations")
		if pods, ok := s.enough(w, live); ok && live > w.Planned {
			finding.Next = append(finding.Next, fmt.Sprintf("pulumi config set replicas %d -s %s", pods, s.Stack))
		}
	case scaler.IsAutoscaler():
		finding.Next = append(finding.Next, "kubectl get hpa -n "+s.Namespace)
	}
	finding.Next = append(finding.Next, "pulumi up --refresh -s "+s.Stack)
	return []Finding{finding}
}

// canaryShare is the canary's share of the pods; false where the pods do not split the requests.
func (s Snapshot) canaryShare() (float64, bool) {
	pods := make([]int32, 0, len(s.Workloads))
	sum := int32(0)
	for _, w := range s.Workloads {
		if w.Deployment == nil || w.Deployment.Spec.Replicas == nil {
			return 0, false
		}
		pods, sum = append(pods, *w.Deployment.Spec.Replicas), sum+*w.Deployment.Spec.Replicas
	}
	if len(pods) != 2 || sum == 0 || s.Replicas == 0 || s.Weight == 100 {
		return 0, false
	}
	return float64(pods[0]) / float64(sum), true
}

// enough is the number of pods for both tracks with which the workload has that many at the same weight.
func (s Snapshot) enough(w Workload, pods int) (int, bool) {
	if s.Replicas == 0 || s.Weight == 100 {
		return 0, false
	}
	if w.Name == s.Workloads[0].Name {
		return plan.Enough(s.Weight, s.Replicas, 0, pods, mostPods)
	}
	return plan.Enough(s.Weight, s.Replicas, pods, 0, mostPods)
}
