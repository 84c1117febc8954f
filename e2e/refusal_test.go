//go:build e2e

package e2e

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// badInput checks that the preview refuses invalid values with the key, the value and what is allowed, and changes
// nothing.
func badInput(t *testing.T, c *cluster) {
	before := c.generations(t)
	tests := []struct {
		path, value, restore string
		want                 []string
	}{
		{"canaryWeight", "-1", "", []string{"canaryWeight", `"-1"`, "0 to 100"}},
		{"canaryWeight", "33", "", []string{"canaryWeight", `"33"`, "30 % (3 of 10)", "40 % (4 of 10)"}},
		{"canaryWeight", "30%", "", []string{"canaryWeight", `"30%"`, "0 to 100"}},
		{"week", "5", "1", []string{"week", `"5"`, "1 to 4"}},
		{"kubeContext", "elsewhere", "finance-rollout-local", []string{"elsewhere", "finance-rollout-local"}},
		{"image", "localhost:5001/vextrus/finance:v99", c.committedImage(t), []string{"config image", "vextrus/finance:v99"}},
		{"namespace", "monitoring", c.production, []string{"namespace monitoring", "somebody else", "kubectl annotate"}},
		{"canaryWieght", "30", "-", []string{"canaryWieght", "no such key"}},
	}
	for _, tt := range tests {
		t.Run(tt.path+" "+tt.value, func(t *testing.T) {
			c.config(t, tt.path, tt.value)
			output, err := c.pulumi(t, "preview", "--stack", "production")
			if err == nil {
				t.Errorf("accepted:\n%s", tail(output))
			}
			for _, word := range tt.want {
				if !strings.Contains(output, word) {
					t.Errorf("the refusal does not name %q:\n%s", word, tail(output))
				}
			}
			if tt.restore == "" || tt.restore == "-" {
				c.unset(t, tt.path)
				return
			}
			c.config(t, tt.path, tt.restore)
		})
	}
	if diff := cmp.Diff(before, c.generations(t)); diff != "" {
		t.Errorf("something was changed (-before +after):\n%s", diff)
	}
}

func (c *cluster) committedImage(t *testing.T) string {
	t.Helper()
	return c.configured(t, "production", "image")
}

// changedSecret is a new release within the first stage: it replaces the canary's pods, stable keeps what it runs,
// and no capacity is lost at any moment.
func changedSecret(t *testing.T, c *cluster) {
	before := c.generations(t)
	c.secret(t, "secrets.finance-secrets.eventstore-connection", "memory://rotated")
	c.customers(t, 30)
	whole := c.watchCapacity(t)
	c.up(t, "production")
	whole()
	after := c.generations(t)
	if after["finance-service-week1"] == before["finance-service-week1"] {
		t.Error("the canary was not rolled")
	}
	if after["finance-service-stable"] != before["finance-service-stable"] {
		t.Error("stable was changed by a secret that has not passed")
	}
	c.expectTracks(t, 9, 1)
}

// noSecretAnywhere searches everything that was printed or stored for the value of every secret.
func noSecretAnywhere(t *testing.T, c *cluster) {
	places := map[string]string{"output of the commands": c.logged.String()}
	for _, stack := range []string{"staging", "production"} {
		export, err := c.pulumi(t, "stack", "export", "--stack", stack)
		if err != nil {
			t.Fatal(err)
		}
		places["state of "+stack] = export
		diff, err := c.pulumi(t, "preview", "--stack", stack, "--diff")
		if err != nil {
			t.Fatal(err)
		}
		places["diff of "+stack] = diff
	}
	for name, args := range map[string][]string{
		"events":         {"get", "events", "-n", c.production, "-o", "yaml"},
		"config maps":    {"get", "configmaps", "-n", c.production, "-o", "yaml"},
		"deployments":    {"get", "deployments", "-n", c.production, "-o", "yaml"},
		"logs of stable": {"logs", "-n", c.production, "-l", "track=stable", "--tail=-1"},
		"logs of canary": {"logs", "-n", c.production, "-l", "track=canary", "--tail=-1"},
	} {
		text, err := c.run(t, "kubectl", args...)
		if err != nil {
			t.Fatalf("%s: %v\n%s", name, err, text)
		}
		places[name] = text
	}
	for _, file := range []string{"jwt-secret", "postgres-password"} {
		secret, err := os.ReadFile(filepath.Join(c.root, ".local", "secrets", file))
		if err != nil || len(secret) < 12 {
			t.Fatalf("secret %s: %d bytes, %v", file, len(secret), err)
		}
		for place, text := range places {
			if text == "" {
				t.Errorf("%s is empty", place)
			}
			if strings.Contains(text, string(secret)) {
				t.Errorf("the %s stands in the %s", file, place)
			}
		}
	}
}

// unprotect lets the production stack be destroyed.
func (c *cluster) unprotect(t *testing.T) {
	t.Helper()
	if output, err := c.pulumi(t, "state", "unprotect", "--all", "--yes", "--stack", "production"); err != nil {
		t.Fatalf("pulumi state unprotect: %v\n%s", err, tail(output))
	}
}

func destroy(t *testing.T, c *cluster) {
	if output, err := c.pulumi(t, "destroy", "--stack", "production", "--yes", "--skip-preview"); err == nil ||
		!strings.Contains(output, "protect") {
		t.Fatalf("pulumi destroy of a protected stack: %v\n%s", err, tail(output))
	}
	c.unprotect(t)
	for _, stack := range []string{"production", "staging"} {
		if output, err := c.pulumi(t, "destroy", "--stack", stack, "--yes", "--skip-preview"); err != nil {
			t.Fatalf("pulumi destroy -s %s: %v\n%s", stack, err, tail(output))
		}
	}
	for _, namespace := range []string{c.production, c.staging} {
		pods, err := c.kubernetes.CoreV1().Pods(namespace).List(t.Context(), metav1.ListOptions{})
		if err != nil || len(pods.Items) > 0 {
			t.Errorf("%s still holds %d pods: %v", namespace, len(pods.Items), err)
		}
	}
	if _, err := c.kubernetes.CoreV1().Namespaces().Get(t.Context(), c.staging, metav1.GetOptions{}); err == nil {
		t.Errorf("namespace %s is still there", c.staging)
	}
	// The history stays, and so does the namespace that holds it.
	if ledger, err := c.run(t, "kubectl", "get", "configmap", "finance-service-ledger", "-n", c.production, "-o",
		"yaml"); err != nil || !strings.Contains(ledger, "history:") {
		t.Errorf("the ledger is gone: %v\n%s", err, ledger)
	}
}
