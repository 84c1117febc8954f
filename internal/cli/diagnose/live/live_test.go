package live

import (
	"errors"
	"net/http"
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
	"github.com/vextrus/finance-rollout/internal/prometheus"
	"github.com/vextrus/finance-rollout/internal/testkit/cluster"
	promtest "github.com/vextrus/finance-rollout/internal/testkit/prometheus"
)

var now = time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC)

const (
	namespace = "vextrus-production"
	secret    = "s3cr3t-value"
)

var errForbidden = errors.New("forbidden:\n you may not " + secret)

// canary is a Deployment whose pods need a Secret and a ConfigMap.
func canary() *appsv1.Deployment {
	deployment := cluster.Deployment(namespace, "week1", "finance@sha256:bb", 1,
		map[string]string{"app": "finance-service", "track": "canary", "version": "week1"})
	container := &deployment.Spec.Template.Spec.Containers[0]
	container.Env = []corev1.EnvVar{{Name: "A", ValueFrom: &corev1.EnvVarSource{SecretKeyRef: &corev1.SecretKeySelector{
		LocalObjectReference: corev1.LocalObjectReference{Name: "db"}, Key: "password"}}}}
	container.EnvFrom = []corev1.EnvFromSource{{ConfigMapRef: &corev1.ConfigMapEnvSource{
		LocalObjectReference: corev1.LocalObjectReference{Name: "env"}}}}
	return deployment
}

// newCluster is a cluster with one Deployment and one pod, which has restarted once, and the name of the pod. The
// ConfigMap that the pod needs does not exist.
func newCluster(t *testing.T, health http.HandlerFunc) (c *cluster.Cluster, name string) {
	t.Helper()
	c = cluster.New(t, canary(),
		&corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: "db"},
			Data: map[string][]byte{"host": []byte(secret)}},
		&corev1.Event{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: "wrong"},
			Message: "the key " + secret + " is wrong"},
	)
	pods, err := c.DeploymentPods(t.Context(), namespace, "week1")
	if err != nil || len(pods) != 1 {
		t.Fatalf("%d pods: %v", len(pods), err)
	}
	pod := pods[0]
	pod.Status.ContainerStatuses[0].RestartCount = 1
	if _, err := c.Clientset.CoreV1().Pods(namespace).UpdateStatus(t.Context(), &pod, metav1.UpdateOptions{}); err != nil {
		t.Fatal(err)
	}
	c.Log(namespace, pod.Name, false, "one\ntoken="+secret+"\n")
	c.Log(namespace, pod.Name, true, "before\n")
	if health != nil {
		c.HandlePod(namespace, "week1", health)
	}
	return c, pod.Name
}

// newServer is a Prometheus that knows what the pod uses, and has no series of its requests.
func newServer(t *testing.T, pod string) (*promtest.Server, *prometheus.Client) {
	t.Helper()
	server := promtest.New(t)
	server.Answer("throttled", model.Vector{promtest.Sample(0.5, "pod", pod)})
	server.Answer("memory", model.Vector{promtest.Sample(1<<20, "pod", pod)})
	client, err := prometheus.NewClient(&http.Client{}, server.URL)
	if err != nil {
		t.Fatal(err)
	}
	return server, client
}

func gather(t *testing.T, c *cluster.Cluster, server Server, deployment string) diagnose.Snapshot {
	t.Helper()
	metrics := gate.DefaultMetrics().For("canary", "week1")
	return Gather(t.Context(), c, server, Options{
		Stack: "production", Namespace: namespace, Targets: []Target{{Name: deployment, Metrics: &metrics}},
		Port: 3014, HealthPath: "/health",
		Criteria: []gate.Criterion{gate.ErrorRate(0.005, 0.01), gate.Latency(500*time.Millisecond, 0.95)},
		Window:   5 * time.Minute,
		Redact:   func(text string) string { return strings.ReplaceAll(text, secret, "[redacted]") },
		Now:      func() time.Time { return now },
	})
}

func TestGather(t *testing.T) {
	c, name := newCluster(t, func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusServiceUnavailable)
		_, _ = w.Write(
			[]byte(`{"status":"error","details":{"database":{"status":"down","message":"x"},"eventstore":{"status":"up"}}}`))
	})
	_, client := newServer(t, name)
	s := gather(t, c, client, "week1")
	pod := s.Workloads[0].Pods[0]
	if pod.Name != name || len(s.Workloads[0].ReplicaSets) != 1 {
		t.Errorf("pod %s, replicasets %v", pod.Name, s.Workloads[0].ReplicaSets)
	}
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

