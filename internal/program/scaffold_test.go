package program

import (
	"maps"
	"path/filepath"
	"strings"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	"sigs.k8s.io/yaml"

	"github.com/vextrus/finance-rollout/internal/cli/scaffold"
	"github.com/vextrus/finance-rollout/internal/settings"
	"github.com/vextrus/finance-rollout/internal/testkit"
)

const runningOrders = `
metadata: { name: orders, namespace: shop }
spec:
  replicas: 4
  template:
    spec:
      containers:
        - name: orders
          image: shop/orders:1.9.3
          ports: [{ containerPort: 9000 }]
          env:
            - { name: AUTH_URL, value: "http://auth:3001" }
            - { name: DB_PASSWORD, valueFrom: { secretKeyRef: { name: orders-db, key: password } } }
          envFrom: [{ configMapRef: { name: orders-env } }]
`

// The files that `rollout init` writes load and preview, with nothing of the finance service in them.
func TestScaffoldedStacksPreview(t *testing.T) {
	running := &appsv1.Deployment{}
	if err := yaml.Unmarshal([]byte(runningOrders), running); err != nil {
		t.Fatal(err)
	}
	taken, err := scaffold.Default("orders").Take(running)
	if err != nil {
		t.Fatal(err)
	}
	named := scaffold.Default("orders")
	named.Image, named.Durations, named.MetricsPort = "shop/orders:1.9.3", "", 9100
	for name, service := range map[string]scaffold.Service{"from a Deployment": taken, "from flags": named} {
		dir := t.TempDir()
		files, err := service.Files(project)
		if err != nil {
			t.Fatal(err)
		}
		if err := scaffold.Write(dir, files); err != nil {
			t.Fatal(err)
		}
		for _, environment := range []string{"staging", "production"} {
			stack := service.StackName(environment)
			config := testkit.StackFile(t, filepath.Join(dir, "Pulumi."+stack+".yaml"))
			if strings.Contains(strings.Join(values(config), " "), "finance") {
				t.Errorf("%s: %s holds a value of the finance service: %v", name, stack, config)
			}
			if environment == "production" {
				config["image"] = "shop/orders:2.0.0"
			}
			s, err := settings.Load(stack, config)
			if err != nil {
				t.Fatalf("%s: %s: %v", name, stack, err)
			}
			if s.Environment != environment || s.App != "orders" || len(s.SecretEnv) != 0 || len(s.ConfigEnv) != 0 {
				t.Errorf("%s: %s: %+v", name, stack, s)
			}
			for _, warning := range s.Warnings() {
				if strings.Contains(warning, "egressPorts") {
					t.Errorf("%s: %s: %s", name, stack, warning)
				}
			}
			if err := newWorld().run(t, stack, config); err != nil {
				t.Errorf("%s: preview of %s: %v", name, stack, err)
			}
		}
	}
}

func values(config map[string]string) []string {
	var list []string
	for value := range maps.Values(config) {
		list = append(list, value)
	}
	return list
}
