package kube

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes/fake"
	"k8s.io/client-go/rest"

	"github.com/vextrus/finance-rollout/internal/testkit"
)

const kubeconfigText = `apiVersion: v1
kind: Config
current-context: CURRENT
clusters: [{name: one, cluster: {server: "https://127.0.0.1:1"}}, {name: two, cluster: {server: "https://127.0.0.1:2"}}]
users: [{name: me, user: {token: secret-token}}]
contexts: [{name: staging, context: {cluster: one, user: me}}, {name: production, context: {cluster: two, user: me}}]
`

func kubeconfig(t *testing.T, current string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "config")
	if err := os.WriteFile(path, []byte(strings.Replace(kubeconfigText, "CURRENT", current, 1)), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestNewChoosesTheContext(t *testing.T) {
	file := kubeconfig(t, "staging")
	t.Setenv("KUBECONFIG", file)
	for _, test := range []struct {
		options Options
		want    string
	}{
		{Options{}, "https://127.0.0.1:1"},
		{Options{Context: "production"}, "https://127.0.0.1:2"},
		{Options{Kubeconfig: file, Context: "production"}, "https://127.0.0.1:2"},
		{Options{Kubeconfig: kubeconfig(t, "production")}, "https://127.0.0.1:2"},
	} {
		client, err := New(test.options)
		if err != nil {
			t.Fatalf("%+v: %v", test.options, err)
		}
		if client.Server() != test.want {
			t.Errorf("%+v: server %s, want %s", test.options, client.Server(), test.want)
		}
	}
}

func TestNewRefuses(t *testing.T) {
	missing := filepath.Join(t.TempDir(), "nothing")
	broken := filepath.Join(t.TempDir(), "broken")
	if err := os.WriteFile(broken, []byte("{"), 0o600); err != nil {
		t.Fatal(err)
	}
	t.Setenv("KUBECONFIG", missing)
	t.Setenv("KUBERNETES_SERVICE_HOST", "")
	staging := kubeconfig(t, "staging")
	tests := []struct {
		name    string
		options Options
		want    []string
	}{
		{"unknown context", Options{Kubeconfig: staging, Context: "prod"},
			[]string{`context "prod"`, staging, "it has production, staging"}},
		{"no current context", Options{Kubeconfig: kubeconfig(t, `""`)},
			[]string{"no current context", "production, staging"}},
		{"current context does not exist", Options{Kubeconfig: kubeconfig(t, "gone")},
			[]string{`context "gone"`, "production, staging"}},
		{"file does not exist", Options{Kubeconfig: missing}, []string{missing, "no such file"}},
		{"file is broken", Options{Kubeconfig: broken}, []string{broken}},
		{"nothing configured", Options{}, []string{missing, "does not exist", "set KUBECONFIG",
			"the stack's key kubeconfig"}},
		{"context of nothing", Options{Context: "prod"}, []string{`context "prod"`, missing, "it has none"}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			_, err := New(test.options)
			testkit.WantError(t, err, test.want...)
		})
	}
}

// apiServer is a client of a server that answers every request so.
func apiServer(t *testing.T, handler http.HandlerFunc) *Client {
	t.Helper()
	server := httptest.NewServer(handler)
	t.Cleanup(server.Close)
	client, err := newClient(&rest.Config{Host: server.URL, BearerToken: "secret-token"},
		`context "staging" of kubeconfig /config`)
	if err != nil {
		t.Fatal(err)
	}
	return client
}

func answer(status int, body string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(status)
		_, _ = io.WriteString(w, body)
	}
}

func TestCheck(t *testing.T) {
	var agent string
	good := apiServer(t, func(w http.ResponseWriter, r *http.Request) {
		agent = r.UserAgent()
		answer(http.StatusOK, `{"major":"1","minor":"34"}`)(w, r)
	})
	if err := good.Check(t.Context()); err != nil {
		t.Error(err)
	}
	if agent != userAgent {
		t.Errorf("user agent is %q", agent)
	}
	unauthorized := apiServer(t, answer(http.StatusUnauthorized,
		`{"kind":"Status","apiVersion":"v1","status":"Failure","message":"Unauthorized","reason":"Unauthorized","code":401}`))
	testkit.WantError(t, unauthorized.Check(t.Context()), "refuses the credentials", `context "staging"`, "renew them")

	gone := httptest.NewServer(http.NotFoundHandler())
	gone.Close()
	unreachable, err := newClient(&rest.Config{Host: gone.URL}, `context "staging" of kubeconfig /config`)
	if err != nil {
		t.Fatal(err)
	}
	testkit.WantError(t, unreachable.Check(t.Context()), "does not answer", gone.URL,
		`context "staging" of kubeconfig /config`, "connection refused")
}

