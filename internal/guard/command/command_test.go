package command

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/vextrus/finance-rollout/internal/guard"
)

func TestSmokeValuesComeFromFiles(t *testing.T) {
	dir := t.TempDir()
	write := func(name, text string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	flags := guardFlags{smokeKeyFile: write("key", "sign-with-me\n"),
		smokeOriginFile: write("origin", " https://app.example.com \n")}
	suite, values, err := flags.smoke(guard.Config{SmokeSuite: "finance-service", Environment: "production"})
	if err != nil {
		t.Fatal(err)
	}
	if suite.Name != "finance-service" || values.AllowedOrigin != "https://app.example.com" || values.Token == "" ||
		values.ExpiredToken == "" {
		t.Errorf("suite %s, %v", suite.Name, values)
	}
	if _, _, err := flags.smoke(guard.Config{SmokeSuite: "name: x\nchecks: ["}); err == nil {
		t.Error("an invalid suite is accepted")
	}
	flags.smokeKeyFile = filepath.Join(dir, "missing")
	if _, _, err := flags.smoke(guard.Config{SmokeSuite: "finance-service"}); err == nil {
		t.Error("a missing key is accepted")
	}
}

func TestTheKeysOfWebhooksComeFromFiles(t *testing.T) {
	dir := t.TempDir()
	if (&guardFlags{}).key() != nil {
		t.Error("a guard without keys tells webhooks")
	}
	read := (&guardFlags{notifyKeys: dir}).key()
	if _, err := read("notify_hmac-key"); err == nil {
		t.Error("a missing key is no error")
	}
	for _, want := range []string{"first", "second"} {
		if err := os.WriteFile(filepath.Join(dir, "notify_hmac-key"), []byte(want+"\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		for _, name := range []string{"notify_hmac-key", "../x/notify_hmac-key"} {
			if got, err := read(name); err != nil || got != want {
				t.Errorf("%s: %q, %v", name, got, err)
			}
		}
	}
}

func TestTheLedgersKeyComesFromAFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "key")
	if (&guardFlags{}).ledgerKey() != nil {
		t.Error("a guard without a file has a key")
	}
	read := (&guardFlags{ledgerKeyFile: path}).ledgerKey()
	if _, err := read(); err == nil {
		t.Error("a missing key is no error")
	}
	if err := os.WriteFile(path, []byte("-----BEGIN\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if got, err := read(); err != nil || got != "-----BEGIN" {
		t.Errorf("%q, %v", got, err)
	}
}

func TestANewTokenIsValidAtOnce(t *testing.T) {
	path := filepath.Join(t.TempDir(), "token")
	flags := guardFlags{tokenFile: path}
	read := flags.token()
	if _, err := read(); err == nil {
		t.Error("a missing token is no error")
	}
	for _, want := range []string{"first", "second"} {
		if err := os.WriteFile(path, []byte(want+"\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		if got, err := read(); err != nil || got != want {
			t.Errorf("%q, %v", got, err)
		}
	}
	if (&guardFlags{}).token() != nil {
		t.Error("there is a webhook without a token")
	}
}

func TestReach(t *testing.T) {
	t.Setenv("KUBERNETES_SERVICE_HOST", "10.0.0.1")
	flags := guardFlags{}
	reach := flags.reach(nil)
	for text, want := range map[string]string{
		"http://prometheus.example.com:9090/": "http://prometheus.example.com:9090",
		"monitoring/prometheus-operated:9090": "http://prometheus-operated.monitoring.svc:9090",
	} {
		if _, address, err := reach(guard.SourcePrometheus, text); err != nil || address != want {
			t.Errorf("%s: %s, %v", text, address, err)
		}
	}
	if _, _, err := reach(guard.SourcePrometheus, "prom"); err == nil {
		t.Error("an invalid endpoint is accepted")
	}
}

// The kubelet replaces the files of a Secret while the guard runs: a new password counts without a restart.
func TestEachServerHasItsLogin(t *testing.T) {
	dir := t.TempDir()
	write := func(name, text string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	got := ""
	server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		got = r.Header.Get("Authorization") + r.Header.Get("X-Scope-OrgID")
	}))
	t.Cleanup(server.Close)
	flags := guardFlags{
		prometheusLoginFile:   write("prometheus", `{"authorization":{"credentials":"0ne"}}`),
		alertmanagerLoginFile: write("alertmanager", `{"http_headers":{"X-Scope-OrgID":{"values":["payments"]}}}`),
	}
	reach := flags.reach(nil)
	ask := func(source, want string) {
		t.Helper()
		client, address, err := reach(source, server.URL)
		if err != nil {
			t.Fatal(err)
		}
		answer, err := client.Get(address)
		if err != nil || got != want {
			t.Errorf("%s: sent %q, %v; want %q", source, got, err, want)
			return
		}
		_ = answer.Body.Close()
	}
	ask(guard.SourcePrometheus, "Bearer 0ne")
	ask(guard.SourceAlertmanager, "payments")
	write("prometheus", `{"authorization":{"credentials":"tw0"}}`)
	ask(guard.SourcePrometheus, "Bearer tw0")
	flags = guardFlags{}
	reach = flags.reach(nil)
	ask(guard.SourcePrometheus, "")
}

