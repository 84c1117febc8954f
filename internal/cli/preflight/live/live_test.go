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
	authorizationv1 "k8s.io/api/authorization/v1"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	clienttesting "k8s.io/client-go/testing"

	"github.com/vextrus/finance-rollout/internal/cli/preflight"
	"github.com/vextrus/finance-rollout/internal/endpoint"
	"github.com/vextrus/finance-rollout/internal/login"
	"github.com/vextrus/finance-rollout/internal/prometheus"
	"github.com/vextrus/finance-rollout/internal/settings"
	"github.com/vextrus/finance-rollout/internal/testkit"
	"github.com/vextrus/finance-rollout/internal/testkit/cluster"
	promtest "github.com/vextrus/finance-rollout/internal/testkit/prometheus"
)

var (
	now          = time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC)
	errForbidden = errors.New("forbidden")
)

const (
	namespace = "vextrus-production"
	digest    = "sha256:1111111111111111111111111111111111111111111111111111111111111111"
)

func production(t *testing.T, changes map[string]string) *settings.Settings {
	t.Helper()
	s, err := settings.Load("production", testkit.Config{
		"week": "1", "image": "r/x@" + digest, "stableImage": "r/x@" + digest, "prometheus": "monitoring/prometheus:9090",
		"namespace": namespace,
		"guard":     `{"alertmanager":"monitoring/alertmanager:9093"}`, "preflight": `{"databaseBackup":"data/postgres"}`,
		"secrets": `{"finance-db":{"host":"db","username":"f","password":"p-p-p"},"finance-secrets":{"jwt-secret":"j","eventstore-connection":"e","cors-origin":"o"}}`,
	}.With(changes))
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// newCluster is a cluster whose canary has three pods, with a Prometheus and an Alertmanager in it. The operator may
// delete nothing. Nothing listens where the pods send traces.
func newCluster(t *testing.T) (*cluster.Cluster, *promtest.Server) {
	t.Helper()
	labels := map[string]string{"app": "finance-service", "track": "canary", "version": "week1"}
	node := &corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: "a"}, Status: corev1.NodeStatus{
		Allocatable: corev1.ResourceList{corev1.ResourceCPU: resource.MustParse("4"),
			corev1.ResourceMemory: resource.MustParse("8Gi"), corev1.ResourcePods: resource.MustParse("10")},
		Conditions: []corev1.NodeCondition{{Type: corev1.NodeReady, Status: corev1.ConditionTrue}},
	}}
	succeeded := metav1.NewTime(now)
	c := cluster.New(t, node,
		&corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: namespace,
			Annotations: map[string]string{"finance-rollout/stack": "me"}}},
		&corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: "finance-db-production"},
			Data: map[string][]byte{"host": []byte("db"), "password": []byte("<SECURE_PASSWORD>"), "username": []byte(" ")}},
		&batchv1.CronJob{ObjectMeta: metav1.ObjectMeta{Namespace: "data", Name: "postgres"},
			Status: batchv1.CronJobStatus{LastSuccessfulTime: &succeeded}},
		cluster.Deployment(namespace, "finance-service-week1", "r/x@"+digest, 3, labels),
	)
	c.Allow(func(access authorizationv1.ResourceAttributes) bool { return access.Verb != "delete" })
	server := promtest.New(t)
	up := func(pod, track string, value float64) *model.Sample {
		return promtest.Sample(value, "pod", pod, "track", track)
	}
	server.Answer("up{", model.Vector{up("a", "stable", 1), up("b", "stable", 1), up("c", "canary", 0),
		promtest.Sample(1, "pod", "d")})
	server.Labels("http_requests_total{", "code", "200", "503")
	server.Labels("http_request_duration_seconds_bucket{", "le", "0.5", "+Inf")
	server.Load([]promtest.Rule{{Group: "finance-service-production.alerts", Name: "A", Err: "x"},
		{Group: "other", Name: "B", Err: "y"}}, "http://alertmanager:9093")
	c.HandleService("monitoring", "prometheus", 9090, server)
	c.HandleService("monitoring", "alertmanager", 9093, only(t, "/-/ready", http.StatusOK, ""))
	return c, server
}

// only answers one path, and fails the test for any other.
func only(t *testing.T, path string, status int, body string) http.Handler {
	t.Helper()
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != path {
			t.Errorf("asked for %s", r.URL.Path)
		}
		w.WriteHeader(status)
		_, _ = w.Write([]byte(body))
	})
}

