package simulate

import (
	"errors"
	"fmt"

	"github.com/vextrus/finance-rollout/internal/gate"
	"github.com/vextrus/finance-rollout/internal/plan"
)

// Limits are what the traffic is judged by.
type Limits struct {
	// Criteria are those of bake and soak. One on latency is left out where the record has no durations.
	Criteria []gate.Criterion
	// Bake is the short watch after the shift; its OnLook is not used. A Duration of 0 is none.
	Bake gate.BakeConfig
	// Soak is the long one.
	Soak plan.Soak
	// Guard is the criterion that the guard rolls back by, nil without a guard; Review the one that it asks for review
	// by, nil for none.
	Guard, Review *gate.Criterion
}

// Validate says what is wrong.
func (l Limits) Validate() error {
	problems := []error{l.Soak.Validate()}
	if len(l.Criteria) == 0 {
		problems = append(problems, errors.New("there is no criterion to judge by"))
	}
	for _, criterion := range l.Criteria {
		problems = append(problems, criterion.Validate())
	}
	for _, criterion := range []*gate.Criterion{l.Guard, l.Review} {
		if criterion != nil {
			problems = append(problems, criterion.Validate())
			if criterion.Rollback >= 1 {
				problems = append(problems, fmt.Errorf("the guard's criterion %q has the limit 1, which no share exceeds",
					criterion.Name))
			}
		}
	}
	if l.Bake.Duration < 0 || l.Bake.Duration > 0 && l.Bake.Interval <= 0 {
		problems = append(problems, fmt.Errorf("a bake of %v with a look every %v: 0 or more and above 0 are allowed",
			l.Bake.Duration, l.Bake.Interval))
	}
	return errors.Join(problems...)
}

// judged are the criteria that the record can be judged by.
func (l Limits) judged(r *Recording) []gate.Criterion {
	var kept []gate.Criterion
	for _, criterion := range l.Criteria {
		if criterion.Kind != gate.KindLatency || r.Durations {
			kept = append(kept, criterion)
		}
	}
	return kept
}