// The service is asked for its health whatever its sidecars do.
func TestASidecarThatWaitsHidesNoHealth(t *testing.T) {
	running := corev1.ContainerState{Running: &corev1.ContainerStateRunning{}}
	waiting := corev1.ContainerState{Waiting: &corev1.ContainerStateWaiting{}}
	for name, tt := range map[string]struct {
		proxy, shop corev1.ContainerState
		want        bool
	}{"the proxy waits": {waiting, running, true}, "the service waits": {running, waiting, false}} {
		pod := &diagnose.Pod{Pod: corev1.Pod{
			ObjectMeta: metav1.ObjectMeta{Labels: map[string]string{"app": "shop"}},
			Spec:       corev1.PodSpec{Containers: []corev1.Container{{Name: "proxy"}, {Name: "shop"}}},
			Status: corev1.PodStatus{ContainerStatuses: []corev1.ContainerStatus{{Name: "proxy", State: tt.proxy},
				{Name: "shop", State: tt.shop}}},
		}}
		if got := serves(pod); got != tt.want {
			t.Errorf("%s: %v", name, got)
		}
	}
}

// Every part that may not be read is named, on a line of its own, and no secret is shown.
func TestGatherWithoutPermissions(t *testing.T) {
	for name, tt := range map[string]struct {
		denied []string // verb and resource
		parts  []string
		keys   int // the Secrets and ConfigMaps whose keys are known
	}{
		"only Deployments": {[]string{"list *", "get secrets", "get configmaps"}, []string{"events",
			"replicasets of week1", "pods of week1", "secret db", "configmap env", "error rate of week1", "resource usage"}, 0},
		"no way into pods": {[]string{"get pods/log", "create pods/portforward"}, []string{"log of POD", "health of POD",
			"error rate of week1", "resource usage"}, 2},
		"nothing": {[]string{"* *"}, []string{"events", "deployment week1"}, 0},
	} {
		t.Run(name, func(t *testing.T) {
			c, pod := newCluster(t, nil)
			server, client := newServer(t, pod)
			server.Fail(errForbidden)
			for _, denied := range tt.denied {
				verb, resource, _ := strings.Cut(denied, " ")
				c.Fail(verb, resource, errForbidden)
			}
			s := gather(t, c, client, "week1")
			text := strings.Join(s.Unseen, "\n")
			for _, part := range tt.parts {
				if part = strings.ReplaceAll(part, "POD", pod); !strings.Contains(text, part+": ") {
					t.Errorf("%s is not named:\n%s", part, text)
				}
			}
			if strings.Contains(text, secret) || strings.Contains(text, "\n ") {
				t.Errorf("unseen shows a secret, or is no line each:\n%s", text)
			}
			for _, unseen := range s.Unseen {
				if !strings.Contains(unseen, "forbidden") {
					t.Errorf("%q does not say why", unseen)
				}
			}
			if len(s.Secrets)+len(s.ConfigMaps) != tt.keys {
				t.Errorf("the keys of %v and %v are known", s.Secrets, s.ConfigMaps)
			}
		})
	}
}

func TestADeploymentThatIsMissingAndOneThatMayNotBeSeen(t *testing.T) {
	c, _ := newCluster(t, nil)
	findings := diagnose.Diagnose(gather(t, c, nil, "absent"))
	if len(findings.Findings) != 1 || findings.Findings[0].Cause != diagnose.CauseNoDeployment {
		t.Errorf("a missing Deployment: %s", findings)
	}
	c.Fail("*", "*", errForbidden)
	if findings := diagnose.Diagnose(gather(t, c, nil, "absent")); len(findings.Findings) > 0 {
		t.Errorf("a Deployment that may not be seen is called missing: %s", findings)
	}
}

func TestHealthOfAnotherKind(t *testing.T) {
	for name, handler := range map[string]http.HandlerFunc{
		"no JSON":   func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("OK")) },
		"not found": http.NotFound,
		"a list":    func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("[1]")) },
	} {
		c, _ := newCluster(t, handler)
		s := gather(t, c, nil, "week1")
		if health := s.Workloads[0].Pods[0].Health; health == nil || len(health.Dependencies) > 0 {
			t.Errorf("%s: %+v", name, health)
		}
	}
}
