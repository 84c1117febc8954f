//go:build e2e

package guard

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/vextrus/finance-rollout/internal/rollback"
)

// startAlertmanager runs a real one whose routes send what is critical to one receiver and what asks for a rollback
// to the webhook.
func startAlertmanager(t *testing.T, people, hook string) string {
	t.Helper()
	dir := t.TempDir()
	config := fmt.Sprintf(`
route:
  receiver: nobody
  group_wait: 100ms
  group_interval: 1s
  routes:
    - { matchers: [ 'action="rollback"' ], receiver: guard }
    - { matchers: [ 'severity="critical"' ], receiver: people }
receivers:
  - name: nobody
  - name: people
    webhook_configs: [ { url: %q } ]
  - name: guard
    webhook_configs: [ { url: %q, http_config: { authorization: { credentials: t0ken } } } ]
`, people, hook)
	if err := os.WriteFile(filepath.Join(dir, "alertmanager.yml"), []byte(config), 0o600); err != nil {
		t.Fatal(err)
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := listener.Addr().String()
	listener.Close()
	command := exec.CommandContext(t.Context(), "alertmanager", "--config.file", filepath.Join(dir, "alertmanager.yml"),
		"--storage.path", dir, "--web.listen-address", address, "--cluster.listen-address", "")
	command.Stderr = os.Stderr
	if err := command.Start(); err != nil {
		t.Fatalf("start alertmanager: %v: run `make e2e`, or put .local/bin on the PATH", err)
	}
	t.Cleanup(func() {
		_ = command.Process.Kill()
		_ = command.Wait()
	})
	base := "http://" + address
	for deadline := time.Now().Add(30 * time.Second); ; {
		answer, err := http.Get(base + "/-/ready")
		if err == nil {
			answer.Body.Close()
			if answer.StatusCode == http.StatusOK {
				return base
			}
		}
		if time.Now().After(deadline) {
			t.Fatalf("alertmanager does not become ready: %v", err)
		}
		time.Sleep(50 * time.Millisecond)
	}
}

// TestThroughARealAlertmanager pushes the notice of a rollback, which takes the team's route to people, and an alert
// that asks for a rollback, which comes back by the webhook.
func TestThroughARealAlertmanager(t *testing.T) {
	var mu sync.Mutex
	people := 0
	receiver := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {
		mu.Lock()
		defer mu.Unlock()
		people++
	}))
	defer receiver.Close()
	delivered := make(chan []Alert, 10)
	hook := httptest.NewServer(newWebhook(func() (string, error) { return "t0ken", nil }, func() bool { return true },
		func(firing []Alert) { delivered <- firing }, func(string, int) {}))
	defer hook.Close()
	manager := rollback.Alertmanager{Client: http.DefaultClient, Address: startAlertmanager(t, receiver.URL, hook.URL)}

	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	config := Config{Environment: "production", Release: "v2", RunbookURL: "https://runbook.example.com"}
	config.Spec.App, config.Spec.Namespace = "finance", "shop"
	r := &runner{config: config, guard: &Guard{options: Options{Now: time.Now}}}
	notice := r.notice(Finding{Cause: CauseErrors}, rollback.Outcome{Reason: "33 of 90 requests failed",
		Evidence: "finance-evidence-1"})
	if err := manager.Push(ctx, notice); err != nil {
		t.Fatal(err)
	}
	asking := notice
	asking.Labels = map[string]string{"alertname": "TheTeamsOwn", "action": "rollback", "app": "finance", "release": "v2",
		"namespace": "shop"}
	if err := manager.Push(ctx, asking); err != nil {
		t.Fatal(err)
	}
	select {
	case firing := <-delivered:
		if len(firing) != 1 || firing[0].Name != "TheTeamsOwn" || !firing[0].concerns(config) || firing[0].Summary == "" {
			t.Errorf("%+v", firing)
		}
	case <-ctx.Done():
		t.Fatal("the alert does not come by the webhook")
	}
	for {
		mu.Lock()
		notified := people
		mu.Unlock()
		if notified > 0 {
			break
		}
		if ctx.Err() != nil {
			t.Fatal("nobody was notified of the rollback")
		}
		time.Sleep(50 * time.Millisecond)
	}
	select {
	case firing := <-delivered:
		t.Errorf("the notice of a rollback asks for another one: %+v", firing)
	case <-time.After(2 * time.Second):
	}
}
