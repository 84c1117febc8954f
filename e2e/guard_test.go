//go:build e2e

package e2e

import (
	"context"
	"fmt"
	"os"
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

// guarded is a production stack with a running guard.
type guarded struct {
	*cluster
	*fixture.Stack
	secret []byte
}

// TestGuard breaks canaries beside a running guard, and the guard itself. Its parts build on each other and run in
// order.
func TestGuard(t *testing.T) {
	takeTurn(t, 3)
	c := open(t, "guard", 30580)
	c.config(t, "bake.duration", "0s")
	c.config(t, "soak.duration", "48h")
	c.config(t, "guard.webhookToken", "guard/webhook")
	c.config(t, "guard.dashboardToken", "guard/dashboard")
	c.config(t, "guard.smoke", "true")
	// A conviction by repetition takes two and a half minutes, too long for each part; the burst's part waits for one.
	c.config(t, "guard.quarantine", "false")
	c.secret(t, "secrets.guard.webhook", webhookToken)
	c.secret(t, "secrets.guard.dashboard", pageToken)
	c.up(t, "staging")
	c.up(t, "production")
	stack, err := fixture.Open(os.Getenv("KUBECONFIG"), c.production)
	if err != nil {
		t.Fatal(err)
	}
	g := &guarded{cluster: c, Stack: stack, secret: c.jwtSecret(t)}
	inOrder(t, g, []part[*guarded]{
		{name: "permissions", run: permissions},
		{name: "the page", run: guardPage},
		{name: "a third of the answers fails", run: aThirdFails},
		{name: "kept connections", run: keptConnections},
		{name: "crash loop", run: crashLoop},
		{name: "readiness lost", run: readinessLost},
		{name: "both tracks fail", run: bothFail},
		{name: "webhook", run: webhook},
		{name: "two rollbacks at once, and an operator", run: twoAtOnce},
		{name: "killed between the steps", run: killedBetweenSteps},
		{name: "cut off from the API server", run: cutOffFromAPIServer},
		{name: "Prometheus away", run: guardWithoutPrometheus},
		{name: "a burst of errors", run: burst},
		{name: "a healthy canary stays", run: healthyStays},
		{name: "the next update", run: nextUpdate},
	})
}

// permissions asks the API server whether the guard's account may do exactly what it needs, and read no secret.
func permissions(t *testing.T, g *guarded) {
	account := fmt.Sprintf("system:serviceaccount:%s:finance-service-guard", g.Namespace)
	for question, want := range map[string]string{
		"patch pods": "yes", "patch deployments.apps/other --subresource=scale": "no",
		"patch deployments.apps/finance-service-week1 --subresource=scale": "yes",
		"get secrets": "no", "list secrets": "no", "create pods": "no", "delete pods": "yes", "patch deployments.apps": "no",
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

// customers send requests until the part ends.
func (g *guarded) customers(t *testing.T) *fixture.Customers {
	t.Helper()
	sent, err := fixture.Send(fixture.Load{NodePort: g.nodePort, PerSecond: 100}, g.secret)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(sent.End)
	return sent
}

// expectOut waits until the canary has no endpoints and no pods, its image is latched, stable has all replicas and the
// outcome is recorded. It returns the latch.
func (g *guarded) expectOut(t *testing.T) ledger.Entry {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
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
		groups, latched := state.Latch(image)
		latch = groups
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
	ctx, cancel := context.WithTimeout(t.Context(), 4*time.Minute)
	defer cancel()
	if _, err := g.Enter(ctx, env); err != nil {
		t.Fatal(err)
	}
}

var healthy = map[string]string{"FAULTS": "", "FAULTS_ENABLED": "true"}

func aThirdFails(t *testing.T, g *guarded) {
	sent := g.customers(t)
	began := time.Now()
	g.enter(t, map[string]string{"FAULTS": "errors=0.33"})
	latch := g.expectOut(t)
	if !strings.Contains(latch.Reason, "requests failed") || !strings.HasPrefix(latch.Who, "guard/") {
		t.Errorf("the latch tells %q by %s", latch.Reason, latch.Who)
	}
	if failed := len(sent.Failures(began)); failed > 30 {
		t.Errorf("%d failed answers reached customers", failed)
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

// keptConnections checks that isolating the canary also ends the failures of clients whose connections stay open: its
// pods must go, because a Service's endpoints decide about new connections alone.
func keptConnections(t *testing.T, g *guarded) {
	g.enter(t, healthy)
	sent, err := fixture.Send(fixture.Load{NodePort: g.nodePort, PerSecond: 100, Kept: 50}, g.secret)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(sent.End)
	limited, cancel := context.WithTimeout(t.Context(), 3*time.Minute)
	defer cancel()
	if err := sent.Reach(limited, g.CanaryDeployment()+"-"); err != nil {
		t.Fatalf("no kept connection leads to the canary: %v", err)
	}
	out := make(chan time.Time, 1)
	go func() {
		at, err := g.Out(limited)
		if err != nil {
			at = time.Time{}
		}
		out <- at
	}()
	g.fault(t, "errors=0.33")
	isolated := <-out
	if isolated.IsZero() {
		t.Fatal("the canary was not isolated")
	}
	g.expectOut(t)
	time.Sleep(10 * time.Second)
	late := sent.Failures(isolated)
	if len(late) == 0 {
		return
	}
	// A pod that waits in its preStop hook goes on answering for as long.
	last := late[len(late)-1]
	if after := last.At.Sub(isolated); after > 5*time.Second || len(late) > 20 {
		t.Errorf("%d requests failed after the isolation, the last one %s after it: %+v", len(late),
			after.Round(time.Millisecond), last)
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

// crashLoop tries a few times: on a busy machine, a restarted pod can be unready for so long that the guard acts on its
// lost readiness before the loop is one.
func crashLoop(t *testing.T, g *guarded) {
	var reasons []string
	for range 3 {
		g.enter(t, map[string]string{"FAULTS": "crash=2s"})
		latch := g.expectOut(t)
		if strings.Contains(latch.Reason, "crash loop") {
			return
		}
		if reasons = append(reasons, latch.Reason); !strings.Contains(latch.Reason, "readiness probe fails") {
			break
		}
	}
	t.Errorf("the latch gives the reasons %q", reasons)
}

func readinessLost(t *testing.T, g *guarded) {
	g.enter(t, healthy)
	time.Sleep(2 * time.Second)
	g.fault(t, "not-ready")
	if latch := g.expectOut(t); !strings.Contains(latch.Reason, "readiness probe fails") {
		t.Errorf("the latch tells %q", latch.Reason)
	}
}

// fault switches the faults of all running pods of the canary.
func (g *guarded) fault(t *testing.T, faults string) {
	t.Helper()
	pods, err := g.Pods(t.Context(), names.Canary)
	if err != nil {
		t.Fatal(err)
	}
	pods = slices.DeleteFunc(pods, func(p corev1.Pod) bool { return p.DeletionTimestamp != nil })
	if err := g.FaultAtOnce(t.Context(), pods, faults); err != nil {
		t.Fatal(err)
	}
}

func bothFail(t *testing.T, g *guarded) {
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

// expectIn checks that the canary is in the endpoints and not latched.
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

func healthyStays(t *testing.T, g *guarded) {
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

// nextUpdate checks that preview and update report the guard's rollback, and that only a released latch brings the
// canary back.
func nextUpdate(t *testing.T, g *guarded) {
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
	// The stack's own environment is healthy; the update also reverts what the fixture has set.
	groups := latchEntry.FindStringSubmatch(refusal)
	if groups == nil {
		t.Fatalf("the refusal does not say how to release the latch:\n%s", tail(refusal))
	}
	g.config(t, "latch.release", groups[1])
	g.config(t, "latch.reason", "the test mended it")
	if err := g.SetEnv(t.Context(), g.CanaryDeployment(), map[string]string{"FAULTS": ""}); err != nil {
		t.Fatal(err)
	}
	g.up(t, "production")
	g.expectTracks(t, 9, 1)
	g.expectIn(t)
}
