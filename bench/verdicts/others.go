package main

import (
	"time"

	"github.com/vextrus/finance-rollout/internal/gate"
)

// rival is a rule of another tool.
type rival interface {
	// tool is the tool's name.
	tool() string
	// second adds the counts of a second that ends at a time since the beginning.
	second(at time.Duration, canary, stable gate.Counts)
	// rolledBack is the time at which the rule has rolled back; 0 for never.
	rolledBack() time.Duration
}

// others are the rules that the documentation of other tools gives. Argo Rollouts' analysis in the background measures
// every five minutes with a failureLimit of 3, and fails when more measurements have failed. Flagger's canary on Istio
// checks every minute with a threshold of 5, and rolls back when as many checks have failed. Both count over the whole
// analysis, and both get the rollback limit as theirs. Without these fields both tools tolerate no failure at all.
// Kayenta compares with stable and knows no limit.
func others() []rival {
	return []rival{
		&threshold{name: "Argo Rollouts", interval: 5 * time.Minute, allowed: 3},
		&threshold{name: "Flagger", interval: time.Minute, allowed: 4},
		&kayenta{length: soakLength},
	}
}

// threshold is a rule that looks at the share of failed requests every so often, and rolls back once that was above the
// limit too often in all.
type threshold struct {
	name     string
	interval time.Duration
	// allowed is how often the share may be above the limit.
	allowed int

	counted  gate.Counts
	above    int
	rolledAt time.Duration
}

func (t *threshold) tool() string { return t.name }

func (t *threshold) rolledBack() time.Duration { return t.rolledAt }

// second adds the canary's counts. A time without requests says nothing.
func (t *threshold) second(at time.Duration, canary, _ gate.Counts) {
	t.counted = t.counted.Plus(canary)
	if at%t.interval != 0 {
		return
	}
	if float64(t.counted.K) > rollback*float64(t.counted.N) {
		t.above++
	}
	t.counted = gate.Counts{}
	if t.above > t.allowed && t.rolledAt == 0 {
		t.rolledAt = at
	}
}
