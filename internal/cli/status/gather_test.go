package status

import (
	"context"
	"errors"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/common/model"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/vextrus/finance-rollout/internal/gate"
	"github.com/vextrus/finance-rollout/internal/ledger"
	"github.com/vextrus/finance-rollout/internal/settings"
	"github.com/vextrus/finance-rollout/internal/soak"
)

// values are a stack's configuration.
type values map[string]string

func (v values) Get(key string) (string, bool) { value, ok := v[key]; return value, ok }

func (v values) IsSecret(string) bool { return false }

func (v values) Keys() []string { return slices.Sorted(maps.Keys(v)) }

func production(t *testing.T) *settings.Settings {
	t.Helper()
	s, err := settings.Load("production", values{
		"app": "shop", "namespace": "shop", "release": "v2", "image": "shop@sha256:bb", "stableImage": "shop@sha256:aa",
		"prometheus": "http://prometheus:9090",
		"secretEnv":  "{}", "smoke": `{"tokenFrom":"","originFrom":""}`, "guard": `{"image":"rollout@sha256:cc"}`,
	})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// shop is a cluster with nine stable pods, one of which is starting, and a canary.
type shop struct {
	ledger map[string]string
	err    error // of reading endpoints

	impostor bool
}

// AllPods holds a pod that wears the canary's labels and is not of its Deployment.
func (s *shop) AllPods(ctx context.Context, namespace string, _ map[string]string) ([]corev1.Pod, error) {
	canary, err := s.DeploymentPods(ctx, namespace, "shop-v2")
	if s.impostor {
		canary = append(canary, corev1.Pod{ObjectMeta: metav1.ObjectMeta{Name: "canary-b", Labels: canary[0].Labels}})
	}
	return canary, err
}

func (s *shop) DeploymentPods(_ context.Context, _, deployment string) ([]corev1.Pod, error) {
	var pods []corev1.Pod
	add := func(name, track string, ready corev1.ConditionStatus) {
		pods = append(pods, corev1.Pod{
			ObjectMeta: metav1.ObjectMeta{Name: name, Labels: map[string]string{"app": "shop", "track": track,
				"traffic": "enabled"}},
			Status: corev1.PodStatus{Phase: corev1.PodRunning, Conditions: []corev1.PodCondition{{Type: corev1.PodReady,
				Status: ready}}},
		})
	}
	if deployment == "shop-v2" {
		add("canary-a", "canary", corev1.ConditionTrue)
		return pods, nil
	}
	for _, name := range "abcdefgh" {
		add("stable-"+string(name), "stable", corev1.ConditionTrue)
	}
	add("stable-starting", "stable", corev1.ConditionFalse)
	return pods, nil
}

func (s *shop) Deployment(_ context.Context, _, name string) (*appsv1.Deployment, bool, error) {
	replicas := map[string]int32{"shop-stable": 9, "shop-v2": 1, "shop-guard": 2}[name]
	return &appsv1.Deployment{Spec: appsv1.DeploymentSpec{Replicas: &replicas},
		Status: appsv1.DeploymentStatus{ReadyReplicas: replicas}}, true, nil
}

func (s *shop) Endpoints(context.Context, string, string) ([]string, error) {
	return []string{"stable-a", "stable-b", "canary-a"}, s.err
}

func (s *shop) ConfigMap(_ context.Context, _, name string) (data map[string]string, version string, err error) {
	if name == "shop-ledger" {
		return s.ledger, "1", nil
	}
	return map[string]string{"weight": "10"}, "1", nil
}

func (s *shop) SwapConfigMap(_ context.Context, _, _ string, data map[string]string, _ string) error {
	s.ledger = data
	return nil
}

func (s *shop) LeaseHolder(_ context.Context, _, name string) (string, time.Time, error) {
	if name == "shop-guard" {
		return "guard-1", now, nil
	}
	return "anna@desk (rollout advance, process 7)", now.Add(-time.Second), nil
}

// metrics are what Prometheus tells: a share of one in eight, and one alert.
type metrics struct{ err error }

func (m metrics) Samples(context.Context, string, time.Time, time.Time) (model.Matrix, error) {
	return nil, m.err
}

func (m metrics) LabelValues(context.Context, string, string, time.Time, time.Time) ([]string, error) {
	return nil, m.err
}

func (m metrics) Ask(_ context.Context, query string, _ time.Time) (model.Value, error) {
	if strings.HasPrefix(query, "ALERTS") {
		alert := &model.Sample{Metric: model.Metric{"alertname": "CanaryLatencyHigh", "severity": "warning",
			"action": "review"}}
		return model.Vector{alert, alert}, m.err
	}
	if strings.HasPrefix(query, "sum by (track) (increase(") {
		return model.Vector{
			{Metric: model.Metric{"track": "stable"}, Value: 700}, {Metric: model.Metric{"track": "canary"}, Value: 100},
		}, m.err
	}
	return model.Vector{}, m.err
}

func gather(t *testing.T, cluster *shop, server metrics, entries ...ledger.Entry) *Status {
	t.Helper()
	store := ledger.InConfigMap{Cluster: cluster, Namespace: "shop", Name: "shop-ledger"}
	if len(entries) > 0 {
		if _, err := ledger.Write(t.Context(), store, func() time.Time { return now.Add(-time.Hour) },
			entries...); err != nil {
			t.Fatal(err)
		}
	}
	return Gather(t.Context(), Source{
		Stack: "production", Settings: production(t), Cluster: cluster, Now: func() time.Time { return now },
		Prometheus: func() (soak.Server, error) { return server, nil },
		Evidence:   &EvidenceCache{Wait: time.Minute, Every: time.Minute},
	})
}

func TestGather(t *testing.T) {
	reached := ledger.Entry{Kind: ledger.ShiftReached, Release: "v2", Image: "sha256:bb", Stable: "sha256:aa", To: 10}
	status := gather(t, &shop{}, metrics{}, reached)
	if got := []any{*status.Weight.Stands, *status.Weight.Passed, *status.Weight.Measured,
		status.Weight.Window}; !cmp.Equal(got, []any{10, 10, 12.5, 5 * time.Minute}) {
		t.Errorf("weights %v", got)
	}
	stable, canary := status.Tracks[0], status.Tracks[1]
	if stable.Ready != 8 || stable.Desired != 9 || stable.Taking != 2 || canary.Ready != 1 || canary.Taking != 1 ||
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

// A pod that wears the canary's labels is not counted among its pods, and keeps its metrics from being taken for
// evidence.
func TestAnImpostorIsNoCanary(t *testing.T) {
	reached := ledger.Entry{Kind: ledger.ShiftReached, Release: "v2", Image: "sha256:bb", Stable: "sha256:aa", To: 10}
	status := gather(t, &shop{impostor: true}, metrics{}, reached)
	if canary := status.Tracks[1]; canary.Ready != 1 || len(canary.Problems) != 0 {
		t.Errorf("canary %+v", canary)
	}
	missing := strings.Join(status.Missing, "\n")
	if !strings.Contains(missing, "evidence of the soak") || !strings.Contains(missing, "canary-b") ||
		strings.Contains(missing, "canary-a") {
		t.Errorf("missing %q", missing)
	}
}

func TestWhatCannotBeReadIsNamed(t *testing.T) {
	reached := ledger.Entry{Kind: ledger.ShiftReached, Release: "v2", Image: "sha256:bb", Stable: "sha256:aa", To: 10}
	checkpoint := ledger.Entry{Kind: ledger.Checkpoint, Release: "v2", Verdict: "inconclusive", Soaked: 900,
		Numbers: []ledger.Number{{Name: "error rate", Verdict: "inconclusive", N: 240, K: 1, Lower: 0.001, Upper: 0.02}}}
	cluster := &shop{err: errors.New("endpoints may not be listed")}
	status := gather(t, cluster, metrics{errors.New("connection refused")}, reached, checkpoint)
	missing := strings.Join(status.Missing, "\n")
	for _, word := range []string{"alerts: connection refused", "endpoints: endpoints may not be listed",
		"share of the requests: connection refused", "evidence of the soak"} {
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
	edited := gather(t, &shop{ledger: map[string]string{"format": "1", "history": "{}\n"}}, metrics{})
	if edited.Phase != PhaseUnknown || edited.Weight.Stands != nil ||
		!strings.Contains(strings.Join(edited.Missing, "\n"), "ledger: ") {
		t.Errorf("phase %s, missing %q", edited.Phase, edited.Missing)
	}
}

func TestALatchIsThatOfTheConfiguredImage(t *testing.T) {
	begun := ledger.Entry{Kind: ledger.RollbackBegun, Release: "v2", Image: "sha256:bb", From: 10, Who: "guard",
		Reason: "bad"}
	other := begun
	other.Image = "sha256:other"
	if status := gather(t, &shop{}, metrics{}, begun); status.Latch == nil || status.Phase != PhaseRollingBack {
		t.Errorf("phase %s, latch %v", status.Phase, status.Latch)
	}
	if status := gather(t, &shop{}, metrics{}, other); status.Latch != nil {
		t.Errorf("the latch of another image: %v", status.Latch)
	}
}
