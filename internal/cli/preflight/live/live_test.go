package live

import (
	"context"
	"errors"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/common/model"
	appsv1 "k8s.io/api/apps/v1"

	"github.com/vextrus/finance-rollout/internal/cli/preflight"
	"github.com/vextrus/finance-rollout/internal/endpoint"
	"github.com/vextrus/finance-rollout/internal/kube"
	"github.com/vextrus/finance-rollout/internal/settings"
)

var (
	now          = time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC)
	errForbidden = errors.New("forbidden")
)

const digest = "sha256:1111111111111111111111111111111111111111111111111111111111111111"

type source map[string]string

func (s source) Get(key string) (string, bool) { value, ok := s[key]; return value, ok }
func (s source) IsSecret(key string) bool      { return key == "secrets" }
func (s source) Keys() []string                { return slices.Sorted(maps.Keys(s)) }

func stack(t *testing.T, changes map[string]string) *settings.Settings {
	t.Helper()
	values := source{
		"week": "1", "image": "r/x@" + digest, "stableImage": "r/x@" + digest, "prometheus": "monitoring/prometheus:9090",
		"namespace": "vextrus-production",
		"guard":     `{"alertmanager":"monitoring/alertmanager:9093"}`, "preflight": `{"databaseBackup":"data/postgres"}`,
		"secrets": `{"finance-db":{"host":"db","username":"f","password":"p-p-p"},"finance-secrets":{"jwt-secret":"j","eventstore-connection":"e","cors-origin":"o"}}`,
	}
	maps.Copy(values, changes)
	s, err := settings.Load("production", values)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// cluster is a Cluster; err is what every question gives, but for whether it answers.
type cluster struct {
	err     error
	proxied string // the address behind every Service
}

func (c cluster) ConfigMap(context.Context, string, string) (map[string]string, string, error) {
	return nil, "", c.err
}

func (c cluster) SwapConfigMap(context.Context, string, string, map[string]string, string) error {
	return errors.New("a checklist writes nothing")
}

func (c cluster) ServiceProxy(namespace, service string, _ int) (http.RoundTripper, string) {
	return http.DefaultTransport, c.proxied + "/" + namespace + "/" + service
}
func (c cluster) Check(context.Context) error             { return nil }
func (c cluster) Origin() string                          { return "here" }
func (c cluster) Version(context.Context) (string, error) { return "v1.34.4", nil }

func (c cluster) Allowed(_ context.Context, verb, _, _, _, _ string) (bool, error) {
	return verb != "delete", c.err
}

func (c cluster) NamespaceOwner(context.Context, string) (kube.Namespace, bool, error) {
	return kube.Namespace{Annotations: map[string]string{"finance-rollout/stack": "me"}}, true, c.err
}

func (c cluster) SecretStates(_ context.Context, _, _ string, judge func(string) string) (map[string]string, bool,
	error) {
	return map[string]string{"host": judge("db"), "password": judge("<SECURE_PASSWORD>"), "username": judge(" ")}, true,
		c.err
}

func (c cluster) Rooms(context.Context) ([]kube.Room, error) {
	return []kube.Room{{Node: "a", CPU: 1, Memory: 2, Pods: 3}}, c.err
}

func (c cluster) LastSuccess(context.Context, string, string) (time.Time, bool, error) {
	return now, true, c.err
}

func (c cluster) Deployment(context.Context, string, string) (*appsv1.Deployment, bool, error) {
	return &appsv1.Deployment{Status: appsv1.DeploymentStatus{Replicas: 3}}, true, c.err
}

type fakePrometheus struct{ err error }

func (p fakePrometheus) Ask(_ context.Context, query string, _ time.Time) (model.Value, error) {
	if query == "vector(1)" {
		return model.Vector{}, nil
	}
	up := func(track string, value float64) *model.Sample {
		return &model.Sample{Metric: model.Metric{"track": model.LabelValue(track)}, Value: model.SampleValue(value)}
	}
	return model.Vector{up("stable", 1), up("stable", 1), up("canary", 0), up("", 1)}, p.err
}

func (p fakePrometheus) LabelValues(_ context.Context, label, selector string, _, _ time.Time) ([]string, error) {
	metric, _, _ := strings.Cut(selector, "{")
	return []string{label + " of " + metric}, p.err
}

func (p fakePrometheus) RuleGroups(context.Context) (names, broken []string, err error) {
	return []string{"g"}, []string{"A of finance-service-production.alerts: x", "B of other: y"}, p.err
}

func (p fakePrometheus) Alertmanagers(context.Context) ([]string, error) {
	return []string{"am"}, p.err
}

func gather(t *testing.T, s *settings.Settings, c cluster, connected, failing error) preflight.Facts {
	t.Helper()
	web := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch {
		case strings.HasPrefix(r.URL.Path, "/vextrus-production/signoz"):
			w.WriteHeader(http.StatusNotFound)
			_, _ = w.Write([]byte(`{"kind":"Status","message":"services \"signoz\" not found"}`))
		case strings.HasPrefix(r.URL.Path, "/api/dashboards/uid/finance-week1"):
			w.WriteHeader(http.StatusNotFound)
			_, _ = w.Write([]byte(`{"message":"Dashboard not found"}`))
		case r.URL.Path != "/monitoring/alertmanager/-/ready":
			t.Errorf("asked for %s", r.URL.Path)
		}
	}))
	t.Cleanup(web.Close)
	c.proxied = web.URL
	if s.DashboardURL != "" {
		s.DashboardURL = web.URL
	}
	return Gather(t.Context(), Source{
		Stack: "production", Owner: "me", Settings: s, Now: func() time.Time { return now }, HTTP: web.Client(),
		Cluster:    func() (Cluster, error) { return c, connected },
		Prometheus: func(Cluster) (Server, error) { return fakePrometheus{failing}, nil },
		Image:      func(context.Context, string) (string, error) { return digest, failing },
		Staging:    func(context.Context) (string, error) { return digest, failing },
	})
}

func TestGather(t *testing.T) {
	f := gather(t, stack(t, map[string]string{"dashboardURL": "https://grafana.example"}), cluster{}, nil, nil)
	if f.Cluster.Version != "v1.34.4" || f.Namespace.Owner != "me" || f.Image.Digest != digest ||
		f.Staging.Verified != digest || f.Ledger.Err != nil {
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
		!cmp.Equal(p.Statuses, []string{"code of http_requests_total"}) ||
		!cmp.Equal(p.Bounds, []string{"le of http_request_duration_seconds_bucket"}) {
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

// Without permissions every part has its error, and the checklist says so in every row.
func TestGatherWithoutPermissions(t *testing.T) {
	s := stack(t, nil)
	f := gather(t, s, cluster{err: errForbidden}, nil, errForbidden)
	list := preflight.Check(s, f)
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

// Without a cluster only what needs none is asked.
func TestGatherWithoutACluster(t *testing.T) {
	s := stack(t, nil)
	f := gather(t, s, cluster{}, errors.New("no such context"), nil)
	if f.Cluster.Err == nil || f.Image.Digest != digest || f.Permissions != nil || f.Prometheus.Up != nil {
		t.Errorf("%+v", f)
	}
	if list := preflight.Check(s, f); list.State() != preflight.Failed {
		t.Errorf("%+v", list)
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