func TestCheckGivesUpWithItsContext(t *testing.T) {
	release := make(chan struct{})
	client := apiServer(t, func(http.ResponseWriter, *http.Request) { <-release })
	t.Cleanup(func() { close(release) })
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if err := client.Check(ctx); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("error %v, want one for the deadline", err)
	}
	if _, err := client.Kinds(ctx, "apps/v1"); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("error %v, want one for the deadline", err)
	}
}

func TestKinds(t *testing.T) {
	served := apiServer(t, answer(http.StatusOK, `{"kind":"APIResourceList","groupVersion":"monitoring.coreos.com/v1","resources":[
		{"name":"servicemonitors","kind":"ServiceMonitor"},{"name":"prometheusrules","kind":"PrometheusRule"},{"name":"servicemonitors/status","kind":"ServiceMonitor"}]}`))
	got, err := served.Kinds(t.Context(), "monitoring.coreos.com/v1")
	if err != nil || !slices.Equal(got, []string{"PrometheusRule", "ServiceMonitor"}) {
		t.Errorf("got %v, %v", got, err)
	}
	none := apiServer(t, answer(http.StatusNotFound, `404 page not found`))
	if got, err := none.Kinds(t.Context(), "monitoring.coreos.com/v1"); err != nil || got != nil {
		t.Errorf("group that is not installed: %v, %v", got, err)
	}
	broken := apiServer(t, answer(http.StatusInternalServerError, `oops`))
	_, err = broken.Kinds(t.Context(), "monitoring.coreos.com/v1")
	testkit.WantError(t, err, "list the kinds of monitoring.coreos.com/v1")
}

// Neither client floods the API server, and the evidence does not take the Lease's turn.
func TestTheClientsHaveRateLimitsOfTheirOwn(t *testing.T) {
	client, err := newClient(&rest.Config{Host: "https://127.0.0.1:1"}, "a test")
	if err != nil {
		t.Fatal(err)
	}
	usual := client.clientset.CoreV1().RESTClient().GetRateLimiter()
	urgent := client.urgent().CoordinationV1().RESTClient().GetRateLimiter()
	if usual.QPS() != mostQPS || urgent.QPS() != mostQPS || usual == urgent {
		t.Errorf("limits of %v and %v calls a second, the same: %v", usual.QPS(), urgent.QPS(), usual == urgent)
	}
}

// A canary leaves traffic by calls that wait behind none of the others.
func TestACanaryLeavesByTheUrgentClient(t *testing.T) {
	canary := map[string]string{"track": "canary"}
	usual, urgent := fake.NewClientset(), fake.NewClientset(newPod("a", true, canary), newSlice("one", "a"),
		&appsv1.Deployment{ObjectMeta: metav1.ObjectMeta{Name: "finance", Namespace: "shop"}})
	client := &Client{clientset: usual, priority: urgent}
	if labelled, err := client.LabelPods(t.Context(), "shop", canary, "traffic", "isolated"); err != nil ||
		len(labelled) != 1 {
		t.Errorf("labelled %v, %v", labelled, err)
	}
	if endpoints, err := client.Endpoints(t.Context(), "shop", "finance"); err != nil || len(endpoints) != 1 {
		t.Errorf("endpoints %v, %v", endpoints, err)
	}
	if ended, err := client.EndPods(t.Context(), "shop", canary, time.Second); err != nil || ended != 1 {
		t.Errorf("ended %d, %v", ended, err)
	}
	if err := client.Scale(t.Context(), "shop", "finance", 3); err != nil {
		t.Error(err)
	}
	for _, action := range usual.Actions() {
		t.Errorf("by the usual client: %s %s", action.GetVerb(), action.GetResource().Resource)
	}
}
