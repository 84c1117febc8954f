//go:build e2e

package e2e

import (
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/vextrus/finance-rollout/e2e/fixture"
	"github.com/vextrus/finance-rollout/internal/cli/status"
	"github.com/vextrus/finance-rollout/internal/rollback"
)

// TestRollout takes a release through staging into production, up and down, with the failures that can happen on the
// way. Its parts build on each other and run in order.
func TestRollout(t *testing.T) {
	takeTurn(t, 1)
	c := open(t, "rollout", 30180)
	inOrder(t, c, []part[*cluster]{
		{name: "staging", run: staging, vital: true},
		{name: "week 1", run: week1, vital: true},
		{name: "monitoring", run: monitoring},
		{name: "share of the requests", run: share},
		{name: "bad input", run: badInput},
		{name: "failing smoke check", run: failingSmokeCheck},
		{name: "failing bake", run: failingBake},
		{name: "blind gate", run: blindGate},
		{name: "too little traffic", run: tooLittleTraffic},
		{name: "too early", run: tooEarly},
		{name: "advance", run: advance},
		{name: "back to nothing", run: backToNothing},
		{name: "changed secret", run: changedSecret},
		{name: "no secret anywhere", run: noSecretAnywhere},
		{name: "destroy", run: destroy},
	})
}

func staging(t *testing.T, c *cluster) {
	output := c.up(t, "staging")
	for _, word := range []string{"passed its gate", "Total Tests: 12", "Passed: 12", "Failed: 0", "2 pods"} {
		if !strings.Contains(output, word) {
			t.Errorf("the up of staging does not say %q:\n%s", word, tail(output))
		}
	}
	deployment, err := c.kubernetes.AppsV1().Deployments(c.staging).Get(t.Context(), "finance-service-staging",
		metav1.GetOptions{})
	if err != nil || deployment.Status.ReadyReplicas != 2 {
		t.Errorf("%d ready pods: %v", deployment.Status.ReadyReplicas, err)
	}
}

func week1(t *testing.T, c *cluster) {
	c.customers(t, 30)
	output := c.up(t, "production")
	for _, word := range []string{"canary week1 passed its gate", "Passed: 12", "gate: pass"} {
		if !strings.Contains(output, word) {
			t.Errorf("the up of production does not say %q:\n%s", word, tail(output))
		}
	}
	c.expectTracks(t, 9, 1)
	outputs := c.outputs(t)
	if outputs["weight"] != 10.0 || outputs["week"] != 1.0 || outputs["release"] != "week1" ||
		!strings.Contains(outputs["verifiedImage"].(string), "@sha256:") {
		t.Errorf("outputs %v", outputs)
	}
	if text, err := c.pulumi(t, "preview", "--stack", "production", "--expect-no-changes"); err != nil {
		t.Errorf("the preview of an unchanged stack has changes: %v\n%s", err, tail(text))
	}
}

func monitoring(t *testing.T, c *cluster) {
	prom := prometheusAPI(t)
	eventually(t, "a healthy target for each pod of each track", func() bool {
		targets, err := prom.Targets(t.Context())
		if err != nil {
			return false
		}
		up := map[string]int{}
		for _, target := range targets.Active {
			// The guard's pods are targets too, but belong to no track.
			if string(target.Labels["namespace"]) == c.production && target.Labels["track"] != "" && target.Health == "up" {
				up[string(target.Labels["track"])+"/"+string(target.Labels["version"])]++
			}
		}
		return cmp.Equal(up, map[string]int{"stable/stable": 9, "canary/week1": 1})
	})
	eventually(t, "the rules are loaded", func() bool {
		rules, err := prom.Rules(t.Context(), nil)
		if err != nil {
			return false
		}
		loaded := map[string]int{}
		for _, group := range rules.Groups {
			if strings.Contains(group.File, c.production) {
				loaded[group.Name] = len(group.Rules)
			}
		}
		return cmp.Equal(loaded, map[string]int{"finance-service-production.recording": 3,
			"finance-service-production.alerts": 10})
	})
}

// share sends 1,000 requests and compares the canary's share with its weight: a difference of more than five standard
// deviations is not chance.
func share(t *testing.T, c *cluster) {
	sent := c.customers(t, 50)
	time.Sleep(20 * time.Second)
	sent.end()
	canary := 0
	for pod, count := range sent.byPod {
		if strings.HasPrefix(pod, "finance-service-week1-") {
			canary += count
		}
	}
	answered := float64(sent.requests - len(sent.failures))
	got := float64(canary) / answered
	tolerance := 5 * math.Sqrt(0.1*0.9/answered)
	if math.Abs(got-0.1) > tolerance {
		t.Errorf("the canary answered %.1f %% of %.0f requests, want 10 ± %.1f", got*100, answered, tolerance*100)
	}
	sent.expectAnswers(t)
}