// source reads from the cluster as the command does. failing is how registry and staging fail.
func source(s *settings.Settings, c *cluster.Cluster, failing error) Source {
	return Source{
		Stack: "production", Owner: "me", Settings: s, Now: func() time.Time { return now }, HTTP: &http.Client{},
		Cluster: func() (Cluster, error) { return c, nil },
		Prometheus: func(proxy Cluster) (Server, error) {
			return prometheus.Connect(endpoint.Way{Proxy: proxy}, s.Prometheus)
		},
		Image:   func(context.Context, string) (string, error) { return digest, failing },
		Staging: func(context.Context) (string, error) { return digest, failing },
		Past: func(_ context.Context, at time.Time) (preflight.Past, error) {
			return preflight.Past{Soaks: at.Hour(), Dispersion: 1}, failing
		},
	}
}

func TestGather(t *testing.T) {
	c, _ := newCluster(t)
	grafana := httptest.NewServer(only(t, "/api/dashboards/uid/finance-week1", http.StatusNotFound,
		`{"message":"Dashboard not found"}`))
	t.Cleanup(grafana.Close)
	f := Gather(t.Context(), source(production(t, map[string]string{"dashboardURL": grafana.URL}), c, nil))
	if f.Cluster.Version != cluster.Version || f.Cluster.Origin != c.Origin() || f.Namespace.Owner != "me" ||
		f.Image.Digest != digest || f.Staging.Verified != digest || f.Ledger.Err != nil || f.Past.Soaks != now.Hour() {
		t.Errorf("%+v", f)
	}
	want := map[string]string{"host": preflight.KeySet, "password": preflight.KeyPlaceholder,
		"username": preflight.KeyEmpty}
	if diff := cmp.Diff(want, f.Secrets["finance-db-production"].Keys); diff != "" {
		t.Errorf("keys (-want +got)\n%s", diff)
	}
	p := f.Prometheus
	if !cmp.Equal(p.Up, map[string]int{"stable": 2}) || !cmp.Equal(p.Down, map[string]int{"canary": 1}) {
		t.Errorf("targets %v, %v", p.Up, p.Down)
	}
	if !cmp.Equal(p.Broken, []string{"A of finance-service-production.alerts: x"}) ||
		!cmp.Equal(p.Statuses, []string{"200", "503"}) || !cmp.Equal(p.Bounds, []string{"0.5", "+Inf"}) ||
		!cmp.Equal(p.Alertmanagers, []string{"http://alertmanager:9093"}) {
		t.Errorf("%+v", p)
	}
	if f.Alertmanager.Status != http.StatusOK || f.Alertmanager.Err != nil {
		t.Errorf("alertmanager %+v", f.Alertmanager)
	}
	if f.OTLP.Address != "http://signoz:4318" || f.OTLP.Err == nil || f.OTLP.Err.Error() != `services "signoz" not found` {
		t.Errorf("the API server's own answer is taken for the Service's: %+v", f.OTLP)
	}
	if f.Grafana.Status != http.StatusNotFound || f.Grafana.Err != nil ||
		!strings.HasSuffix(f.Grafana.Address, "/d/finance-week1") {
		t.Errorf("grafana %+v", f.Grafana)
	}
	if f.Capacity.Canary != 3 || len(f.Capacity.Nodes) != 1 || !f.DatabaseBackup.Succeeded.Equal(now) ||
		f.EventStoreBackup.Exists {
		t.Errorf("capacity %+v, backups %+v, %+v", f.Capacity, f.DatabaseBackup, f.EventStoreBackup)
	}
	denied := 0
	for _, permission := range f.Permissions {
		if permission.Verb == "" || permission.Err != nil {
			t.Errorf("%+v", permission)
		}
		if !permission.Allowed {
			denied++
		}
	}
	if denied == 0 || denied == len(f.Permissions) {
		t.Errorf("%d of %d are denied", denied, len(f.Permissions))
	}
}

// Without permissions every part has its error, and the checklist says so in every row. Prometheus is outside the
// cluster, and answers nothing but the question whether it answers.
func TestGatherWithoutPermissions(t *testing.T) {
	c, server := newCluster(t)
	c.Fail("*", "*", errForbidden)
	c.React("get", "version", func(clienttesting.Action) (bool, runtime.Object, error) { return true, nil, nil })
	server.Fail(errForbidden, "vector(1)")
	s := production(t, map[string]string{"prometheus": server.URL})
	list := preflight.Check(s, Gather(t.Context(), source(s, c, errForbidden)))
	for _, row := range list.Rows {
		switch row.Name {
		case "cluster", "prometheus":
			if row.State != preflight.OK {
				t.Errorf("%+v", row)
			}
		case "grafana":
			if row.State != preflight.Skipped {
				t.Errorf("%+v", row)
			}
		default:
			if row.State == preflight.OK || row.State == preflight.Skipped {
				t.Errorf("%+v", row)
			}
		}
	}
}

