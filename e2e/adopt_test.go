//go:build e2e

package e2e

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// runningService is the service as the deployment guide applies it with kubectl, with the stable track's own name and
// production's probes.
const runningService = `apiVersion: v1
kind: Secret
metadata: {name: finance-settings, namespace: %[1]s}
stringData: {password: %[2]q, jwt: %[3]q, events: "memory://"}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: finance-service-stable, namespace: %[1]s, labels: {app: finance-service}}
spec:
  replicas: 10
  selector: {matchLabels: {app: finance-service, version: stable}}
  template:
    metadata: {labels: {app: finance-service, version: stable}}
    spec:
      terminationGracePeriodSeconds: 30
      containers:
        - name: finance
          image: %[4]s
          ports: [{name: web, containerPort: 3014}]
          env:
            - {name: PORT, value: "3014"}
            - {name: NODE_ENV, value: production}
            - {name: DATABASE_HOST, value: postgres.data.svc}
            - {name: DATABASE_PORT, value: "5432"}
            - {name: DATABASE_NAME, value: vextrus_finance}
            - {name: DATABASE_USERNAME, value: ledgerapp}
            - {name: DATABASE_PASSWORD, valueFrom: {secretKeyRef: {name: finance-settings, key: password}}}
            - {name: JWT_SECRET, valueFrom: {secretKeyRef: {name: finance-settings, key: jwt}}}
            - {name: EVENTSTORE_CONNECTION_STRING, valueFrom: {secretKeyRef: {name: finance-settings, key: events}}}
            - {name: CORS_ORIGIN, value: "https://app.vextrus.example"}
          resources: {requests: {cpu: 5m, memory: 16Mi}, limits: {memory: 256Mi}}
          livenessProbe: {httpGet: {path: /health/live, port: web}, periodSeconds: 15, timeoutSeconds: 5}
          readinessProbe: {httpGet: {path: /health/ready, port: web}, initialDelaySeconds: 10, periodSeconds: 5,
            timeoutSeconds: 3}
---
apiVersion: v1
kind: Service
metadata: {name: finance-service, namespace: %[1]s, labels: {app: finance-service}}
spec:
  type: NodePort
  selector: {app: finance-service, version: stable}
  ports: [{name: web, port: 3014, targetPort: web, nodePort: %[5]d}]
`

// TestAdopt takes over a service that kubectl made while customers send 50 requests a second.
func TestAdopt(t *testing.T) {
	takeTurn(t, 5)
	c := open(t, "adopt", 31080)
	inOrder(t, c, []part[*cluster]{
		{name: "the service runs", run: serviceRuns, vital: true},
		{name: "an update is refused", run: updateRefused, vital: true},
		{name: "taken over", run: takenOver, vital: true},
		{name: "let go", run: letGo},
	})
}

func serviceRuns(t *testing.T, c *cluster) {
	values := map[string]string{}
	for _, name := range []string{"postgres-password", "jwt-secret"} {
		text, err := os.ReadFile(filepath.Join(c.root, ".local", "secrets", name))
		if err != nil {
			t.Fatal(err)
		}
		values[name] = strings.TrimSpace(string(text))
	}
	manifest := filepath.Join(c.dir, "running.yaml")
	text := fmt.Sprintf(runningService, c.production, values["postgres-password"], values["jwt-secret"],
		c.configured(t, "production", "stableImage"), c.nodePort)
	if err := os.WriteFile(manifest, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, args := range [][]string{
		{"create", "namespace", c.production}, {"apply", "-f", manifest},
		{"-n", c.production, "rollout", "status", "deployment/finance-service-stable", "--timeout=180s"},
	} {
		if output, err := c.run(t, "kubectl", args...); err != nil {
			t.Fatalf("kubectl %s: %v\n%s", args[0], err, output)
		}
	}
}

// updateRefused runs `pulumi up` on the namespace as it is: nothing may change.
func updateRefused(t *testing.T, c *cluster) {
	before := c.generations(t)
	if output, err := c.run(t, "kubectl", "annotate", "namespace", c.production,
		"finance-rollout/stack=finance-rollout/production"); err != nil {
		t.Fatalf("%v\n%s", err, output)
	}
	c.config(t, "canaryWeight", "0")
	c.refused(t, "deployment "+c.production+"/finance-service-stable exists", "rollout adopt -s production")
	if after := c.generations(t); len(after) != 1 || after["finance-service-stable"] != before["finance-service-stable"] {
		t.Errorf("the refused update changed something: %v, then %v", before, after)
	}
	if output, err := c.run(t, "kubectl", "annotate", "namespace", c.production, "finance-rollout/stack-"); err != nil {
		t.Fatalf("%v\n%s", err, output)
	}
}

func takenOver(t *testing.T, c *cluster) {
	sent := c.customers(t, 50)
	c.expect(t, 0, []string{"adopt", "-s", "production", "--plan"}, "finance-service-stable-before", "existingSecretEnv")
	c.expect(t, 0, []string{"adopt", "-s", "production", "--yes"}, "is the stable track of stack production")
	sent.end()
	sent.expectAnswers(t)
	t.Logf("%d requests, %d failed", sent.requests, len(sent.failures))
	for name, want := range map[string]int{"finance-service-stable": 10, "finance-service-stable-before": 0} {
		if desired, _ := c.ready(t, name); desired != want {
			t.Errorf("%s wants %d pods, expected %d", name, desired, want)
		}
	}
	service, err := c.kubernetes.CoreV1().Services(c.production).Get(t.Context(), "finance-service", metav1.GetOptions{})
	if err != nil || service.Spec.Selector["traffic"] != "enabled" || service.Spec.Selector["version"] != "" {
		t.Errorf("the Service selects by %v: %v", service.Spec.Selector, err)
	}
	c.expect(t, 0, []string{"adopt", "-s", "production", "--yes"}, "there is nothing to take over")
}

// letGo ends the rollout of the service: its pods, its Service and its requests know nothing of it.
func letGo(t *testing.T, c *cluster) {
	before := c.generations(t)
	sent := c.customers(t, 50)
	c.expect(t, 0, []string{"adopt", "--release", "-s", "production", "--yes"}, "run on by themselves")
	sent.end()
	sent.expectAnswers(t)
	t.Logf("%d requests, %d failed", sent.requests, len(sent.failures))
	stable, err := c.kubernetes.AppsV1().Deployments(c.production).Get(t.Context(), "finance-service-stable",
		metav1.GetOptions{})
	if err != nil || stable.Generation != before["finance-service-stable"] || stable.Status.ReadyReplicas != 10 ||
		stable.Labels["app.kubernetes.io/managed-by"] != "" {
		t.Errorf("the Deployment is at generation %d of %d with %d pods, its labels are %v: %v", stable.Generation,
			before["finance-service-stable"], stable.Status.ReadyReplicas, stable.Labels, err)
	}
	if _, err := c.kubernetes.CoreV1().ConfigMaps(c.production).Get(t.Context(), "finance-service-release",
		metav1.GetOptions{}); !apierrors.IsNotFound(err) {
		t.Errorf("the release record: %v", err)
	}
	if output, err := c.pulumi(t, "stack", "export", "--stack", "production"); err != nil ||
		strings.Contains(output, "kubernetes:apps/v1:Deployment") {
		t.Errorf("the stack holds a Deployment: %v", err)
	}
	c.expect(t, 0, []string{"adopt", "--release", "-s", "production", "--yes"}, "run on by themselves")
}
