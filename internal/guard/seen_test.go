package guard

import (
	"testing"

	"github.com/vextrus/finance-rollout/internal/names"
)

// A guard shows what it goes by: the pods that a track's Deployment owns.
func TestAGuardShowsItsRollouts(t *testing.T) {
	w := newWorld(t, 3, 1)
	w.add("finance-other-0", names.Canary)
	w.record(reached())
	g, _ := w.guarded()
	w.eventually("the rollout is shown", func() bool { return len(g.Rollouts()) == 1 })
	seen := g.Rollouts()[0]
	if seen.Name != "finance-guard" || seen.Deployments[names.Stable] == nil || seen.Deployments[names.Canary] == nil ||
		len(seen.Pods[names.Stable]) != 3 || len(seen.Pods[names.Canary]) != 1 || seen.LedgerVersion == "" {
		t.Errorf("%+v", seen)
	}
	history, err := g.History(t.Context(), seen.Config)
	if err != nil || history.State().Weight != 10 {
		t.Errorf("%v, %v", history, err)
	}
}

func TestAGuardShowsOnlyWhatItWasStartedFor(t *testing.T) {
	w := newWorld(t, 3, 1)
	w.startedFor = []string{"another-guard"}
	g, _ := w.guarded()
	w.eventually("the cluster is listed", g.synced.Load)
	if rollouts := g.Rollouts(); len(rollouts) != 0 {
		t.Errorf("%v", rollouts)
	}
}
