package soak

import (
	"fmt"
	"maps"
	"math"
	"slices"
	"time"

	"github.com/vextrus/finance-rollout/internal/advance"
	"github.com/vextrus/finance-rollout/internal/gate"
	"github.com/vextrus/finance-rollout/internal/ledger"
	"github.com/vextrus/finance-rollout/internal/plan"
	"github.com/vextrus/finance-rollout/internal/relative"
)

// Terms are what a move is judged by, in the form of the ledger. The bake is 0 where it is not known.
func (s Spec) Terms(bake time.Duration) *ledger.Terms {
	result := terms(s.Plan, s.Criteria, s.Queries, s.Relative, bake)
	result.Series = series(s.Metrics)
	return result
}

// Terms are what a look at the soak was judged by, in the form of the ledger.
func Terms(look advance.Soak) *ledger.Terms {
	return terms(look.Plan, look.Criteria, look.Queries, look.Relative, 0)
}

func terms(watch plan.Soak, criteria []gate.Criterion, queries []gate.QueryCriterion, limits *relative.Limits,
	bake time.Duration) *ledger.Terms {
	result := &ledger.Terms{
		Soak: int64(watch.Duration / time.Second), Extension: int64(watch.Extension / time.Second),
		Bake: int64(bake / time.Second),
	}
	for _, criterion := range criteria {
		result.Limits = append(result.Limits, ledger.Limit{Name: criterion.Name, Target: criterion.Target,
			Rollback: criterion.Rollback, Bound: criterion.Limit.Milliseconds(), Requests: criterion.MinRequests,
			Confidence: confidence(criterion.PassAlpha)})
	}
	if limits != nil {
		result.Limits = append(result.Limits,
			ledger.Limit{Name: relative.NameErrors, Target: limits.Ratio, Direction: gate.Below})
		for _, one := range []ledger.Limit{{Name: relative.NameLatency, Target: limits.Slower},
			{Name: relative.NameCPU, Target: limits.CPU}, {Name: relative.NameMemory, Target: limits.Memory}} {
			if one.Direction = gate.Below; one.Target > 0 {
				result.Limits = append(result.Limits, one)
			}
		}
	}
	for _, query := range queries {
		text := query.Query
		if query.Address != nil {
			text = query.Address.String()
		}
		result.Limits = append(result.Limits, ledger.Limit{Name: query.Name, Target: query.Limit,
			Direction: query.Direction, Query: text})
	}
	return result
}

// confidence is that of a pass, 0 where the criterion has the default. Rounded, because 1-0.05 is not 0.95 in binary.
func confidence(alpha float64) float64 {
	if alpha == 0 {
		return 0
	}
	return math.Round((1-alpha)*1e9) / 1e9
}

// series says which series count, and which of them as errors.
func series(m gate.Metrics) string {
	text := fmt.Sprintf("%s, errors %s=~%q, %s", m.RequestsTotal, m.StatusLabel, m.ErrorPattern, m.DurationBucket)
	for _, labels := range []struct {
		words string
		set   map[string]string
	}{{"of", m.Selector}, {"without", m.Exclude}} {
		for _, name := range slices.Sorted(maps.Keys(labels.set)) {
			text += fmt.Sprintf(", %s %s=%q", labels.words, name, labels.set[name])
		}
	}
	for _, one := range m.Matchers {
		text += ", that meet " + one.String()
	}
	for _, one := range m.Tracks {
		text += ", of a track by " + one.String()
	}
	if m.DurationUnit != 0 && m.DurationUnit != time.Second {
		text += ", in " + m.DurationUnit.String()
	}
	return text
}
