package simulate

import (
	"errors"
	"fmt"
	"time"

	"github.com/vextrus/finance-rollout/internal/gate"
	"github.com/vextrus/finance-rollout/internal/plan"
	"github.com/vextrus/finance-rollout/internal/quarantine"
)

// Limits are the limits by which the traffic is judged.
type Limits struct {
	// Criteria are the criteria of bake and soak. A latency criterion is skipped if the record has no durations.
	Criteria []gate.Criterion
	// Bake configures the bake, without OnLook. A Duration of 0 means no bake.
	Bake gate.BakeConfig
	// Soak configures the soak.
	Soak plan.Soak
	// Guard is the criterion by which the guard rolls back, nil without a guard. Review is the criterion by which it asks
	// for a review, nil for none.
	Guard, Review *gate.Criterion
	// Quarantine has the pauses of a guard that isolates on fast evidence; nil for one that rolls back on it.
	Quarantine *quarantine.Policy
	// Scrape is the time between scrapes, of which the bake waits for two; the step of the traffic where that is longer.
	Scrape time.Duration
}

// Validate returns all problems of the limits.
func (l Limits) Validate() error {
	problems := []error{l.Soak.Validate()}
	if len(l.Criteria) == 0 {
		problems = append(problems, errors.New("no criterion to judge by"))
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
		problems = append(problems, fmt.Errorf("a bake of %v with an interval of %v: allowed are a duration from 0 and an "+
			"interval above 0",
			l.Bake.Duration, l.Bake.Interval))
	}
	if l.Scrape < 0 {
		problems = append(problems, fmt.Errorf("a scrape every %v: allowed are durations from 0", l.Scrape))
	}
	return errors.Join(problems...)
}

// judged returns the criteria that apply to a record with or without durations.
func (l Limits) judged(durations bool) []gate.Criterion {
	var kept []gate.Criterion
	for _, criterion := range l.Criteria {
		if criterion.Kind != gate.KindLatency || durations {
			kept = append(kept, criterion)
		}
	}
	return kept
}
