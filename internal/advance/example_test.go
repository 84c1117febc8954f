package advance_test

import (
	"fmt"
	"time"

	"github.com/vextrus/finance-rollout/internal/advance"
	"github.com/vextrus/finance-rollout/internal/gate"
	"github.com/vextrus/finance-rollout/internal/plan"
)

// The criteria are met after 31 of 48 hours: the advance is refused, and waiting resolves it.
func ExampleDecide() {
	now := time.Date(2026, 3, 3, 16, 0, 0, 0, time.UTC)
	decision := advance.Decide(advance.Facts{
		Now: now, Stages: plan.DefaultStages(),
		Standing: plan.Standing{Weight: 10, Canary: "sha256:0002", Stable: "sha256:0001"},
		Target:   plan.Target{Weight: 30, Canary: "sha256:0002", Stable: "sha256:0001"},
		Soak: &advance.Soak{
			Plan:  plan.Soak{Duration: 48 * time.Hour, Extension: 24 * time.Hour},
			Since: now.Add(-31 * time.Hour), Soaked: 31 * time.Hour,
			Evaluation: gate.Evaluation{Results: []gate.Result{
				gate.ErrorRate(0.005, 0.01).Judge(gate.Counts{N: 4000, K: 3}, nil),
			}},
		},
	})
	fmt.Println("allowed:", decision.Allowed(), "curable:", decision.Curable())
	for _, refusal := range decision.Refusals {
		fmt.Printf("%s: %s\nto resolve: %s\n", refusal.Cause, refusal.Reason, refusal.Resolve)
	}
	// Output:
	// allowed: false curable: true
	// soak too short: soaked 31 h 0 min of 48 h 0 min at 10 %, since 2026-03-02T09:00:00Z
	// to resolve: wait 17 h 0 min, then run `pulumi up` again
}
