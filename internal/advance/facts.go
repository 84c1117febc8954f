package advance

import (
	"fmt"
	"time"

	"github.com/vextrus/finance-rollout/internal/gate"
	"github.com/vextrus/finance-rollout/internal/plan"
)

// Facts are everything that a decision rests on.
type Facts struct {
	// Now is when the decision is made.
	Now time.Time
	// Stages are the plan, Standing is where the rollout stands by its ledger, Target what the configuration asks for.
	Stages   plan.Stages
	Standing plan.Standing
	Target   plan.Target
	// Latch is the latch of the target's image, nil when none is engaged.
	Latch *Latch
	// Soak is the watch of the position that the rollout stands at, nil where there is none to look at: at weight 0.
	Soak *Soak
	// Staging is what is known of the target's image from staging.
	Staging Staging
	// Override lets this shift through in an emergency, nil for none.
	Override *Override
}

// Latch keeps a rolled-back image out.
type Latch struct {
	// Entry is the number of the ledger's entry that engaged it.
	Entry  int
	When   time.Time
	Who    string
	Reason string
}

// Soak is the evidence of the stage that the rollout stands at.
type Soak struct {
	// Plan is how long it takes, Extensions how often it was extended.
	Plan       plan.Soak
	Extensions int
	// Since is when the stage was reached.
	Since time.Time
	// Soaked is how long it has been watched since then, without the gaps.
	Soaked time.Duration
	// Evaluation is the look at its criteria, made afresh.
	Evaluation gate.Evaluation
}

// String is the time that was soaked and the look at the criteria, for people.
func (s Soak) String() string {
	return fmt.Sprintf("soaked %s of %s\n%s", duration(s.Soaked), duration(s.Plan.Required(s.Extensions)), s.Evaluation)
}

// Staging tells whether staging has verified the target's image.
type Staging struct {
	// Required is false where the stack does without; Stack is the stack that verifies.
	Required bool
	Stack    string
	// Verified is the digest that the stack has verified last; empty for none. Err is why it could not be read.
	Verified string
	Err      error
}

// Override is an operator's decision against the gate.
type Override struct {
	Weight int
	Reason string
}
