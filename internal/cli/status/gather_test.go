package status

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/common/model"
	coordinationv1 "k8s.io/api/coordination/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/vextrus/finance-rollout/internal/gate"
	"github.com/vextrus/finance-rollout/internal/ledger"
	"github.com/vextrus/finance-rollout/internal/rollout"
	"github.com/vextrus/finance-rollout/internal/settings"
	"github.com/vextrus/finance-rollout/internal/testkit"
	"github.com/vextrus/finance-rollout/internal/testkit/cluster"
	"github.com/vextrus/finance-rollout/internal/testkit/prometheus"
)

func production(t *testing.T) *settings.Settings {
	t.Helper()
	return productionWith(t, nil)
}

func productionWith(t *testing.T, changes map[string]string) *settings.Settings {
	t.Helper()
	s, err := settings.Load("production", testkit.Config{
		"app": "shop", "namespace": "shop", "release": "v2", "image": "shop@sha256:bb", "stableImage": "shop@sha256:aa",
		"prometheus": "http://prometheus:9090", "serviceName": "shop",
		"secretEnv": "{}", "smoke": `{"tokenFrom":"","originFrom":""}`, "guard": `{"image":"rollout@sha256:cc"}`,
	}.With(changes))
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// shop is a cluster with nine stable pods, one of which is starting, and a canary; its Prometheus has a share of one in
// eight, and an alert that fires twice.
type shop struct {
	*cluster.Cluster
	prometheus *prometheus.Server
}

func newShop(t *testing.T) shop {
	t.Helper()
	track := func(track, version string) map[string]string {
		return map[string]string{"app": "shop", "track": track, "version": version, "traffic": "enabled"}
	}
	lease := func(name, holder string, renewed time.Time) *coordinationv1.Lease {
		at := metav1.NewMicroTime(renewed)
		return &coordinationv1.Lease{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: name},
			Spec: coordinationv1.LeaseSpec{HolderIdentity: &holder, RenewTime: &at}}
	}
	c := cluster.New(t,
		cluster.Service("shop", "shop", map[string]string{"app": "shop", "traffic": "enabled"}),
		cluster.Deployment("shop", "shop-stable", "shop@sha256:aa", 9, track("stable", "stable")),
		cluster.Deployment("shop", "shop-v2", "shop@sha256:bb", 1, track("canary", "v2")),
		cluster.Deployment("shop", "shop-guard", "rollout@sha256:cc", 2, map[string]string{"app": "shop-guard"}),
		&corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "shop-release"},
			Data: map[string]string{"weight": "10"}},
		lease("shop-guard", "guard-1", now), lease("shop-operator", "anna@desk (rollout advance, process 7)",
			now.Add(-time.Second)),
	)
	pods, err := c.DeploymentPods(t.Context(), "shop", "shop-stable")
	if err != nil || len(pods) != 9 {
		t.Fatalf("%d pods: %v", len(pods), err)
	}
	starting := pods[0]
	starting.Status.Conditions = []corev1.PodCondition{{Type: corev1.PodReady, Status: corev1.ConditionFalse}}
	if _, err := c.Clientset.CoreV1().Pods("shop").UpdateStatus(t.Context(), &starting,
		metav1.UpdateOptions{}); err != nil {
		t.Fatal(err)
	}
	server := prometheus.New(t)
	alert := &model.Sample{Metric: model.Metric{"alertname": "CanaryLatencyHigh", "severity": "warning",
		"action": "review"}}
	server.Answer("ALERTS", model.Vector{alert, alert})
	server.Answer("sum by (track) (increase(", model.Vector{
		{Metric: model.Metric{"track": "stable"}, Value: 700}, {Metric: model.Metric{"track": "canary"}, Value: 100},
	})
	return shop{c, server}
}

func (s shop) gather(t *testing.T, entries ...ledger.Entry) *Status {
	t.Helper()
	return s.gatherWith(t, production(t), entries...)
}

func (s shop) gatherWith(t *testing.T, config *settings.Settings, entries ...ledger.Entry) *Status {
	t.Helper()
	config.Prometheus = s.prometheus.URL
	r := rollout.New(config, s.Client, nil, func(string) string { return "" })
	r.Clock = testkit.Clock(now)
	if len(entries) > 0 {
		if _, err := ledger.Write(t.Context(), r.Ledger(), func() time.Time { return now.Add(-time.Hour) },
			entries...); err != nil {
			t.Fatal(err)
		}
	}
	return Gather(t.Context(), Source{
		Stack: "production", Rollout: r, Cluster: s.Client,
		Evidence: &EvidenceCache{Wait: time.Minute, Every: time.Minute},
	})
}

func TestGather(t *testing.T) {
	reached := ledger.Entry{Kind: ledger.ShiftReached, Release: "v2", Image: "sha256:bb", Stable: "sha256:aa", To: 10}
	status := newShop(t).gather(t, reached)
	if got := []any{*status.Weight.Stands, *status.Weight.Passed, *status.Weight.Measured,
		status.Weight.Window}; !cmp.Equal(got, []any{10, 10, 12.5, 5 * time.Minute}) {
		t.Errorf("weights %v", got)
	}
	stable, canary := status.Tracks[0], status.Tracks[1]
	if stable.Ready != 8 || stable.Desired != 9 || stable.Taking != 8 || canary.Ready != 1 || canary.Taking != 1 ||
		len(stable.Problems) != 1 {
		t.Errorf("tracks %+v", status.Tracks)
	}
	if status.Phase != PhaseSoaking || status.Order != OutOfOrder || len(status.Missing) > 0 {
		t.Errorf("phase %s, order %s, missing %q", status.Phase, status.Order, status.Missing)
	}
	if len(status.Alerts) != 1 || status.Guard.Leader != "guard-1" || status.Guard.Ready != 2 ||
		!strings.HasPrefix(status.Operator, "anna") {
		t.Errorf("alerts %v, guard %+v, operator %q", status.Alerts, status.Guard, status.Operator)
	}
}

