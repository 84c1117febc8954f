package rollout

import (
	"context"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/vextrus/finance-rollout/internal/gate"
	"github.com/vextrus/finance-rollout/internal/settings"
)

// disguised is a namespace with a pod that wears the canary's labels, and no other.
type disguised struct {
	Cluster
	pods []corev1.Pod
}

func (d disguised) AllPods(context.Context, string, map[string]string) ([]corev1.Pod, error) {
	return d.pods, nil
}

func (d disguised) DeploymentPods(context.Context, string, string) ([]corev1.Pod, error) {
	return nil, nil
}

// production is the configuration of a stack with a canary.
type production struct{}

func (production) Get(key string) (string, bool) {
	value, ok := map[string]string{
		"image": "vextrus/finance:v2", "stableImage": "vextrus/finance:v1", "namespace": "vextrus-production",
		"prometheus": "monitoring/prometheus-operated:9090",
		"secrets": `{"finance-db":{"host":"db","username":"app","password":"s3cr3t-value"},
			"finance-secrets":{"jwt-secret":"sign-with-me","eventstore-connection":"esdb://es:2113?tls=true",
			"cors-origin":"https://app.vextrus.com"}}`,
	}[key]
	return value, ok
}

func (production) IsSecret(key string) bool { return key == "secrets" }

func (production) Keys() []string {
	return []string{"image", "stableImage", "namespace", "prometheus", "secrets"}
}

// A bake that may have counted somebody else's requests is no verdict: it lets nothing through and rolls nothing back.
func TestABakeOfAnImpostorIsNoVerdict(t *testing.T) {
	canary, err := settings.Load("production", production{})
	if err != nil || !canary.HasCanary() {
		t.Fatalf("the settings have no canary: %v", err)
	}
	impostor := disguised{pods: []corev1.Pod{{ObjectMeta: metav1.ObjectMeta{Name: "shop-v2-x", UID: "9"}}}}
	end := time.Unix(1700000000, 0)
	for _, verdict := range []gate.Verdict{gate.Pass, gate.Fail, gate.Inconclusive} {
		found := gate.Evaluation{Start: end.Add(-time.Minute), End: end,
			Results: []gate.Result{{Name: "error rate", Verdict: verdict}}}
		judged := (&Rollout{Settings: canary, Cluster: impostor}).rejectImpostors(t.Context(), found)
		if judged.Verdict() != gate.Error || !strings.Contains(judged.Results[0].Reason, "shop-v2-x") ||
			!judged.End.Equal(end) {
			t.Errorf("%s beside an impostor: %+v", verdict, judged)
		}
		alone := (&Rollout{Settings: canary, Cluster: disguised{}}).rejectImpostors(t.Context(), found)
		if alone.Verdict() != verdict {
			t.Errorf("%s alone: %+v", verdict, alone)
		}
	}
}