func TestTheHostAndThePodCompleteTheFlags(t *testing.T) {
	wrongUsage := errors.New("wrong usage")
	usage := func(err error) error { return errors.Join(wrongUsage, err) }
	flags := guardFlags{namespace: "shop"}
	if err := flags.complete(usage); err != nil || flags.identity == "" {
		t.Errorf("identity %q, %v", flags.identity, err)
	}
	outside := guardFlags{identity: "one"}
	if err := outside.complete(usage); !errors.Is(err, wrongUsage) || !strings.Contains(err.Error(), "set --namespace") {
		t.Errorf("without a namespace, outside of a pod: %v", err)
	}
	t.Setenv("KUBERNETES_SERVICE_HOST", "10.0.0.1")
	inside, byHand := guardFlags{}, guardFlags{kubeconfig: "config"}
	if !inside.inPod() || byHand.inPod() {
		t.Errorf("in a pod: %v; by hand: %v", inside.inPod(), byHand.inPod())
	}
}

// watcher is a guard whose watches end with the error; nil lets it wait for its context.
func watcher(t *testing.T, failure error) *guard.Guard {
	t.Helper()
	return guard.New(guard.Options{
		Registry: prometheus.NewRegistry(), Logger: slog.New(slog.DiscardHandler), Now: time.Now,
		Watch: func(ctx context.Context, _ func()) (guard.Objects, error) {
			if failure != nil {
				return nil, failure
			}
			<-ctx.Done()
			return nil, context.Cause(ctx)
		},
	})
}

func TestServerAndWatcherEndTogether(t *testing.T) {
	forbidden := errors.New("forbidden")
	server := func() *http.Server { return &http.Server{Addr: "127.0.0.1:0", ReadHeaderTimeout: time.Second} }
	if err := serveAndWatch(t.Context(), server(), watcher(t, forbidden)); !errors.Is(err, forbidden) {
		t.Errorf("a watch that fails: %v", err)
	}
	stopped, stop := context.WithCancel(t.Context())
	time.AfterFunc(10*time.Millisecond, stop)
	if err := serveAndWatch(stopped, server(), watcher(t, nil)); err != nil {
		t.Errorf("a signal to stop: %v", err)
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	occupied := &http.Server{Addr: listener.Addr().String(), ReadHeaderTimeout: time.Second}
	if err := serveAndWatch(t.Context(), occupied, watcher(t, nil)); err == nil ||
		!strings.Contains(err.Error(), "serve metrics") {
		t.Errorf("an occupied address: %v", err)
	}
}
