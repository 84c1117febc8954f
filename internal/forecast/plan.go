package forecast

import (
	"errors"
	"fmt"
	"time"

	"github.com/vextrus/finance-rollout/internal/gate"
	"github.com/vextrus/finance-rollout/internal/plan"
	"github.com/vextrus/finance-rollout/internal/simulate"
)

// Plan is the release to forecast.
type Plan struct {
	// Stack is the stack's name, for the commands in remedies.
	Stack string
	// Start is when the release enters the first stage.
	Start  time.Time
	Stages plan.Stages
	// Limits are what bake, soak and guard judge by.
	Limits simulate.Limits
	// Extensions is how often the soak of a stage may be extended before the release counts as undecided.
	Extensions int
	// Opens gives the first time from at on at which an upward move may happen, after the last one; nil for any time. It
	// is the stack's calendar.
	Opens func(at, last time.Time) time.Time
	// Split gives the pods at a weight, Replicas those without a canary.
	Split    func(weight int) (plan.Position, error)
	Replicas int
	// CanaryCPU and StableCPU are the CPUs that a pod of each track requests.
	CanaryCPU, StableCPU float64
}

// mostExtensions bounds the extensions: with the guide's day for each, two months.
const mostExtensions = 60

// Validate returns all problems of the plan.
func (p Plan) Validate() error {
	problems := []error{p.Limits.Validate(), p.Stages.Validate()}
	if p.Extensions < 0 || p.Extensions > mostExtensions {
		problems = append(problems, fmt.Errorf("%d extensions: allowed are 0 to %d", p.Extensions, mostExtensions))
	}
	if p.Start.IsZero() {
		problems = append(problems, errors.New("no start"))
	}
	if p.Split == nil {
		return errors.Join(append(problems, errors.New("no split of the pods"))...)
	}
	for _, weight := range p.Stages {
		if _, err := p.Split(weight); err != nil {
			problems = append(problems, err)
		}
	}
	return errors.Join(problems...)
}

// longest is the longest soak of a stage with all its extensions.
func (p Plan) longest() time.Duration { return p.Limits.Soak.Required(p.Extensions) }

// bakes is the longest bake, extended for lack of requests.
func (p Plan) bakes() time.Duration {
	bake := p.Limits.Bake
	switch {
	case bake.MaxExtension < 0:
		return bake.Duration
	case bake.MaxExtension > 0:
		return bake.Duration + bake.MaxExtension
	default:
		return 2 * bake.Duration
	}
}

// open is the first time from at on at which the calendar allows a move.
func (p Plan) open(at, last time.Time) time.Time {
	if p.Opens == nil {
		return at
	}
	return p.Opens(at, last)
}

// criteria are those that apply to the profile.
func (p Plan) criteria(profile Profile) []gate.Criterion {
	var kept []gate.Criterion
	for _, criterion := range p.Limits.Criteria {
		if criterion.Kind != gate.KindLatency || profile.Durations {
			kept = append(kept, criterion)
		}
	}
	return kept
}

// share is the service's own share of a criterion's bad events.
func share(criterion gate.Criterion, hour Hour) float64 {
	if criterion.Kind == gate.KindLatency {
		return hour.Slow
	}
	return hour.Errors
}
