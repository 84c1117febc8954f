package soak

import (
	"time"

	"github.com/vextrus/finance-rollout/internal/advance"
	"github.com/vextrus/finance-rollout/internal/gate"
	"github.com/vextrus/finance-rollout/internal/ledger"
	"github.com/vextrus/finance-rollout/internal/plan"
)

// Terms are what a move is judged by, in the form of the ledger. The bake is 0 where it is not known.
func (s Spec) Terms(bake time.Duration) *ledger.Terms {
	return terms(s.Plan, s.Criteria, s.Queries, bake)
}

// Terms are what a look at the soak was judged by, in the form of the ledger.
func Terms(look advance.Soak) *ledger.Terms { return terms(look.Plan, look.Criteria, look.Queries, 0) }

func terms(watch plan.Soak, criteria []gate.Criterion, queries []gate.QueryCriterion,
	bake time.Duration) *ledger.Terms {
	result := &ledger.Terms{
		Soak: int64(watch.Duration / time.Second), Extension: int64(watch.Extension / time.Second),
		Bake: int64(bake / time.Second),
	}
	for _, criterion := range criteria {
		result.Limits = append(result.Limits, ledger.Limit{Name: criterion.Name, Target: criterion.Target,
			Rollback: criterion.Rollback})
	}
	for _, query := range queries {
		result.Limits = append(result.Limits, ledger.Limit{Name: query.Name, Target: query.Limit,
			Direction: query.Direction})
	}
	return result
}