// A sidecar is neither the track's image nor a restart of the service.
func TestASidecarIsNotTheService(t *testing.T) {
	shop := newShop(t)
	canary, _, err := shop.Deployment(t.Context(), "shop", "shop-v2")
	if err != nil {
		t.Fatal(err)
	}
	service := canary.Spec.Template.Spec.Containers[0]
	service.Name = "shop"
	canary.Spec.Template.Spec.Containers = []corev1.Container{{Name: "proxy", Image: "proxy@sha256:ee"}, service}
	deployments := shop.Clientset.AppsV1().Deployments("shop")
	if _, err := deployments.Update(t.Context(), canary, metav1.UpdateOptions{}); err != nil {
		t.Fatal(err)
	}
	if got := shop.gather(t).Tracks[1].Image; got != "shop@sha256:bb" {
		t.Errorf("the canary's image is %s", got)
	}
	track := Track{}
	track.count(&corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Labels: map[string]string{"app": "shop"}},
		Spec:       corev1.PodSpec{Containers: canary.Spec.Template.Spec.Containers},
		Status: corev1.PodStatus{ContainerStatuses: []corev1.ContainerStatus{{Name: "proxy", RestartCount: 5},
			{Name: "shop", RestartCount: 1}}},
	}, nil)
	if track.Restarts != 1 {
		t.Errorf("%d restarts, want the service's 1", track.Restarts)
	}
}

// A pod that wears the canary's labels is not counted among its pods, and keeps its metrics from being taken for
// evidence.
func TestAnImpostorIsNoCanary(t *testing.T) {
	reached := ledger.Entry{Kind: ledger.ShiftReached, Release: "v2", Image: "sha256:bb", Stable: "sha256:aa", To: 10}
	shop := newShop(t)
	shop.Add(cluster.Pod("shop", "canary-b", true,
		map[string]string{"app": "shop", "track": "canary", "version": "v2", "traffic": "isolated"}))
	status := shop.gather(t, reached)
	if canary := status.Tracks[1]; canary.Ready != 1 || len(canary.Problems) != 0 {
		t.Errorf("canary %+v", canary)
	}
	missing := strings.Join(status.Missing, "\n")
	if !strings.Contains(missing, "evidence of the soak") || !strings.Contains(missing, "canary-b") ||
		strings.Contains(missing, "shop-v2-") {
		t.Errorf("missing %q", missing)
	}
}

func TestPartsThatCannotBeReadAreNamed(t *testing.T) {
	reached := ledger.Entry{Kind: ledger.ShiftReached, Release: "v2", Image: "sha256:bb", Stable: "sha256:aa", To: 10}
	checkpoint := ledger.Entry{Kind: ledger.Checkpoint, Release: "v2", Verdict: "inconclusive", Soaked: 900,
		Numbers: []ledger.Number{{Name: "error rate", Verdict: "inconclusive", N: 240, K: 1, Lower: 0.001, Upper: 0.02}}}
	shop := newShop(t)
	shop.Fail("list", "endpointslices", errors.New("endpoints may not be listed"))
	shop.prometheus.Fail(errors.New("connection refused"))
	status := shop.gather(t, reached, checkpoint)
	missing := strings.Join(status.Missing, "\n")
	for _, word := range []string{"alerts: ", "connection refused", "endpoints: ", "endpoints may not be listed",
		"share of the requests: ", "evidence of the soak"} {
		if !strings.Contains(missing, word) {
			t.Errorf("what is missing does not name %q:\n%s", word, missing)
		}
	}
	if status.Soak == nil || status.Soak.Source != SourceCheckpoint || status.Soak.Verdict != gate.Inconclusive ||
		time.Duration(status.Soak.Soaked) != 15*time.Minute {
		t.Fatalf("without Prometheus the last checkpoint counts: %+v", status.Soak)
	}
	if c := status.Soak.Criteria[0]; c.N != 240 || c.Target != 0.005 || c.Rollback != 0.01 {
		t.Errorf("criterion %+v", c)
	}
	shop = newShop(t)
	shop.Add(&corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "shop-ledger"},
		Data: map[string]string{"format": "1", "history": "{}\n"}})
	edited := shop.gather(t)
	if edited.Phase != PhaseUnknown || edited.Weight.Stands != nil ||
		!strings.Contains(strings.Join(edited.Missing, "\n"), "ledger: ") {
		t.Errorf("phase %s, missing %q", edited.Phase, edited.Missing)
	}
}

func TestOnlyTheLatchOfTheConfiguredImageCounts(t *testing.T) {
	begun := ledger.Entry{Kind: ledger.RollbackBegun, Release: "v2", Image: "sha256:bb", From: 10, Who: "guard",
		Reason: "bad"}
	foreign := begun
	foreign.Image = "sha256:dd"
	if status := newShop(t).gather(t, begun); status.Latch == nil || status.Phase != PhaseRollingBack {
		t.Errorf("phase %s, latch %v", status.Phase, status.Latch)
	}
	if status := newShop(t).gather(t, foreign); status.Latch != nil {
		t.Errorf("the latch of another image: %v", status.Latch)
	}
}
