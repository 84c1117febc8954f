package live

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/common/model"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/vextrus/finance-rollout/internal/cli/diagnose"
	"github.com/vextrus/finance-rollout/internal/gate"
)

var now = time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC)

const secret = "s3cr3t-value"

// cluster is a Cluster with one Deployment and one pod; what is forbidden fails.
type cluster struct {
	forbidden bool
	health    http.HandlerFunc
}

var errForbidden = errors.New("forbidden:\n you may not " + secret)

func (c cluster) err() error {
	if c.forbidden {
		return errForbidden
	}
	return nil
}

func (c cluster) Deployment(_ context.Context, _, name string) (*appsv1.Deployment, bool, error) {
	if name == "absent" {
		return nil, false, c.err()
	}
	return &appsv1.Deployment{ObjectMeta: metav1.ObjectMeta{Name: name},
		Spec: appsv1.DeploymentSpec{Template: corev1.PodTemplateSpec{Spec: spec()}}}, true, nil
}

func spec() corev1.PodSpec {
	return corev1.PodSpec{Containers: []corev1.Container{{Name: "app",
		Env: []corev1.EnvVar{{Name: "A", ValueFrom: &corev1.EnvVarSource{
			SecretKeyRef: &corev1.SecretKeySelector{LocalObjectReference: corev1.LocalObjectReference{Name: "db"},
				Key: "password"}}}},
		EnvFrom: []corev1.EnvFromSource{
			{ConfigMapRef: &corev1.ConfigMapEnvSource{LocalObjectReference: corev1.LocalObjectReference{Name: "env"}}}},
	}}}
}

func (c cluster) ReplicaSets(context.Context, *appsv1.Deployment) ([]appsv1.ReplicaSet, error) {
	return nil, c.err()
}

func (c cluster) PodsOf(context.Context, *appsv1.Deployment) ([]corev1.Pod, error) {
	return []corev1.Pod{{
		ObjectMeta: metav1.ObjectMeta{Name: "week1-a"}, Spec: spec(),
		Status: corev1.PodStatus{Phase: corev1.PodRunning, ContainerStatuses: []corev1.ContainerStatus{
			{Name: "app", RestartCount: 1, State: corev1.ContainerState{Running: &corev1.ContainerStateRunning{}}},
		}},
	}}, nil
}

func (c cluster) Events(context.Context, string) ([]corev1.Event, error) {
	return []corev1.Event{{Message: "the key " + secret + " is wrong"}}, c.err()
}

func (c cluster) SecretKeys(_ context.Context, _, name string) ([]string, bool, error) {
	return []string{"host"}, name == "db", c.err()
}

func (c cluster) ConfigMapKeys(context.Context, string, string) ([]string, bool, error) {
	return nil, false, c.err()
}

func (c cluster) Logs(_ context.Context, _, _, _ string, previous bool, _ int64) (string, error) {
	if previous {
		return "before\n", c.err()
	}
	return "one\ntoken=" + secret + "\n", c.err()
}

func (c cluster) PodClient(context.Context, string, string, int) (*http.Client, string, func(), error) {
	if c.forbidden {
		return nil, "", nil, errForbidden
	}
	server := httptest.NewServer(c.health)
	return server.Client(), server.URL, server.Close, nil
}

// prometheus answers with a number for each pod, and holds no series.
type prometheus struct{ err error }

func (p prometheus) Samples(context.Context, string, time.Time, time.Time) (model.Matrix, error) {
	return nil, p.err
}

func (p prometheus) LabelValues(context.Context, string, string, time.Time, time.Time) ([]string, error) {
	return nil, p.err
}

func (p prometheus) Ask(_ context.Context, query string, _ time.Time) (model.Value, error) {
	value := 0.5
	if strings.Contains(query, "memory") {
		value = 1 << 20
	}
	return model.Vector{{Metric: model.Metric{"pod": "week1-a"}, Value: model.SampleValue(value)}}, p.err
}

func gather(t *testing.T, c cluster, server Server, deployment string) diagnose.Snapshot {
	t.Helper()
	metrics := gate.DefaultMetrics().For("canary", "week1")
	return Gather(t.Context(), c, server, Options{
		Stack: "production", Namespace: "vextrus-production", Targets: []Target{{Name: deployment, Metrics: &metrics}},
		Port: 3014, HealthPath: "/health",
		Criteria: []gate.Criterion{gate.ErrorRate(0.005, 0.01), gate.Latency(500*time.Millisecond, 0.95)},
		Window:   5 * time.Minute,
		Redact:   func(text string) string { return strings.ReplaceAll(text, secret, "[redacted]") },
		Now:      func() time.Time { return now },
	})
}

