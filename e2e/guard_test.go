//go:build e2e

package e2e

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/vextrus/finance-rollout/e2e/fixture"
	"github.com/vextrus/finance-rollout/internal/ledger"
	"github.com/vextrus/finance-rollout/internal/names"
)

// guarded is a production stack whose guard runs.
type guarded struct {
	*cluster
	*fixture.Stack
	secret []byte
}

// TestGuard brings canaries into trouble beside a running guard, and the guard too. Its parts build on each other and
// run in order.
func TestGuard(t *testing.T) {
	t.Parallel()
	c := open(t, "-guarded", 30580)
	t.Cleanup(func() { c.destroyLeftovers(t) })
	c.config(t, "bake.duration", "0s")
	c.config(t, "soak.duration", "48h")
	c.config(t, "guard.webhookToken", "guard/webhook")
	if output, err := c.pulumi(t, "config", "set", "--stack", "production", "--secret", "--path", "secrets.guard.webhook",
		"--", webhookToken); err != nil {
		t.Fatalf("%v\n%s", err, output)
	}
	c.up(t, "staging")
	c.up(t, "production")
	stack, err := fixture.Open(os.Getenv("KUBECONFIG"), c.production)
	if err != nil {
		t.Fatal(err)
	}
	secret, err := os.ReadFile(filepath.Join(c.root, ".local", "secrets", "jwt-secret"))
	if err != nil {
		t.Fatal(err)
	}
	g := &guarded{cluster: c, Stack: stack, secret: secret}
	for _, part := range []struct {
		name string
		run  func(*guarded, *testing.T)
	}{
		{"permissions", (*guarded).permissions},
		{"a third of the answers fails", (*guarded).aThirdFails},
		{"crash loop", (*guarded).crashLoop},
		{"readiness lost", (*guarded).readinessLost},
		{"both tracks fail", (*guarded).bothFail},
		{"webhook", (*guarded).webhook},
		{"two rollbacks at once, and an operator", (*guarded).twoAtOnce},
		{"killed between the steps", (*guarded).killed},
		{"API server away", (*guarded).apiServerAway},
		{"Prometheus away", (*guarded).prometheusAway},
		{"a healthy canary stays", (*guarded).healthyStays},
		{"the next update", (*guarded).nextUpdate},
	} {
		t.Run(part.name, func(t *testing.T) { part.run(g, t) })
	}
}

// permissions checks by the API server's own word that the guard's account may do what it needs and read no secret.
func (g *guarded) permissions(t *testing.T) {
	account := fmt.Sprintf("system:serviceaccount:%s:finance-service-guard", g.Namespace)
	for question, want := range map[string]string{
		"patch pods": "yes", "patch deployments.apps/other --subresource=scale": "no",
		"patch deployments.apps/finance-service-week1 --subresource=scale": "yes",
		"get secrets": "no", "list secrets": "no", "create pods": "no", "delete pods": "no", "patch deployments.apps": "no",
		"create pods/exec":                         "no",
		"update configmaps/finance-service-config": "no", "update configmaps/finance-service-ledger": "yes",
		"list pods -n kube-system": "no",
	} {
		args := append([]string{"auth", "can-i", "--as", account, "-n", g.Namespace}, strings.Fields(question)...)
		output, _ := g.run(t, "kubectl", args...)
		if got := strings.TrimSpace(output); !strings.HasPrefix(got, want) {
			t.Errorf("may it %s? %s, want %s", question, got, want)
		}
	}
}

// customers send requests for the length of a part.
func (g *guarded) customers(t *testing.T) *fixture.Customers {
	t.Helper()
	sent, err := fixture.Send(g.nodePort, 100, g.secret)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(sent.End)
	return sent
}

