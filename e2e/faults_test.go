//go:build e2e

package e2e

import (
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/vextrus/finance-rollout/internal/kube"
	"github.com/vextrus/finance-rollout/internal/ledger"
)

// atTen brings a release to 10 % and runs the parts. Each part leaves the release at 10 % with its latch open and does
// not depend on the others.
func atTen(t *testing.T, c *cluster, parts []part[*cluster]) {
	t.Helper()
	c.config(t, "configEnv.FAULTS_ENABLED", "true")
	c.config(t, "guard.enabled", "false") // it would act first: this tests the updates alone
	c.config(t, "soak.duration", "20s")
	c.up(t, "staging")
	first := c.customers(t, 50)
	c.up(t, "production")
	first.end()
	c.expectTracks(t, 9, 1)
	inOrder(t, c, parts)
}

// TestFaults breaks the release and its dependencies.
func TestFaults(t *testing.T) {
	takeTurn(t, 4)
	atTen(t, open(t, "faults", 30280), []part[*cluster]{
		{name: "slow canary", run: slowCanary},
		{name: "canary that goes bad", run: canaryThatGoesBad},
		{name: "too little evidence", run: tooLittleEvidence},
		{name: "failing dependency", run: failingDependency},
		{name: "dependency that is down", run: dependencyDown},
	})
}

// fault switches on faults in the running pods with the labels; an empty list switches all faults off.
func (c *cluster) fault(t *testing.T, labels, faults string) {
	t.Helper()
	client, err := kube.New(kube.Options{Kubeconfig: os.Getenv("KUBECONFIG")})
	if err != nil {
		t.Fatal(err)
	}
	pods, err := c.kubernetes.CoreV1().Pods(c.production).List(t.Context(), metav1.ListOptions{LabelSelector: labels})
	if err != nil || len(pods.Items) == 0 {
		t.Fatalf("%d pods: %v", len(pods.Items), err)
	}
	for _, pod := range pods.Items {
		if err := put(t, client, pod, fmt.Sprintf(`{"faults": %q}`, faults)); err != nil {
			t.Fatalf("faults of %s: %v", pod.Name, err)
		}
	}
}

func put(t *testing.T, client *kube.Client, pod corev1.Pod, body string) error {
	t.Helper()
	reached, address, end, err := client.PodClient(t.Context(), pod.Namespace, pod.Name, 9014)
	if err != nil {
		return err
	}
	defer end()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodPut, address+"/faults", strings.NewReader(body))
	if err != nil {
		return err
	}
	response, err := reached.Do(request)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return fmt.Errorf("status %s", response.Status)
	}
	return nil
}