func TestGather(t *testing.T) {
	healthy := func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusServiceUnavailable)
		_, _ = w.Write(
			[]byte(`{"status":"error","details":{"database":{"status":"down","message":"x"},"eventstore":{"status":"up"}}}`))
	}
	s := gather(t, cluster{health: healthy}, prometheus{}, "week1")
	pod := s.Workloads[0].Pods[0]
	if diff := cmp.Diff(&diagnose.Health{Status: 503, Dependencies: map[string]string{"database": "down",
		"eventstore": "up"}}, pod.Health); diff != "" {
		t.Errorf("health (-want +got)\n%s", diff)
	}
	if !cmp.Equal(pod.Usage, &diagnose.Usage{Throttled: 0.5, Memory: 1 << 20}) {
		t.Errorf("usage %+v", pod.Usage)
	}
	want := []diagnose.Log{{Container: "app", Lines: []string{"one", "token=[redacted]"}},
		{Container: "app", Previous: true, Lines: []string{"before"}}}
	if diff := cmp.Diff(want, pod.Logs); diff != "" {
		t.Errorf("logs (-want +got)\n%s", diff)
	}
	if !cmp.Equal(s.Secrets, map[string][]string{"db": {"host"}}) ||
		!cmp.Equal(s.ConfigMaps, map[string][]string{"env": nil}) {
		t.Errorf("secrets %v, configmaps %v", s.Secrets, s.ConfigMaps)
	}
	if s.Events[0].Message != "the key [redacted] is wrong" || s.Limits.Latency != 500*time.Millisecond ||
		s.Limits.ErrorRate != 0.005 {
		t.Errorf("events %v, limits %+v", s.Events, s.Limits)
	}
	// Prometheus has no series: that is named, and the workload has no traffic.
	if s.Workloads[0].Traffic != nil || len(s.Unseen) != 1 || !strings.Contains(s.Unseen[0], "error rate of week1") {
		t.Errorf("traffic %+v, unseen %q", s.Workloads[0].Traffic, s.Unseen)
	}
}

// Without any permission nothing is found, everything is named, and no secret is shown.
func TestGatherWithoutPermissions(t *testing.T) {
	s := gather(t, cluster{forbidden: true}, prometheus{err: errForbidden}, "week1")
	text := strings.Join(s.Unseen, "\n")
	for _, what := range []string{"events", "replicasets of week1", "log of week1-a", "health of week1-a", "secret db",
		"configmap env", "error rate of week1", "resource usage"} {
		if !strings.Contains(text, what+": ") {
			t.Errorf("%s is not named:\n%s", what, text)
		}
	}
	if strings.Contains(text, secret) || strings.Contains(text, "\n ") {
		t.Errorf("unseen shows a secret, or is no line each:\n%s", text)
	}
	if len(s.Secrets) > 0 || len(s.ConfigMaps) > 0 {
		t.Errorf("what was not read is known: %v, %v", s.Secrets, s.ConfigMaps)
	}
	s = gather(t, cluster{forbidden: true}, nil, "absent")
	if found := diagnose.Diagnose(s); len(found.Findings) > 0 {
		t.Errorf("a Deployment that may not be seen is called missing: %s", found)
	}
	s = gather(t, cluster{}, nil, "absent")
	if found := diagnose.Diagnose(s); len(found.Findings) != 1 || found.Findings[0].Cause != diagnose.CauseNoDeployment {
		t.Errorf("a missing Deployment: %s", found)
	}
}

// What is no health report is no report.
func TestHealthOfAnotherKind(t *testing.T) {
	for name, handler := range map[string]http.HandlerFunc{
		"no JSON":   func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("OK")) },
		"not found": http.NotFound,
		"a list":    func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("[1]")) },
	} {
		s := gather(t, cluster{health: handler}, nil, "week1")
		if health := s.Workloads[0].Pods[0].Health; health == nil || len(health.Dependencies) > 0 {
			t.Errorf("%s: %+v", name, health)
		}
	}
}
