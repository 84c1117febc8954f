package rollout

import (
	"strings"
	"testing"
	"time"

	"github.com/vextrus/finance-rollout/internal/gate"
	"github.com/vextrus/finance-rollout/internal/settings"
	"github.com/vextrus/finance-rollout/internal/testkit"
	"github.com/vextrus/finance-rollout/internal/testkit/cluster"
)

// A bake that may have counted somebody else's requests is no verdict: it lets nothing through and rolls nothing back.
func TestABakeOfAnImpostorIsNoVerdict(t *testing.T) {
	canary, err := settings.Load("production", testkit.Config{
		"image": "vextrus/finance:v2", "stableImage": "vextrus/finance:v1", "namespace": "vextrus-production",
		"prometheus": "monitoring/prometheus-operated:9090",
		"secrets": `{"finance-db":{"host":"db","username":"app","password":"s3cr3t-value"},
			"finance-secrets":{"jwt-secret":"sign-with-me","eventstore-connection":"esdb://es:2113?tls=true",
			"cors-origin":"https://app.vextrus.com"}}`,
	})
	if err != nil || !canary.HasCanary() {
		t.Fatalf("the settings have no canary: %v", err)
	}
	labels := map[string]string{"app": "finance-service", "track": "canary", "version": canary.Release}
	c := cluster.New(t, cluster.Deployment("vextrus-production", "finance-service-"+canary.Release,
		"vextrus/finance:v2", 1, labels))
	rollout := &Rollout{Settings: canary, Cluster: c}
	end := time.Unix(1700000000, 0)
	verdicts := []gate.Verdict{gate.Pass, gate.Fail, gate.Inconclusive}
	of := func(verdict gate.Verdict) gate.Evaluation {
		return gate.Evaluation{Start: end.Add(-time.Minute), End: end,
			Results: []gate.Result{{Name: "error rate", Verdict: verdict}}}
	}
	for _, verdict := range verdicts {
		if alone := rollout.rejectImpostors(t.Context(), of(verdict)); alone.Verdict() != verdict {
			t.Errorf("%s alone: %+v", verdict, alone)
		}
	}
	c.Add(cluster.Pod("vextrus-production", "impostor", true, labels))
	for _, verdict := range verdicts {
		judged := rollout.rejectImpostors(t.Context(), of(verdict))
		if judged.Verdict() != gate.Error || !strings.Contains(judged.Results[0].Reason, "impostor") ||
			!judged.End.Equal(end) {
			t.Errorf("%s beside an impostor: %+v", verdict, judged)
		}
	}
}
