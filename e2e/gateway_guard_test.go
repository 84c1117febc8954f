//go:build e2e

package e2e

import (
	"os"
	"slices"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"

	"github.com/vextrus/finance-rollout/e2e/fixture"
	"github.com/vextrus/finance-rollout/internal/ledger"
	"github.com/vextrus/finance-rollout/internal/names"
)

// guardByWeight makes a canary behind the Gateway fail: the guard sets its weight to 0 first, and the stack follows.
func guardByWeight(t *testing.T, e *edge) {
	e.withoutBake(t)
	e.config(t, "canary.env.FAULTS_ENABLED", "true")
	e.up(t, "production")
	e.expectTracks(t, 10, 1)
	stack, err := fixture.Open(os.Getenv("KUBECONFIG"), e.production)
	if err != nil {
		t.Fatal(err)
	}
	pods, err := stack.Pods(t.Context(), names.Canary)
	if err != nil {
		t.Fatal(err)
	}
	pods = slices.DeleteFunc(pods, func(p corev1.Pod) bool { return p.DeletionTimestamp != nil })
	sent := e.customers(t, 50)
	time.Sleep(5 * time.Second)
	mark := e.mark(t)
	if err := stack.Fault(t.Context(), pods, "errors=0.33"); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the canary has no weight", func() bool { return e.weights(t) == "100/0" })
	eventually(t, "the rollback is over", func() bool { return len(e.noted(t, mark, ledger.RolledBack)) > 0 })
	sent.end()
	e.expectInForce(t, 0)
	e.expectTracks(t, 10, 0)
	e.expectRollback(t, mark, "requests failed")
	e.expectEvidence(t, "requests failed")
	after := e.customers(t, 50)
	time.Sleep(4 * time.Second)
	after.end()
	after.expectAnswers(t)
	if got, answers := canaryShare(after); got != 0 || answers < 100 {
		t.Errorf("after the rollback the canary answered %.2f %% of %d requests", got*100, answers)
	}
	e.dropCanaryConfig(t)
	e.releaseLatch(t, e.refused(t, "was rolled back"))
	e.expectInForce(t, 10)
	e.expectTracks(t, 10, 1)
}
