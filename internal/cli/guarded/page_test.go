package guarded

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/common/model"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/vextrus/finance-rollout/internal/gate"
	"github.com/vextrus/finance-rollout/internal/guard"
	"github.com/vextrus/finance-rollout/internal/guard/command"
	"github.com/vextrus/finance-rollout/internal/ledger"
	"github.com/vextrus/finance-rollout/internal/names"
	"github.com/vextrus/finance-rollout/internal/plan"
	"github.com/vextrus/finance-rollout/internal/testkit/store"
)

const (
	token  = "a-token-of-the-test"
	hidden = "s3cr3t-of-the-guard"
)

var began = time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC)

// world is what a guard sees in a test, and all that its page may ask.
type world struct {
	mu       sync.Mutex
	rollouts []guard.Seen
	ledger   store.Memory
	version  string
	away     error
	reads    int
	token    string
}

func (w *world) Rollouts() []guard.Seen {
	w.mu.Lock()
	defer w.mu.Unlock()
	list := append([]guard.Seen{}, w.rollouts...)
	for i := range list {
		list[i].LedgerVersion = w.version
	}
	return list
}

func (w *world) History(ctx context.Context, _ guard.Config) (*ledger.Ledger, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.reads++
	if w.away != nil {
		return nil, w.away
	}
	return ledger.Read(ctx, &w.ledger)
}

func (w *world) Endpoints(_ context.Context, _, service string) ([]string, error) {
	return []string{service + "-stable-0", service + "-v2-0"}, w.failing()
}

func (w *world) LeaseHolder(context.Context, string, string) (holder string, renewed time.Time, err error) {
	return "finance-guard-x2", began.Add(time.Hour), w.failing()
}

func (w *world) ConfigMap(context.Context, string, string) (data map[string]string, version string, err error) {
	return map[string]string{"weight": "10", "verdict": "pass"}, "7", w.failing()
}

func (w *world) failing() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.away
}

func (w *world) Ask(_ context.Context, query string, _ time.Time) (model.Value, error) {
	if strings.HasPrefix(query, "ALERTS") {
		return model.Vector{{Metric: model.Metric{"alertname": "CanaryLatencyHigh", "severity": "warning"}}}, nil
	}
	return model.Vector{{Metric: model.Metric{names.Track: names.Canary}, Value: 12},
		{Metric: model.Metric{names.Track: names.Stable}, Value: 88}}, nil
}

func (w *world) Range(context.Context, string, time.Time, time.Time, time.Duration) (model.Matrix, error) {
	return model.Matrix{}, nil
}

// record writes entries as an update and the guard do.
func (w *world) record(t *testing.T, at time.Time, entries ...ledger.Entry) {
	t.Helper()
	if _, err := ledger.Write(t.Context(), &w.ledger, func() time.Time { return at }, entries...); err != nil {
		t.Fatal(err)
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.version += "+"
}

// seen is a rollout of an app whose v2 takes requests.
func seen(app string) guard.Seen {
	config := guard.Config{Format: guard.Format, Environment: "production", Stack: "production", Release: "v2",
		Service: app, Ledger: app + "-ledger", Prometheus: "monitoring/prometheus:9090"}
	config.Spec.Namespace, config.Spec.App, config.Spec.Metrics = "shop", app, gate.DefaultMetrics()
	config.Spec.Criteria = []gate.Criterion{gate.ErrorRate(0.005, 0.01)}
	config.Spec.Plan = plan.Soak{Duration: 48 * time.Hour, Extension: 24 * time.Hour}
	deployment := func(name string) *appsv1.Deployment {
		d := &appsv1.Deployment{ObjectMeta: metav1.ObjectMeta{Name: name}}
		d.Spec.Template.Labels = map[string]string{names.App: app}
		d.Spec.Template.Spec.Containers = []corev1.Container{{Name: app, Image: "finance@sha256:2b40e63d169c",
			Env: []corev1.EnvVar{{Name: "PASSWORD", Value: hidden}}}}
		return d
	}
	pod := func(name string) []*corev1.Pod {
		return []*corev1.Pod{{ObjectMeta: metav1.ObjectMeta{Name: name}, Status: corev1.PodStatus{
			Phase:      corev1.PodRunning,
			Conditions: []corev1.PodCondition{{Type: corev1.PodReady, Status: corev1.ConditionTrue}}}}}
	}
	return guard.Seen{Name: app + "-guard", Config: config, Ready: 2,
		Deployments: map[string]*appsv1.Deployment{names.Stable: deployment(app + "-stable"),
			names.Canary: deployment(app + "-v2")},
		Pods: map[string][]*corev1.Pod{names.Stable: pod(app + "-stable-0"), names.Canary: pod(app + "-v2-0")}}
}

// soaking is a world in which v2 of each app soaks at 10 % for an hour.
func soaking(t *testing.T, apps ...string) *world {
	t.Helper()
	w := &world{token: token}
	for _, app := range apps {
		w.rollouts = append(w.rollouts, seen(app))
	}
	w.record(t, began, ledger.Entry{Kind: ledger.ShiftReached, Who: "anna", Release: "v2", Image: "sha256:2b40e63d169c",
		Stable: "sha256:0000", To: 10})
	w.record(t, began.Add(50*time.Minute), ledger.Entry{Kind: ledger.Checkpoint, Who: "guard/x2", Release: "v2", From: 10,
		To: 10, Verdict: "inconclusive", Soaked: 3000, Image: "sha256:2b40e63d169c", Numbers: []ledger.Number{
			{Name: "error rate", N: 24012, K: 91, Lower: 0.0028, Upper: 0.0051, Verdict: "inconclusive"}}})
	return w
}

func (w *world) page(t *testing.T) http.Handler {
	t.Helper()
	return New(t.Context(), command.PageSource{Identity: "finance-guard-x1", Lease: "finance-guard",
		Watcher: w, Cluster: w,
		Prometheus: func(string) (command.PageServer, error) { return w, nil },
		Token:      func() (string, error) { return w.token, w.failingToken() },
		Logger:     slog.New(slog.DiscardHandler), Now: func() time.Time { return began.Add(time.Hour) }})
}

func (w *world) failingToken() error {
	if w.token == "" {
		return errors.New("no file")
	}
	return nil
}

func ask(handler http.Handler, method, path, bearer string) *httptest.ResponseRecorder {
	request := httptest.NewRequest(method, path, nil)
	request.Host = "finance-guard.shop.svc:8080"
	if bearer != "" {
		request.Header.Set("Authorization", "Bearer "+bearer)
	}
	recorder := httptest.NewRecorder()
	handler.ServeHTTP(recorder, request)
	return recorder
}

// first are the sections of the first event of a page that has all it waits for.
func first(t *testing.T, handler http.Handler, path string, has func(map[string]string) bool) map[string]string {
	t.Helper()
	server := httptest.NewServer(handler)
	defer server.Close()
	ctx, leave := context.WithTimeout(t.Context(), 30*time.Second)
	defer leave()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, server.URL+path, nil)
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Authorization", "Bearer "+token)
	answer, err := server.Client().Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	all := map[string]string{}
	lines := newLines(answer.Body)
	for lines.Scan() {
		data, ok := strings.CutPrefix(lines.Text(), "data: ")
		if !ok {
			continue
		}
		if err := json.Unmarshal([]byte(data), &all); err != nil {
			t.Fatal(err)
		}
		if has(all) {
			return all
		}
	}
	t.Fatalf("%v: %v", lines.Err(), all)
	return nil
}