// expectOut waits until the canary is out of the endpoints, its image latched, its pods gone, stable whole and the
// outcome recorded.
func (g *guarded) expectOut(t *testing.T) ledger.Entry {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 90*time.Second)
	defer cancel()
	var latch ledger.Entry
	err := fixture.Until(ctx, func() (bool, error) {
		left, err := g.Endpoints(ctx)
		if err != nil || len(left) > 0 {
			return false, err
		}
		state, err := g.State(ctx)
		if err != nil || state.Unfinished != nil {
			return false, err
		}
		image, err := g.Image(ctx)
		if err != nil {
			return false, err
		}
		found, latched := state.Latch(image)
		latch = found
		canary, err := g.Cluster.Replicas(ctx, g.Namespace, g.CanaryDeployment())
		if err != nil {
			return false, err
		}
		stable, err := g.Cluster.Replicas(ctx, g.Namespace, g.StableDeployment())
		return latched && canary == 0 && stable == 10, err
	})
	if err != nil {
		history, _ := ledger.Read(t.Context(), g.Ledger())
		t.Fatalf("the canary is not out: %v\n%s", err, history)
	}
	return latch
}

func (g *guarded) enter(t *testing.T, env map[string]string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	if _, err := g.Enter(ctx, env); err != nil {
		t.Fatal(err)
	}
}

var healthy = map[string]string{"FAULTS": "", "FAULTS_ENABLED": "true"}

func (g *guarded) aThirdFails(t *testing.T) {
	sent := g.customers(t)
	began := time.Now()
	g.enter(t, map[string]string{"FAULTS": "errors=0.33"})
	latch := g.expectOut(t)
	if !strings.Contains(latch.Reason, "requests failed") || !strings.HasPrefix(latch.Who, "guard/") {
		t.Errorf("the latch tells %q by %s", latch.Reason, latch.Who)
	}
	if failed := len(sent.Failures(began)); failed > 30 {
		t.Errorf("%d failed answers reached clients", failed)
	}
	for _, failure := range sent.Failures(began) {
		if !strings.HasPrefix(failure.Pod, g.CanaryDeployment()) {
			t.Errorf("a request failed that the canary did not answer: %+v", failure)
		}
	}
	g.expectEvidence(t, "requests failed")
	for _, reason := range []string{"CanaryRolledBack", "StableSmoke"} {
		eventually(t, "the event "+reason, func() bool { return g.hasEvent(t, reason) })
	}
}

func (g *guarded) hasEvent(t *testing.T, reason string) bool {
	t.Helper()
	events, err := g.Client.CoreV1().Events(g.Namespace).List(t.Context(),
		metav1.ListOptions{FieldSelector: "reason=" + reason})
	if err != nil {
		t.Fatal(err)
	}
	return len(events.Items) > 0
}

func (g *guarded) crashLoop(t *testing.T) {
	g.enter(t, map[string]string{"FAULTS": "crash=2s"})
	if latch := g.expectOut(t); !strings.Contains(latch.Reason, "crash loop") {
		t.Errorf("the latch tells %q", latch.Reason)
	}
}

func (g *guarded) readinessLost(t *testing.T) {
	g.enter(t, healthy)
	time.Sleep(2 * time.Second)
	g.fault(t, names.Canary, "not-ready")
	if latch := g.expectOut(t); !strings.Contains(latch.Reason, "readiness probe fails") {
		t.Errorf("the latch tells %q", latch.Reason)
	}
}

// fault switches the faults of a track's pods.
func (g *guarded) fault(t *testing.T, track, faults string) {
	t.Helper()
	pods, err := g.Pods(t.Context(), track)
	if err != nil {
		t.Fatal(err)
	}
	pods = slices.DeleteFunc(pods, func(p corev1.Pod) bool { return p.DeletionTimestamp != nil })
	if err := g.FaultAtOnce(t.Context(), pods, faults); err != nil {
		t.Fatal(err)
	}
}