// A checklist writes nothing. Queries to Prometheus are POST requests through the service proxy.
func TestGatherChangesNothing(t *testing.T) {
	c, _ := newCluster(t)
	Gather(t.Context(), source(production(t, nil), c, nil))
	for _, call := range c.Calls() {
		verb, kind, _ := strings.Cut(call, " ")
		if verb != "get" && verb != "list" && !strings.HasPrefix(kind, "selfsubjectaccessreviews") &&
			!strings.HasPrefix(kind, "services/proxy") {
			t.Errorf("the checklist asks the cluster to %s", call)
		}
	}
}

// The checklist gets into Prometheus and Alertmanager as the gates and the guard do.
func TestGatherBehindLogins(t *testing.T) {
	c, server := newCluster(t)
	behind := func(header string, next http.Handler) *httptest.Server {
		demanding := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.Header.Get("Authorization") != header {
				w.WriteHeader(http.StatusUnauthorized)
				return
			}
			next.ServeHTTP(w, r)
		}))
		t.Cleanup(demanding.Close)
		return demanding
	}
	metrics := behind("Bearer t0ken-value", server)
	alertmanager := behind("Bearer 0ther-value", only(t, "/alertmanager/-/ready", http.StatusOK, ""))
	token := func(value string) endpoint.Login {
		return login.New(func(context.Context) (string, error) {
			return `{"authorization":{"credentials":"` + value + `"}}`, nil
		})
	}
	s := production(t, map[string]string{"prometheus": metrics.URL,
		"guard": `{"alertmanager":"` + alertmanager.URL + `/alertmanager"}`})
	from := source(s, c, nil)
	from.Alertmanager = token("0ther-value")
	from.Prometheus = func(proxy Cluster) (Server, error) {
		return prometheus.Connect(endpoint.Way{Proxy: proxy, Login: token("t0ken-value")}, s.Prometheus)
	}
	f := Gather(t.Context(), from)
	if f.Prometheus.Err != nil || f.Alertmanager.Status != http.StatusOK {
		t.Errorf("prometheus %v, alertmanager %+v", f.Prometheus.Err, f.Alertmanager)
	}
	from.Alertmanager = token("wr0ng-value")
	if f := Gather(t.Context(), from); f.Alertmanager.Status != http.StatusUnauthorized {
		t.Errorf("with another login: %+v", f.Alertmanager)
	}
}

// Without a cluster only what needs none is asked.
func TestGatherWithoutACluster(t *testing.T) {
	c, _ := newCluster(t)
	s := production(t, nil)
	from := source(s, c, nil)
	from.Cluster = func() (Cluster, error) { return nil, errors.New("no such context") }
	f := Gather(t.Context(), from)
	if f.Cluster.Err == nil || f.Image.Digest != digest || f.Permissions != nil || f.Prometheus.Up != nil {
		t.Errorf("%+v", f)
	}
	if list := preflight.Check(s, f); list.State() != preflight.Failed {
		t.Errorf("%+v", list)
	}
	if calls := c.Calls(); len(calls) > 0 {
		t.Errorf("asked %q", calls)
	}
}

func TestAddressesAsPodsSeeThem(t *testing.T) {
	for address, want := range map[string]endpoint.Endpoint{
		"http://signoz:4318":                          {Namespace: "here", Service: "signoz", Port: 4318},
		"http://signoz.platform:4318":                 {Namespace: "platform", Service: "signoz", Port: 4318},
		"https://collector.platform.svc/":             {Namespace: "platform", Service: "https:collector", Port: 443},
		"http://collector.platform.svc.cluster.local": {Namespace: "platform", Service: "collector", Port: 80},
		"https://ingest.example.com:443":              {URL: "https://ingest.example.com:443"},
		"http://10.0.0.7:4318":                        {URL: "http://10.0.0.7:4318"},
		"http://[fd00::1]:4318":                       {URL: "http://[fd00::1]:4318"},
		"https://ingest.eu.signoz.cloud/some/path/":   {URL: "https://ingest.eu.signoz.cloud/some/path"},
	} {
		if got, err := inCluster(address, "here"); err != nil || got != want {
			t.Errorf("%s: %+v, %v; want %+v", address, got, err, want)
		}
	}
	if _, err := inCluster("signoz:4318", "here"); err == nil {
		t.Error("an address without a scheme is one")
	}
}