func TestOnlyTheTokenOpensTheGuardsPage(t *testing.T) {
	handler := soaking(t, "finance").page(t)
	for name, tt := range map[string]struct {
		method, path, bearer string
		code                 int
		location             string
	}{
		"nothing":         {"GET", "/dashboard/", "", 401, ""},
		"another token":   {"GET", "/dashboard/finance-guard/", "b-token", 401, ""},
		"events":          {"GET", "/dashboard/finance-guard/events", "", 401, ""},
		"an unknown one":  {"GET", "/dashboard/payments-guard/", "", 401, ""},
		"the only one":    {"GET", "/dashboard/", token, 302, "finance-guard/"},
		"the page":        {"GET", "/dashboard/finance-guard/", token, 200, ""},
		"the token":       {"GET", "/dashboard/?token=" + token, "", 303, "./"},
		"at the page":     {"GET", "/dashboard/finance-guard/?token=" + token, "", 303, "./"},
		"no rollout":      {"GET", "/dashboard/payments-guard/", token, 404, ""},
		"no page":         {"GET", "/dashboard/finance-guard/else", token, 404, ""},
		"a write":         {"POST", "/dashboard/finance-guard/", token, 405, ""},
		"a deletion":      {"DELETE", "/dashboard/finance-guard/events", token, 405, ""},
		"another's cloak": {"GET", "/dashboard/..%2Fwebhook/", token, 404, ""},
	} {
		answer := ask(handler, tt.method, tt.path, tt.bearer)
		if answer.Code != tt.code || answer.Header().Get("Location") != tt.location {
			t.Errorf("%s: %d to %q, want %d: %s", name, answer.Code, answer.Header().Get("Location"), tt.code, answer.Body)
		}
		if strings.Contains(answer.Body.String(), token) || answer.Header().Get("Content-Security-Policy") == "" {
			t.Errorf("%s: %s", name, answer.Body)
		}
	}
	gone := soaking(t, "finance")
	handler, gone.token = gone.page(t), ""
	if answer := ask(handler, "GET", "/dashboard/", ""); answer.Code != http.StatusInternalServerError {
		t.Errorf("without a token in its file: %d", answer.Code)
	}
}

func TestAGuardOfSeveralRolloutsListsThem(t *testing.T) {
	handler := soaking(t, "finance", "payments").page(t)
	answer := ask(handler, "GET", "/dashboard/", token)
	for _, want := range []string{`href="finance-guard/"`, `href="payments-guard/"`} {
		if answer.Code != 200 || !strings.Contains(answer.Body.String(), want) {
			t.Errorf("%d: %s", answer.Code, answer.Body)
		}
	}
	for _, app := range []string{"finance", "payments"} {
		news := first(t, handler, "/dashboard/"+app+"-guard/events", func(all map[string]string) bool {
			return strings.Contains(all["summary"], "soaks")
		})
		if !strings.Contains(news["summary"], app+" v2") {
			t.Errorf("%s: %s", app, news["summary"])
		}
	}
	if answer := ask((&world{token: token}).page(t), "GET", "/dashboard/", token); !strings.Contains(answer.Body.String(),
		"watches no rollout") {
		t.Errorf("%s", answer.Body)
	}
}
