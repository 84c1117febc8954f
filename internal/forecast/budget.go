package forecast

import (
	"context"
	"fmt"
	"slices"

	"github.com/vextrus/finance-rollout/internal/plan"
)

// Budget is the answer to "at most so many failed answers per release".
type Budget struct {
	Most int64 `json:"most"`
	// Kept is whether the plan's stages keep the budget. Worst is the most failed answers of a bad release, which fails
	// Share of them.
	Kept  bool    `json:"kept"`
	Worst int64   `json:"worst"`
	Share float64 `json:"share"`
	// Stages are the proposed stages that keep it, empty if none do; Command sets them. Least is then the least that any
	// stages reach, with LeastWeight as the first stage.
	Stages      plan.Stages `json:"stages,omitempty"`
	Command     string      `json:"command,omitempty"`
	Least       int64       `json:"least,omitempty"`
	LeastWeight int         `json:"leastWeight,omitempty"`
	// Proposed is the forecast of the proposed stages; nil if the traffic cannot decide them, and Undecided says why.
	Proposed  *Forecast `json:"proposed,omitempty"`
	Undecided string    `json:"undecided,omitempty"`
}

// steepest is the most by which a proposed stage multiplies the weight of the one before, as the guide's 10 and 30 %.
const steepest = 3

// WithBudget adds the answer to a budget to a forecast of the same profile, plan and runs. A release is bad from its
// first request on, so that the weight of the first stage decides what it costs.
func WithBudget(ctx context.Context, forecast Forecast, profile Profile, p Plan, most int64,
	runs int) (Forecast, error) {
	return withBudget(ctx, forecast, profile, p, most, of(runs))
}

func withBudget(ctx context.Context, forecast Forecast, profile Profile, p Plan, most int64,
	effort effort) (Forecast, error) {
	if most < 0 {
		return Forecast{}, fmt.Errorf("a budget of %d failed answers: allowed are 0 or more", most)
	}
	budget := &Budget{Most: most}
	budget.Worst, budget.Share = worst(forecast.Bad)
	budget.Kept = budget.Worst <= most
	forecast.Budget = budget
	if budget.Kept {
		return forecast, nil
	}
	m := newSimulator(profile, p, forecast.Seed)
	for _, weight := range slices.Backward(p.expressible()) {
		if weight >= p.Stages[0] {
			continue
		}
		bad, err := m.bad(ctx, weight, effort.bad)
		if err != nil {
			return Forecast{}, err
		}
		if failed, _ := worst(bad); budget.LeastWeight == 0 || failed < budget.Least {
			budget.Least, budget.LeastWeight = failed, weight
		}
		if budget.Least <= most {
			return budget.propose(ctx, forecast, profile, p, weight, effort)
		}
	}
	if budget.LeastWeight == 0 || budget.Worst < budget.Least {
		budget.Least, budget.LeastWeight = budget.Worst, p.Stages[0]
	}
	return forecast, nil
}

// propose fills in the stages from a first weight, and their forecast.
func (b *Budget) propose(ctx context.Context, forecast Forecast, profile Profile, p Plan, first int,
	effort effort) (Forecast, error) {
	p.Stages = p.from(first)
	b.Stages, b.Command = p.Stages, p.setStages(p.Stages)
	if err := Decidable(profile, p); err != nil {
		b.Undecided = err.Error()
		return forecast, nil
	}
	proposed, err := compute(ctx, profile, p, forecast.Seed, effort)
	if err != nil {
		return Forecast{}, err
	}
	b.Proposed = &proposed
	return forecast, nil
}

func worst(bad []Bad) (most int64, share float64) {
	for _, one := range bad {
		if one.Worst > most || share == 0 {
			most, share = one.Worst, one.Share
		}
	}
	return most, share
}

// candidates are the first weights that are worth a look.
var candidates = []int{1, 2, 3, 5, 7, 10, 15, 20, 25, 30, 40, 50, 60, 75, 100}

// expressible are the candidates that the pods can express.
func (p Plan) expressible() []int {
	var list []int
	for _, weight := range candidates {
		if _, err := p.Split(weight); err == nil {
			list = append(list, weight)
		}
	}
	return list
}

// from are stages that begin at a weight, no steeper than the steepest, and go on with the plan's.
func (p Plan) from(first int) plan.Stages {
	stages := plan.Stages{first}
	for _, weight := range p.Stages {
		for last := stages[len(stages)-1]; weight > steepest*last; last = stages[len(stages)-1] {
			next := steepest * last
			for next > last {
				if _, err := p.Split(next); err == nil {
					break
				}
				next--
			}
			if next == last {
				break
			}
			stages = append(stages, next)
		}
		if weight > stages[len(stages)-1] {
			stages = append(stages, weight)
		}
	}
	return stages
}