func (g *guarded) bothFail(t *testing.T) {
	if err := g.SetEnv(t.Context(), g.StableDeployment(), map[string]string{"FAULTS_ENABLED": "true"}); err != nil {
		t.Fatal(err)
	}
	g.enter(t, healthy)
	if err := g.Cluster.WaitDeploymentReady(t.Context(), g.Namespace, g.StableDeployment(), g.Stable); err != nil {
		t.Fatal(err)
	}
	g.customers(t)
	time.Sleep(3 * time.Second)
	g.faultEverywhere(t, "errors=1")
	time.Sleep(15 * time.Second)
	g.faultEverywhere(t, "")
	time.Sleep(5 * time.Second)
	g.expectIn(t)
	eventually(t, "the outage is reported as shared", func() bool {
		events, err := g.Client.CoreV1().Events(g.Namespace).List(t.Context(),
			metav1.ListOptions{FieldSelector: "reason=CanaryNeedsReview"})
		return err == nil && slices.ContainsFunc(events.Items, func(e corev1.Event) bool {
			return strings.Contains(e.Message,
				"a shared dependency fails")
		})
	})
}

func (g *guarded) faultEverywhere(t *testing.T, faults string) {
	t.Helper()
	canary, err := g.Pods(t.Context(), names.Canary)
	if err != nil {
		t.Fatal(err)
	}
	stable, err := g.Pods(t.Context(), names.Stable)
	if err != nil {
		t.Fatal(err)
	}
	pods := slices.DeleteFunc(append(canary, stable...), func(p corev1.Pod) bool { return p.DeletionTimestamp != nil })
	if err := g.FaultAtOnce(t.Context(), pods, faults); err != nil {
		t.Fatal(err)
	}
}

// expectIn checks that the canary takes requests and is not latched.
func (g *guarded) expectIn(t *testing.T) {
	t.Helper()
	state, err := g.State(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	image, err := g.Image(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if latch, latched := state.Latch(image); latched {
		t.Errorf("the canary was rolled back: %s", latch.Reason)
	}
	if left, err := g.Endpoints(t.Context()); err != nil || len(left) != g.Canary {
		t.Errorf("canary pods among the endpoints: %v, %v", left, err)
	}
}

func (g *guarded) healthyStays(t *testing.T) {
	sent := g.customers(t)
	g.enter(t, map[string]string{"FAULTS": "errors=0.003", "FAULTS_ENABLED": ""})
	if err := g.Reached(t.Context()); err != nil {
		t.Fatal(err)
	}
	time.Sleep(30 * time.Second)
	g.expectIn(t)
	if requests, answers := sent.Answered(g.CanaryDeployment()); answers < 100 {
		t.Errorf("the canary answered %d of %d requests", answers, requests)
	}
}

// nextUpdate hears of the rollback, from the preview and from the update, and brings the canary back only when it is
// told to.
func (g *guarded) nextUpdate(t *testing.T) {
	g.customers(t)
	g.enter(t, map[string]string{"FAULTS": "errors=0.33"})
	g.expectOut(t)
	words := []string{"was rolled back", "guard/", "requests failed", "canaryWeight 0", "latch.release"}
	output, err := g.pulumi(t, "preview", "--stack", "production")
	if err == nil {
		t.Errorf("the preview after a rollback passes:\n%s", tail(output))
	}
	for _, word := range words {
		if !strings.Contains(output, word) {
			t.Errorf("the preview does not say %q:\n%s", word, tail(output))
		}
	}
	refusal := g.refused(t, words...)
	g.expectTracks(t, 10, 0)
	g.config(t, "canaryWeight", "0")
	g.up(t, "production")
	g.expectTracks(t, 10, 0)
	g.config(t, "canaryWeight", "10")
	g.refused(t, "was rolled back")
	g.expectTracks(t, 10, 0)
	// The Deployment's own environment is healthy again: the update takes back what the test had set.
	found := latchEntry.FindStringSubmatch(refusal)
	if found == nil {
		t.Fatalf("the refusal does not say how to release the latch:\n%s", tail(refusal))
	}
	g.config(t, "latch.release", found[1])
	g.config(t, "latch.reason", "the test mended it")
	if err := g.SetEnv(t.Context(), g.CanaryDeployment(), map[string]string{"FAULTS": ""}); err != nil {
		t.Fatal(err)
	}
	g.up(t, "production")
	g.expectTracks(t, 9, 1)
	g.expectIn(t)
}
