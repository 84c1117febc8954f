//go:build e2e

package e2e

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/vextrus/finance-rollout/internal/ledger"
)

// TestBlind removes Prometheus during a rollout. The test runs its own Prometheus, so that other tests keep theirs. Its
// pods have the probes of the guide, which wait before they look, in place of a startup probe.
func TestBlind(t *testing.T) {
	takeTurn(t, 7)
	c := open(t, "blind", 30980)
	for path, value := range map[string]string{"probes.startup.failureThreshold": "0",
		"probes.readiness.initialDelaySeconds": "20", "probes.liveness.initialDelaySeconds": "45"} {
		c.config(t, path, value)
	}
	c.ownPrometheus(t)
	atTen(t, c, []part[*cluster]{{name: "Prometheus away", run: prometheusAway}})
}

// prometheusNamespace is where the test's own Prometheus runs.
const prometheusNamespace = "monitoring-blind"

// prometheusAccess lets a Prometheus in the namespace find the pods that it scrapes.
const prometheusAccess = `{"apiVersion": "v1", "kind": "List", "items": [
	{"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "monitoring-blind"}},
	{"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "prometheus", "namespace": "monitoring-blind"}},
	{"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRoleBinding",
		"metadata": {"name": "finance-rollout-e2e:prometheus"},
		"roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole",
			"name": "finance-rollout-local:prometheus"},
		"subjects": [{"kind": "ServiceAccount", "name": "prometheus", "namespace": "monitoring-blind"}]}
]}`

// ownPrometheus starts a copy of the local cluster's Prometheus that only watches the production namespace, and points
// the stack at it.
func (c *cluster) ownPrometheus(t *testing.T) {
	t.Helper()
	text, err := c.run(t, "kubectl", "get", "prometheus", "local", "-n", "monitoring", "-o", "json")
	if err != nil {
		t.Fatalf("the local cluster's Prometheus: %v\n%s", err, text)
	}
	var local struct {
		Spec map[string]any `json:"spec"`
	}
	if err := json.Unmarshal([]byte(text), &local); err != nil {
		t.Fatal(err)
	}
	production := map[string]any{"matchLabels": map[string]any{"kubernetes.io/metadata.name": c.production}}
	for _, selector := range []string{"serviceMonitorNamespaceSelector", "podMonitorNamespaceSelector",
		"probeNamespaceSelector", "ruleNamespaceSelector"} {
		local.Spec[selector] = production
	}
	delete(local.Spec, "alerting")
	delete(local.Spec, "externalUrl")
	ownConfig, err := json.Marshal(map[string]any{
		"apiVersion": "monitoring.coreos.com/v1", "kind": "Prometheus",
		"metadata": map[string]any{"name": "own", "namespace": prometheusNamespace}, "spec": local.Spec,
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_, _ = c.run(t, "kubectl", "delete", "--ignore-not-found", "--wait=false", "namespace/"+prometheusNamespace,
			"clusterrolebinding/finance-rollout-e2e:prometheus")
	})
	for name, manifest := range map[string]string{"access.json": prometheusAccess, "prometheus.json": string(ownConfig)} {
		if err := os.WriteFile(filepath.Join(c.dir, name), []byte(manifest), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for _, name := range []string{"access.json", "prometheus.json"} {
		if output, err := c.run(t, "kubectl", "apply", "-f", filepath.Join(c.dir, name)); err != nil {
			t.Fatalf("%v\n%s", err, output)
		}
	}
	c.config(t, "prometheus", prometheusNamespace+"/prometheus-operated:9090")
}

// prometheusAway requests an advance while Prometheus is down. Without evidence nothing moves, and the time does not
// count towards the soak.
func prometheusAway(t *testing.T, c *cluster) {
	c.customers(t, 100)
	c.newSoak(t)
	mark := c.mark(t)
	scale := func(replicas int) {
		t.Helper()
		if output, err := c.run(t, "kubectl", "patch", "prometheus", "own", "-n", prometheusNamespace, "--type", "merge",
			"-p",
			fmt.Sprintf(`{"spec":{"replicas":%d}}`, replicas)); err != nil {
			t.Fatalf("%v\n%s", err, output)
		}
		eventually(t, fmt.Sprintf("Prometheus has %d pods", replicas), func() bool {
			set, err := c.kubernetes.AppsV1().StatefulSets(prometheusNamespace).Get(t.Context(), "prometheus-own",
				metav1.GetOptions{})
			return err == nil && int(set.Status.Replicas) == replicas && int(set.Status.ReadyReplicas) == replicas
		})
	}
	scale(0)
	gone := time.Now()
	c.config(t, "canaryWeight", "30")
	c.refused(t, "no evidence", "prometheus", "restore access to Prometheus")
	output, err := c.pulumi(t, "preview", "--stack", "production")
	if err != nil || !strings.Contains(output, "an update now would be refused") ||
		!strings.Contains(output, "no evidence") {
		t.Errorf("the preview without Prometheus: %v\n%s", err, tail(output))
	}
	c.expectTracks(t, 9, 1)
	away := time.Since(gone)
	scale(1)
	c.upWhenSoaked(t)
	c.expectTracks(t, 7, 3)
	entries := c.noted(t, 0, ledger.ShiftReached, ledger.Verdict)
	verdict, since := entries[len(entries)-2], entries[len(entries)-3]
	if verdict.Kind != ledger.Verdict || verdict.Verdict != "pass" || since.Kind != ledger.ShiftReached {
		t.Fatalf("the ledger:\n%s", c.history(t))
	}
	if unseen := verdict.Time.Sub(since.Time) - time.Duration(verdict.Soaked)*time.Second; unseen < away {
		t.Errorf("%d s are said to be soaked in the %v from entry %d to %d, and Prometheus was away for %v",
			verdict.Soaked, verdict.Time.Sub(since.Time), since.Seq, verdict.Seq, away)
	}
	blind := c.noted(t, mark, ledger.Checkpoint)
	if len(blind) == 0 || blind[0].Verdict != "error" {
		t.Errorf("the look without Prometheus is not noted as one:\n%s", c.history(t))
	}
	c.config(t, "canaryWeight", "10")
	c.up(t, "production")
	c.expectTracks(t, 9, 1)
}