// failingSmokeCheck rolls back a canary that fails a smoke check: it has no pod in traffic, its image stays out until
// the latch is released, and the evidence is kept.
func failingSmokeCheck(t *testing.T, c *cluster) {
	sent := c.customers(t, 50)
	c.config(t, "canary.env.FAULTS", "csrf")
	c.refused(t, "canary week1", "1 of 12 smoke tests did not pass", "csrf", "Failed: 1", "rolled back",
		"no endpoint is left")
	c.expectTracks(t, 10, 0)
	refusal := c.refused(t, "refused", "was rolled back", "csrf", "canaryWeight 0")
	if strings.Contains(refusal, "passed its gate") {
		t.Errorf("an unchanged up after a rollback passed:\n%s", tail(refusal))
	}
	if output, err := c.pulumi(t, "up", "--stack", "production", "--yes", "--skip-preview", "--refresh"); err == nil {
		t.Errorf("a refresh brings a rolled-back image back:\n%s", tail(output))
	}
	c.expectTracks(t, 10, 0)
	if output, err := c.pulumi(t, "preview", "--stack", "production", "--refresh"); err == nil ||
		!strings.Contains(output, "was rolled back") {
		t.Errorf("the preview does not tell of the rollback: %v\n%s", err, tail(output))
	}
	c.expectEvidence(t, "csrf")
	c.dropCanaryConfig(t)
	c.releaseLatch(t, refusal)
	c.expectTracks(t, 9, 1)
	sent.end()
	sent.expectAnswers(t)
}

// dropCanaryConfig removes the canary's own configuration, and with it the faults.
func (c *cluster) dropCanaryConfig(t *testing.T) {
	t.Helper()
	c.unset(t, "canary")
}

// expectEvidence checks that the newest evidence holds the reason and the pods' logs.
func (c *cluster) expectEvidence(t *testing.T, reason string) {
	t.Helper()
	kept, err := c.kubernetes.CoreV1().ConfigMaps(c.production).List(t.Context(),
		metav1.ListOptions{LabelSelector: "finance-rollout/purpose=evidence"})
	if err != nil || len(kept.Items) == 0 {
		t.Fatalf("%d pieces of evidence: %v", len(kept.Items), err)
	}
	slices.SortFunc(kept.Items, func(a, b corev1.ConfigMap) int { return strings.Compare(b.Name, a.Name) })
	evidence, err := rollback.Unpack(kept.Items[0].BinaryData["evidence.json.gz"])
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(evidence.Reason, reason) || len(evidence.Pods) == 0 || len(evidence.Pods[0].Logs) == 0 {
		t.Errorf("the evidence tells %q of %d pods", evidence.Reason, len(evidence.Pods))
	}
}

