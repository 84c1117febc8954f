package advance

import (
	"fmt"
	"time"

	"github.com/vextrus/finance-rollout/internal/gate"
	"github.com/vextrus/finance-rollout/internal/plan"
	"github.com/vextrus/finance-rollout/internal/relative"
)

// Facts are the complete input of a decision.
type Facts struct {
	// Now is when the decision is made.
	Now time.Time
	// Stages are the plan, Standing is the rollout's position by its ledger, Target the configured one.
	Stages   plan.Stages
	Standing plan.Standing
	Target   plan.Target
	// Living is the name of the release that lives by the ledger, Named the one that the configuration gives; both are
	// empty for none. Stack is the stack's name, for commands.
	Living, Named, Stack string
	// OfStable are the parts in which the target's canary differs from stable, and OfTrial those in which it differs from
	// what is on trial, in words; empty for none or where that is unknown.
	OfStable, OfTrial string
	// OfFinish are the parts in which stable would differ from what passed if the target finishes, in words; empty for
	// none or where that is unknown.
	OfFinish string
	// Latch is the latch of the target's canary image, StableLatch that of its stable image; nil when none is engaged.
	Latch, StableLatch *Latch
	// Soak is the evidence of the current position. It is nil at weight 0, where there is none, and where it has not been
	// evaluated.
	Soak *Soak
	// Staging is staging's verification of the target's image.
	Staging Staging
	// Holds are what holds an upward move back from outside the release.
	Holds Holds
	// Disarmed says why the guard in the cluster does not guard as the configuration says; empty where it does.
	Disarmed string
	// Loose are the limits that are looser than their floors.
	Loose []LooseLimit
	// Override allows this shift in an emergency; nil for none.
	Override *Override
}

// Latch keeps what was rolled back out of traffic.
type Latch struct {
	// Entry is the number of the ledger entry that engaged it.
	Entry  int
	When   time.Time
	Who    string
	Reason string
	// Parts are the parts of the configuration that it keeps out, in words; empty where it keeps the image out. Suspects
	// are the parts that were new beside the image.
	Parts, Suspects string
}

// Soak is the evidence of the current stage.
type Soak struct {
	// Plan is its planned length, Extensions the number of extensions.
	Plan       plan.Soak
	Extensions int
	// Since is when the stage was reached.
	Since time.Time
	// Soaked is the watched time since then, without gaps.
	Soaked time.Duration
	// Criteria are the conditions on requests, and Queries the stack's own, that the evaluation judged by.
	Criteria []gate.Criterion
	Queries  []gate.QueryCriterion
	// Relative is what the comparison with stable allowed; nil without one.
	Relative *relative.Limits
	// Evaluation is a fresh evaluation of the criteria.
	Evaluation gate.Evaluation
}

// String is the soaked time and the evaluation as text for people.
func (s Soak) String() string {
	return fmt.Sprintf("soaked %s of %s\n%s", duration(s.Soaked), duration(s.Plan.Required(s.Extensions)), s.Evaluation)
}

// Staging is what staging says about the target's image.
type Staging struct {
	// Required is false where the stack skips this check. Stack is the stack that verifies.
	Required bool
	Stack    string
	// Verified is the digest that the stack verified last; empty for none. Err is the error of reading it.
	Verified string
	Err      error
}

// LooseLimit is a limit of the configuration that asks for less than its floor.
type LooseLimit struct {
	// Key and Floor are the keys of the limit and of its floor, Given and Allowed their values.
	Key, Floor, Given, Allowed string
	// Reason says so for people.
	Reason string
}

// Override is an operator's decision to bypass the gate.
type Override struct {
	Weight int
	Reason string
}
