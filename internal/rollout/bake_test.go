package rollout

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/common/model"

	"github.com/vextrus/finance-rollout/internal/gate"
	"github.com/vextrus/finance-rollout/internal/relative"
	"github.com/vextrus/finance-rollout/internal/settings"
	"github.com/vextrus/finance-rollout/internal/shift/shifttest"
	"github.com/vextrus/finance-rollout/internal/testkit"
	"github.com/vextrus/finance-rollout/internal/testkit/cluster"
)

// baked are the settings of a stack with a canary at 10 %.
func baked(t *testing.T, criteria string) *settings.Settings {
	t.Helper()
	config := testkit.Config{
		"image": "vextrus/finance:v2", "stableImage": "vextrus/finance:v1", "namespace": "vextrus-production",
		"prometheus": "monitoring/prometheus-operated:9090",
		"secrets": `{"finance-db":{"host":"db","username":"app","password":"s3cr3t-value"},
			"finance-secrets":{"jwt-secret":"sign-with-me","eventstore-connection":"esdb://es:2113?tls=true",
			"cors-origin":"https://app.vextrus.com"}}`,
	}
	if criteria != "" {
		config["criteria"] = criteria
	}
	canary, err := settings.Load("production", config)
	if err != nil || !canary.HasCanary() {
		t.Fatalf("the settings have no canary: %v", err)
	}
	return canary
}

// A bake that may have counted somebody else's requests is no verdict: it lets nothing through and rolls nothing back.
func TestABakeOfAnImpostorIsNoVerdict(t *testing.T) {
	canary := baked(t, "")
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

// busy has a hundred times the requests of its Prometheus, whose errors come one by one.
type busy struct{ shifttest.Prometheus }

func (b busy) Samples(ctx context.Context, selector string, start, end time.Time) (model.Matrix, error) {
	matrix, err := b.Prometheus.Samples(ctx, selector, start, end)
	if err != nil || !strings.HasPrefix(selector, "http_requests_total") {
		return matrix, err
	}
	good, bad := matrix[0].Values, matrix[1].Values
	for i := range good {
		total, failing := 100*(good[i].Value+bad[i].Value), b.Failing
		if !strings.Contains(selector, `track="canary"`) {
			failing = 0
		}
		bad[i].Value = model.SampleValue(int64(float64(total) * failing))
		good[i].Value = total - bad[i].Value
	}
	return matrix, nil
}

// leaping is a clock on which every wait is over at once.
type leaping struct{ now time.Time }

func (l *leaping) Now() time.Time { return l.now }

func (l *leaping) After(d time.Duration) <-chan time.Time {
	l.now = l.now.Add(d)
	return testkit.Clock(l.now).After(0)
}

// A canary that fails 0.3 % beside a stable track without errors passes the limits of its bake, and is held for a
// person by the comparison.
func TestABakeComparesWithStable(t *testing.T) {
	for _, tt := range []struct {
		failing  float64
		criteria string
		want     gate.Verdict
	}{
		{0, "", gate.Pass},
		{0.003, "", gate.Inconclusive},
		{0.003, `{"relative":"rollback"}`, gate.Fail},
		{0.003, `{"relative":"off"}`, gate.Pass},
	} {
		canary := baked(t, tt.criteria)
		labels := map[string]string{"app": "finance-service", "track": "canary", "version": canary.Release}
		clock := &leaping{time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC)}
		rollout := &Rollout{Settings: canary, Clock: clock, Cluster: cluster.New(t, cluster.Deployment("vextrus-production",
			"finance-service-"+canary.Release, "vextrus/finance:v2", 1, labels))}
		server := busy{shifttest.Prometheus{Begin: clock.now.Add(-time.Hour), Failing: tt.failing}}
		got := rollout.Bake(t.Context(), server, SubjectOf(canary), nil)
		if got.Verdict() != tt.want {
			t.Errorf("%v of the canary's fail, criteria %q: %s, want %s\n%s", tt.failing, tt.criteria, got.Verdict(),
				tt.want, got)
		}
		if tt.want != gate.Pass && !strings.Contains(got.Reasons(tt.want), relative.NameErrors+": ") {
			t.Errorf("the reason is %s", got.Reasons(tt.want))
		}
	}
}