// failingBake passes a smoke suite that does not notice errors, and fails in the bake.
func failingBake(t *testing.T, c *cluster) {
	suite := filepath.Join(c.dir, "liveness-only.yaml")
	content := "name: liveness-only\ndescription: nothing but liveness\nmaxRequests: 5\nchecks:\n" +
		"  - name: liveness\n    request: { path: /health/live }\n    expect: { status: [200] }\n"
	if err := os.WriteFile(suite, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	c.set(t, "smoke.suite", suite)
	c.set(t, "guard.enabled", "false") // it would act before the bake does, and leaves at the end of an update
	c.customers(t, 30)
	c.up(t, "production")
	c.config(t, "canary.env.FAULTS", "errors=0.33")
	c.refused(t, "verdict fail", "error rate", "smoke suite: 1 of 1 passed", "no endpoint is left", "canaryWeight 0")
	c.expectTracks(t, 10, 0)
	refusal := c.refused(t, "was rolled back")
	c.dropCanaryConfig(t)
	c.releaseLatch(t, refusal)
}

// blindGate has no metrics: the verdict is neither pass nor fail, and the canary stays where it is.
func blindGate(t *testing.T, c *cluster) {
	c.config(t, "env.GENERATION", "2") // another release, so that the gate runs again
	before, _ := c.ready(t, "finance-service-week1")
	t.Run("missing metric", func(t *testing.T) {
		c.set(t, "metrics.requestsTotal", "http_requests_totally")
		c.refused(t, "verdict error", "http_requests_totally", "http_requests_total")
	})
	t.Run("unreachable Prometheus", func(t *testing.T) {
		c.config(t, "prometheus", "http://127.0.0.1:9")
		c.refused(t, "verdict error", "127.0.0.1:9")
		c.config(t, "prometheus", "monitoring/prometheus-operated:9090")
	})
	if after, ready := c.ready(t, "finance-service-week1"); after != before || ready != before {
		t.Errorf("the canary has %d of %d pods, before it was %d", ready, after, before)
	}
}

// tooLittleTraffic gives no evidence: the smoke suite's own requests do not count.
func tooLittleTraffic(t *testing.T, c *cluster) {
	c.refused(t, "verdict inconclusive", "no evidence speaks against the release")
	c.customers(t, 30)
	c.up(t, "production")
	c.expectTracks(t, 9, 1)
}

// tooEarly requests the next stage before the soak is over, and then the stage after that.
func tooEarly(t *testing.T, c *cluster) {
	c.config(t, "soak.duration", "1h")
	c.config(t, "canaryWeight", "30")
	output, err := c.pulumi(t, "preview", "--stack", "production")
	if err != nil || !strings.Contains(output, "an update now would be refused") || !strings.Contains(output, "of 1 h ") {
		t.Errorf("the preview of a move too early: %v\n%s", err, tail(output))
	}
	c.refused(t, "soak too short", "of 1 h ", "then run `pulumi up -s production` again")
	c.config(t, "canaryWeight", "60")
	if output, err := c.pulumi(t, "preview", "--stack", "production"); err == nil ||
		!strings.Contains(output, "up to 30 %") {
		t.Errorf("the preview of an illegal move: %v\n%s", err, tail(output))
	}
	c.expectTracks(t, 9, 1)
	c.config(t, "canaryWeight", "10")
	c.config(t, "soak.duration", "20s")
}

// advance goes from 10 to 100 % and finishes without losing capacity or a request.
// advance goes by the guide's weeks to the finish, under requests that each open a connection and under clients that
// keep theirs.
func advance(t *testing.T, c *cluster) {
	sent, kept := c.customers(t, 50), c.keptCustomers(t, 50)
	whole, sighted := c.watchCapacity(t), c.watchSight(t)
	c.unset(t, "canaryWeight")
	weeks := []struct{ weight, stable, canary int }{2: {30, 7, 3}, 3: {60, 4, 6}, 4: {100, 2, 10}}
	for week := 2; week <= 4; week++ {
		want := weeks[week]
		c.config(t, "week", fmt.Sprint(week))
		c.upWhenSoaked(t)
		c.expectTracks(t, want.stable, want.canary)
		if got := c.outputs(t)["weight"]; got != float64(want.weight) {
			t.Errorf("the outputs of week %d tell of weight %v", week, got)
		}
	}
	sighted()
	endpoints, err := c.kubernetes.DiscoveryV1().EndpointSlices(c.production).List(t.Context(),
		metav1.ListOptions{LabelSelector: "kubernetes.io/service-name=finance-service"})
	if err != nil {
		t.Fatal(err)
	}
	for _, slice := range endpoints.Items {
		for _, endpoint := range slice.Endpoints {
			if strings.Contains(endpoint.TargetRef.Name, "-stable-") {
				t.Errorf("%s is on standby and still an endpoint at 100 %%", endpoint.TargetRef.Name)
			}
		}
	}
	c.config(t, "stableImage", fmt.Sprint(c.outputs(t)["verifiedImage"]))
	c.config(t, "canaryWeight", "0")
	c.upWhenSoaked(t)
	c.expectTracks(t, 10, 0)
	whole()
	sent.end()
	sent.expectAnswers(t)
	kept.End()
	expectKept(t, kept)
	c.config(t, "canaryWeight", "10")
	c.customers(t, 50)
	c.up(t, "production")
	c.expectTracks(t, 9, 1)
}

// expectKept allows one of a thousand requests of kept connections to stay without an answer: a pod that ends closes
// its idle connections, and a request may be on its way on one of them.
func expectKept(t *testing.T, kept *fixture.Customers) {
	t.Helper()
	requests, _ := kept.Answered("")
	failed := kept.Failures(time.Time{})
	if len(failed)*1000 > requests {
		t.Errorf("%d of %d requests of kept connections failed: %+v", len(failed), requests, failed[0])
	}
	for _, one := range failed {
		if one.Pod != "" {
			t.Errorf("a pod failed a request of a kept connection: %+v", one)
		}
	}
}

// upWhenSoaked updates the production stack as soon as its soak allows it. No other refusal is accepted but those that
// passing names.
func (c *cluster) upWhenSoaked(t *testing.T, passing ...string) {
	t.Helper()
	passing = append(passing, "soak too short", "more requests")
	c.awaitSoak(t)
	for deadline := time.Now().Add(6 * time.Minute); ; {
		output, err := c.pulumi(t, "up", "--stack", "production", "--yes", "--skip-preview")
		switch {
		case err == nil:
			return
		case time.Now().After(deadline), !slices.ContainsFunc(passing, func(text string) bool {
			return strings.Contains(output, text)
		}):
			t.Fatalf("pulumi up -s production: %v\n%s", err, tail(output))
		}
		time.Sleep(8 * time.Second)
	}
}

// awaitSoak waits until the status says that the release may move, for as long as soaks of the tests usually take. A
// look by the status costs a tenth of an update that is refused.
func (c *cluster) awaitSoak(t *testing.T) {
	t.Helper()
	for deadline := time.Now().Add(100 * time.Second); time.Now().Before(deadline); time.Sleep(3 * time.Second) {
		if shown, _ := c.standing(t); shown.Phase == string(status.PhaseReady) {
			return
		}
	}
}

// backToNothing takes the canary to 0 % and brings it back.
func backToNothing(t *testing.T, c *cluster) {
	sent := c.customers(t, 50)
	whole := c.watchCapacity(t)
	c.config(t, "canaryWeight", "0")
	c.up(t, "production")
	whole()
	c.expectTracks(t, 10, 0)
	c.config(t, "canaryWeight", "10")
	c.up(t, "production")
	sent.end()
	sent.expectAnswers(t)
	c.expectTracks(t, 9, 1)
}