// livenessOnly gives the stack a smoke suite that only checks liveness, until the test ends.
func (c *cluster) livenessOnly(t *testing.T) {
	t.Helper()
	suite := filepath.Join(c.dir, "liveness-only.yaml")
	content := "name: liveness-only\ndescription: nothing but liveness\nmaxRequests: 5\nchecks:\n" +
		"  - name: liveness\n    request: { path: /health/live }\n    expect: { status: [200] }\n"
	if err := os.WriteFile(suite, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	c.set(t, "smoke.suite", suite)
}

// upUntil repeats an update of the production stack, which must fail, until its output contains all of the words, and
// returns that output.
func (c *cluster) upUntil(t *testing.T, words ...string) string {
	t.Helper()
	for deadline := time.Now().Add(5 * time.Minute); ; time.Sleep(8 * time.Second) {
		output, err := c.pulumi(t, "up", "--stack", "production", "--yes", "--skip-preview")
		if err == nil {
			t.Fatalf("pulumi up -s production passed:\n%s", tail(output))
		}
		count := 0
		for _, word := range words {
			if strings.Contains(output, word) {
				count++
			}
		}
		if count == len(words) {
			return output
		}
		if time.Now().After(deadline) {
			t.Fatalf("pulumi up -s production does not say all of %q:\n%s", words, tail(output))
		}
	}
}

// newSoak takes the canary out and in again, which begins a soak without any evidence.
func (c *cluster) newSoak(t *testing.T) {
	t.Helper()
	for _, weight := range []string{"0", "10"} {
		c.config(t, "canaryWeight", weight)
		c.up(t, "production")
	}
	c.expectTracks(t, 9, 1)
}

// unlatch provokes the latch's refusal and releases the latch that it names, which brings the canary back.
func (c *cluster) unlatch(t *testing.T) {
	t.Helper()
	mark := c.mark(t)
	c.releaseLatch(t, c.refused(t, "was rolled back"))
	c.expectTracks(t, 9, 1)
	c.expectNoted(t, mark, ledger.LatchReleased, ledger.StagingVerified, ledger.ShiftBegun, ledger.ShiftReached)
}

// slowCanary is slow from the start. The bake reports it and leaves the decision to a person: slowness holds a release
// back but never rolls it back.
func slowCanary(t *testing.T, c *cluster) {
	mark := c.mark(t)
	sent := c.customers(t, 50)
	t.Run("bake", func(t *testing.T) {
		c.livenessOnly(t) // the suite has a check of its own for latency
		c.config(t, "canary.env.FAULTS", "latency=700ms,latency-share=0.5")
		output := c.refused(t, "verdict inconclusive", "P95 latency: ", "took longer than 500ms", "manual review",
			"no evidence speaks against the release")
		if !regexp.MustCompile(`error rate +(pass|inconclusive) +0 `).MatchString(output) ||
			strings.Contains(output, "rolled back") {
			t.Errorf("a slow canary is said to fail requests, or is rolled back:\n%s", tail(output))
		}
	})
	c.expectTracks(t, 9, 1)
	c.expectEndpoints(t, 9, 1)
	// Another configuration is another release: it has entered, and it has not arrived.
	c.expectNoted(t, mark, ledger.StagingVerified, ledger.ShiftBegun)
	c.dropCanaryConfig(t)
	c.up(t, "production")
	c.expectTracks(t, 9, 1)
	sent.end()
	sent.expectAnswers(t)
}

// canaryThatGoesBad passed its bake. While it is good, an unchanged update records a passing checkpoint; once it is
// bad, the checkpoint of an unchanged update rolls it back.
func canaryThatGoesBad(t *testing.T, c *cluster) {
	mark := c.mark(t)
	c.customers(t, 50) // a part of their requests fails
	output := c.up(t, "production")
	if !strings.Contains(output, "checkpoint at 10 %") {
		t.Errorf("an unchanged update takes no checkpoint:\n%s", tail(output))
	}
	checkpoints := c.noted(t, mark)
	if len(checkpoints) != 1 || checkpoints[0].Kind != ledger.Checkpoint || len(checkpoints[0].Numbers) < 4 ||
		checkpoints[0].Numbers[0].N == 0 {
		t.Errorf("noted %+v", checkpoints)
	}
	c.fault(t, "track=canary", "errors=0.3")
	for deadline := time.Now().Add(4 * time.Minute); ; time.Sleep(8 * time.Second) {
		output, err := c.pulumi(t, "up", "--stack", "production", "--yes", "--skip-preview")
		if err != nil {
			if !strings.Contains(output, "checkpoint at 10 %: fail") ||
				!strings.Contains(output, "the share is above the rollback limit") {
				t.Errorf("the update fails for another reason: %s", tail(output))
			}
			break
		}
		if time.Now().After(deadline) {
			t.Fatalf("a bad canary is left in traffic:\n%s", tail(output))
		}
	}
	c.expectTracks(t, 10, 0)
	c.expectEndpoints(t, 10, 0)
	c.expectRollback(t, mark, "a checkpoint of the soak failed: error rate: ")
	c.unlatch(t)
	c.expectEvidence(t, "error rate")
}

// tooLittleEvidence completes its soak with too few requests: nothing is rolled back, and the soak is extended.
func tooLittleEvidence(t *testing.T, c *cluster) {
	c.set(t, "soak.extension", "1h") // more than the slowest machine takes for the rest
	few := c.customers(t, 50)
	c.newSoak(t)
	mark := c.mark(t)
	time.Sleep(15 * time.Second) // requests in the seconds around the smoke suite are no evidence
	few.end()
	c.config(t, "canaryWeight", "30")
	output := c.upUntil(t, "criteria not met", "more requests at this rate decide")
	for strings.Contains(output, "soak too short") {
		output = c.upUntil(t, "criteria not met")
	}
	extended := c.expectNoted(t, mark, ledger.Extended)
	if len(extended) == 1 && (extended[0].Verdict != "inconclusive" || extended[0].Soaked < 20 ||
		!strings.Contains(extended[0].Reason, "by 1h")) {
		t.Errorf("extended with %s after %d s: %s", extended[0].Verdict, extended[0].Soaked, extended[0].Reason)
	}
	c.refused(t, "soak too short", "of 1 h 0 min", "criteria not met")
	c.expectTracks(t, 9, 1)
	c.config(t, "canaryWeight", "10")
}

// failingDependency makes the requests of both tracks fail alike: the canary is not blamed and does not advance.
func failingDependency(t *testing.T, c *cluster) {
	c.set(t, "soak.extension", "1h") // more than the slowest machine takes for the rest
	c.customers(t, 50)
	c.newSoak(t)
	mark := c.mark(t)
	c.fault(t, "app=finance-service", "errors=0.3")
	c.config(t, "canaryWeight", "30")
	var output string
	eventually(t, "the soak is complete and extended", func() bool {
		output = c.upUntil(t, "a shared dependency fails, not the canary", "criteria not met")
		return len(c.noted(t, mark, ledger.Extended)) > 0
	})
	for _, word := range []string{"rolled back", "criteria failed"} {
		if strings.Contains(output, word) {
			t.Errorf("the canary is blamed: %q in\n%s", word, tail(output))
		}
	}
	c.fault(t, "app=finance-service", "")
	c.expectTracks(t, 9, 1)
	c.expectEndpoints(t, 9, 1)
	if moves := c.noted(t, mark, ledger.RollbackBegun, ledger.RolledBack, ledger.ShiftBegun,
		ledger.ShiftReached); len(moves) > 0 {
		t.Errorf("the ledger tells of moves:\n%s", c.history(t))
	}
	looks := c.noted(t, mark, ledger.Checkpoint, ledger.Extended)
	if last := looks[len(looks)-1]; last.Verdict != "inconclusive" || !strings.Contains(last.Reason, "not the canary") {
		t.Errorf("the last look is noted as %s: %s", last.Verdict, last.Reason)
	}
	c.config(t, "canaryWeight", "10")
}

// dependencyDown takes the database away from both tracks. The stable track fails the same smoke checks, so the canary
// stays. The database is a part of the configuration, which changes for the canary alone: it is taken from the running
// pods of stable, and from those of another release.
func dependencyDown(t *testing.T, c *cluster) {
	mark := c.mark(t)
	sent := c.customers(t, 50)
	c.fault(t, "track=stable", "database-down")
	c.config(t, "canary.env.FAULTS", "database-down")
	output := c.refused(t, "verdict inconclusive", "dependencies", "the stable track fails the same checks",
		"not the canary")
	if strings.Contains(output, "rolled back") {
		t.Errorf("the canary is blamed:\n%s", tail(output))
	}
	c.expectTracks(t, 9, 1)
	c.expectEndpoints(t, 9, 1)
	c.expectNoted(t, mark, ledger.StagingVerified, ledger.ShiftBegun)
	c.fault(t, "track=stable", "")
	c.dropCanaryConfig(t)
	c.up(t, "production")
	c.expectTracks(t, 9, 1)
	sent.end()
	sent.expectAnswers(t)
}
