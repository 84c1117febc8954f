// Package otherservice_test keeps the example configuration of another service valid: its settings load, and its
// smoke suite passes a service that behaves and fails one that does not.
package otherservice_test

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/pulumi/pulumi/sdk/v3/go/property"

	"github.com/vextrus/finance-rollout/internal/plan"
	"github.com/vextrus/finance-rollout/internal/policy"
	"github.com/vextrus/finance-rollout/internal/settings"
	"github.com/vextrus/finance-rollout/internal/smoke"
	"github.com/vextrus/finance-rollout/internal/testkit"
)

func readStack(t *testing.T) testkit.Config {
	t.Helper()
	return testkit.StackFile(t, "Pulumi.orders.yaml")
}

func TestSettings(t *testing.T) {
	stack := readStack(t)
	if _, err := settings.Load("orders", stack); err == nil || !strings.Contains(err.Error(),
		"secrets.orders-db.url: missing") {
		t.Errorf("without its secret: %v", err)
	}
	stack["secrets"] = `{"orders-db":{"url":"postgres://orders@db/orders"}}`
	s, err := settings.Load("orders", stack)
	if err != nil {
		t.Fatal(err)
	}
	if want := (plan.Position{Week: 1, Weight: 10, Stable: 9, Canary: 1}); s.Position() != want {
		t.Errorf("position %+v, want %+v", s.Position(), want)
	}
	got := []string{s.ServiceName, s.Environment, s.SecretName("orders-db"), s.DashboardUID(), s.Metrics.StatusLabel}
	want := []string{"orders", "production", "orders-db-production", "orders-week1", "status"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	// Nothing of the finance service is inherited.
	if diff := cmp.Diff(map[string]settings.SecretRef{"DATABASE_URL": {Secret: "orders-db", Key: "url"}},
		s.SecretEnv); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff(settings.Values{"PORT": "8080"}, s.Env); diff != "" {
		t.Error(diff)
	}
	if _, err := smoke.Load(filepath.Join("..", "..", s.Smoke.Suite)); err != nil {
		t.Errorf("the suite that the stack names: %v", err)
	}
}

// orders answers as the service should, but for what a test breaks.
func orders(broken string) http.Handler {
	answers := map[string]struct {
		status int
		body   string
	}{
		"GET /healthz":     {200, "ok"},
		"GET /readyz":      {200, "ok"},
		"GET /orders":      {200, `{"orders":[{"id":"4711"}]}`},
		"GET /orders/{id}": {404, `{"error":"no such order"}`},
		"POST /orders":     {422, `{"error":"items: at least one"}`},
	}
	mux := http.NewServeMux()
	for pattern, answer := range answers {
		if pattern == broken {
			answer.status, answer.body = 500, "panic: nil map"
		}
		mux.HandleFunc(pattern, func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(answer.status)
			_, _ = w.Write([]byte(answer.body))
		})
	}
	return mux
}

func runSuite(t *testing.T, broken string) *smoke.Report {
	t.Helper()
	suite, err := smoke.Load("smoke.yaml")
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(orders(broken))
	t.Cleanup(server.Close)
	tokens, err := smoke.NewTokens(nil, "", time.Unix(0, 0))
	if err != nil {
		t.Fatal(err)
	}
	targets := []smoke.Target{{Name: "orders-1", BaseURL: server.URL, Client: server.Client()}}
	return smoke.Run(t.Context(), suite, targets, tokens.Values("production", ""))
}

func TestSuitePassesAServiceThatBehaves(t *testing.T) {
	if report := runSuite(t, ""); !report.OK() || report.Total != 6 {
		t.Errorf("%s", report)
	}
}

func TestSuiteFailsWhatIsBroken(t *testing.T) {
	for broken, want := range map[string][]string{
		"GET /healthz":     {"liveness"},
		"GET /readyz":      {"readiness"},
		"GET /orders":      {"list", "latency"},
		"GET /orders/{id}": {"unknown-order"},
		"POST /orders":     {"bad-order"},
	} {
		report := runSuite(t, broken)
		var failed []string
		for _, result := range report.Failures() {
			failed = append(failed, result.Check)
		}
		if diff := cmp.Diff(want, failed); diff != "" {
			t.Errorf("%s broken: %s\n%s", broken, diff, report)
		}
	}
}

func TestThePolicyPacksConfiguration(t *testing.T) {
	raw, err := os.ReadFile("policies.json")
	if err != nil {
		t.Fatal(err)
	}
	var configured map[string]any
	if err := json.Unmarshal(raw, &configured); err != nil {
		t.Fatal(err)
	}
	known := map[string]policy.Policy{}
	for _, p := range policy.All(policy.Facts{}) {
		known[p.Name] = p
	}
	for name, value := range configured {
		p, exists := known[name]
		if !exists {
			t.Errorf("there is no policy %s", name)
			continue
		}
		switch value := value.(type) {
		case string:
			if value != "disabled" {
				t.Errorf("policy %s has the level %q", name, value)
			}
		case map[string]any:
			limits, err := p.With(value)
			if err != nil {
				t.Error(err)
			}
			container := property.New(map[string]property.Value{"image": property.New("shop/orders@sha256:" +
				strings.Repeat("1", 64))})
			image := policy.Resource{Type: "kubernetes:core/v1:Pod", Properties: property.NewMap(map[string]property.Value{
				"spec": property.New(map[string]property.Value{"containers": property.New([]property.Value{container})}),
			})}
			if violations := p.Resource(image, limits); len(violations) > 0 {
				t.Errorf("the example's own image is refused: %v", violations)
			}
		}
	}
}
