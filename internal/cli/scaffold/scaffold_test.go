package scaffold

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	appsv1 "k8s.io/api/apps/v1"
	"sigs.k8s.io/yaml"

	"github.com/vextrus/finance-rollout/internal/smoke"
	"github.com/vextrus/finance-rollout/internal/testkit"
)

const running = `
metadata: { name: orders, namespace: shop }
spec:
  replicas: 7
  template:
    spec:
      securityContext: { runAsUser: 1001 }
      initContainers: [{ name: migrate }]
      containers:
        - name: proxy
        - name: orders
          image: ghcr.io/shop/orders:1.9.3
          args: [serve]
          ports: [{ containerPort: 9000 }]
          livenessProbe: { httpGet: { path: /live } }
          readinessProbe: { tcpSocket: { port: 9000 } }
          resources: { requests: { cpu: 250m, memory: 300Mi }, limits: { memory: 600Mi } }
          env:
            - { name: LOG_LEVEL, value: info }
            - { name: AUTH_URL, value: "http://auth:3001" }
            - { name: DATABASE_URL, value: "postgres://orders:hunter2@db:5432/orders" }
            - { name: API_TOKEN, value: t0ps3cret }
            - { name: DB_PASSWORD, valueFrom: { secretKeyRef: { name: orders-db, key: password } } }
            - { name: NODE, valueFrom: { fieldRef: { fieldPath: spec.nodeName } } }
          envFrom: [{ configMapRef: { name: orders-env } }, { secretRef: { name: orders-keys }, prefix: KEY_ }]
`

func deployment(t *testing.T) *appsv1.Deployment {
	t.Helper()
	deployment := &appsv1.Deployment{}
	if err := yaml.Unmarshal([]byte(running), deployment); err != nil {
		t.Fatal(err)
	}
	return deployment
}

func TestTakeWhatRuns(t *testing.T) {
	s, err := Default("orders").Take(deployment(t))
	if err != nil {
		t.Fatal(err)
	}
	got := []any{s.Namespace, s.Image, s.Port, s.Replicas, s.User, s.LivePath, s.ReadyPath, s.pods(), s.ports()}
	want := []any{"shop", "ghcr.io/shop/orders:1.9.3", 9000, 7, 1001, "/live", "/readyz", 10, []int{3001}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff(map[string]string{"LOG_LEVEL": "info", "AUTH_URL": "http://auth:3001"}, s.Env); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff(map[string]map[string]string{"requests": {"cpu": "250m", "memory": "300Mi"},
		"limits": {"cpu": "", "memory": "600Mi"}}, s.Resources); diff != "" {
		t.Error(diff)
	}
	notes := strings.Join(s.Notes, "\n")
	for _, word := range []string{"DATABASE_URL may be a credential", "API_TOKEN", "NODE comes from neither",
		"init containers", "arguments", "a probe of the Deployment"} {
		if !strings.Contains(notes, word) {
			t.Errorf("no note of %s in\n%s", word, notes)
		}
	}
	_, err = Default("payments").Take(deployment(t))
	if err == nil || !strings.Contains(err.Error(), "proxy, orders and none named payments") {
		t.Errorf("another service: %v", err)
	}
}

// No value that may be a credential is written or shown.
func TestNoCredentialIsWritten(t *testing.T) {
	s, err := Default("orders").Take(deployment(t))
	if err != nil {
		t.Fatal(err)
	}
	files, err := s.Files("finance-rollout")
	if err != nil {
		t.Fatal(err)
	}
	text := strings.Join(s.Notes, "\n")
	for _, file := range files {
		text += string(file.Content)
	}
	for _, secret := range []string{"hunter2", "t0ps3cret"} {
		if strings.Contains(text, secret) {
			t.Errorf("%s is written", secret)
		}
	}
	if !strings.Contains(text, "orders-db/password") || !strings.Contains(text, "orders-keys") {
		t.Error("the references are lost")
	}
}

func TestNothingIsOverwritten(t *testing.T) {
	dir := t.TempDir()
	files, err := Default("orders").Files("finance-rollout")
	if err != nil {
		t.Fatal(err)
	}
	mine := filepath.Join(dir, files[2].Name)
	if err := os.WriteFile(mine, []byte("mine"), 0o600); err != nil {
		t.Fatal(err)
	}
	err = Write(dir, files)
	if err == nil {
		t.Fatal("overwritten")
	}
	testkit.WantError(t, err, "smoke-orders.yaml exist", "nothing is overwritten", "--app")
	if left, _ := os.ReadDir(dir); len(left) != 1 {
		t.Errorf("%d files beside mine", len(left)-1)
	}
	if err := os.Remove(mine); err != nil {
		t.Fatal(err)
	}
	if err := Write(dir, files); err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		if content, err := os.ReadFile(filepath.Join(dir, file.Name)); err != nil || !slices.Equal(content, file.Content) {
			t.Errorf("%s: %v", file.Name, err)
		}
	}
	if _, err := smoke.Load(mine); err != nil {
		t.Errorf("the suite: %v", err)
	}
}

func TestValuesThatMakeNoStack(t *testing.T) {
	s := Default("Orders_1")
	s.Port, s.Replicas, s.LivePath = 0, 0, "healthz"
	_, err := s.Files("finance-rollout")
	if err == nil {
		t.Fatal("accepted")
	}
	testkit.WantError(t, err, `--app is "Orders_1"`, `--port is "0"`, `--replicas is "0"`, `--live is "healthz"`)
}

func TestRegistries(t *testing.T) {
	for image, want := range map[string]string{
		"": "docker.io/library/", "nginx:1": "docker.io/library/", "shop/orders:1": "docker.io/shop/",
		"ghcr.io/shop/eu/orders@sha256:ab": "ghcr.io/shop/eu/", "localhost:5000/orders": "localhost:5000/",
	} {
		if got := registry(image); got != want {
			t.Errorf("%q: %s, want %s", image, got, want)
		}
	}
}
