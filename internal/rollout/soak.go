package rollout

import (
	"context"
	"time"

	"github.com/vextrus/finance-rollout/internal/advance"
	"github.com/vextrus/finance-rollout/internal/gate"
	"github.com/vextrus/finance-rollout/internal/ledger"
	"github.com/vextrus/finance-rollout/internal/names"
	"github.com/vextrus/finance-rollout/internal/plan"
	"github.com/vextrus/finance-rollout/internal/relative"
	"github.com/vextrus/finance-rollout/internal/settings"
	"github.com/vextrus/finance-rollout/internal/soak"
)

// Criteria are the success conditions on requests.
func Criteria(s *settings.Settings) []gate.Criterion {
	errorRate := gate.ErrorRate(s.Criteria.ErrorRate, s.Criteria.RollbackErrorRate)
	list := []gate.Criterion{errorRate}
	if s.Criteria.Latency > 0 {
		latency := gate.Latency(time.Duration(s.Criteria.Latency), 1-s.Criteria.SlowShare)
		// The guide leaves slowness to a person: it keeps a release from advancing and rolls none back.
		latency.Rollback = 1
		list = append(list, latency)
	}
	for i := range list {
		list[i].MinRequests = int64(s.Bake.MinRequests)
		list[i].Alpha = 1 - s.Bake.Confidence
		list[i].PassAlpha = 1 - s.Criteria.Confidence
	}
	return list
}

// relativeLimits are what a comparison with stable allows; nil for none. New pods are left alone for a tenth of a soak
// at most, so that a short one compares as well.
func relativeLimits(s *settings.Settings) *relative.Limits {
	if s.Criteria.Relative == settings.RelativeOff {
		return nil
	}
	limits := &relative.Limits{
		Ratio: s.Criteria.RelativeRatio, CPU: s.Criteria.RelativeCPU, Memory: s.Criteria.RelativeMemory,
		Slices: s.Criteria.Slices, Labels: s.Criteria.SliceLabels,
		RollBack: s.Criteria.Relative == settings.RelativeRollback,
		WarmUp:   min(relative.WarmUp, time.Duration(s.Soak.Duration)/10),
	}
	if s.Criteria.Latency > 0 {
		limits.Slower = s.Criteria.RelativeSlower
	}
	return limits
}

// SoakSpec says which series and conditions the stack's soak and bake judge.
func SoakSpec(s *settings.Settings) soak.Spec {
	metrics := gate.DefaultMetrics()
	metrics.RequestsTotal, metrics.StatusLabel, metrics.ErrorPattern = s.Metrics.RequestsTotal, s.Metrics.StatusLabel,
		s.Metrics.ErrorPattern
	metrics.DurationBucket, metrics.DurationUnit = s.Metrics.DurationBucket, s.Metrics.DurationUnit.Duration()
	metrics.Matchers, metrics.Exclude = s.Metrics.Conditions(), s.Metrics.Exclude.Patterns
	metrics = metrics.With(s.Metrics.Selector)
	if metrics.Tracks = s.Metrics.TrackMatchers(s.Namespace, s.App); len(metrics.Tracks) > 0 {
		metrics.App = s.App
	} else {
		metrics.Pods = map[string]string{"namespace": s.Namespace, names.App: s.App}
		metrics = metrics.With(metrics.Pods)
	}
	metrics.ScrapeInterval = time.Duration(s.Metrics.Interval)
	spec := soak.Spec{
		Namespace: s.Namespace, App: s.App, Metrics: metrics, Criteria: Criteria(s), Alerts: s.Monitoring.Enabled,
		Plan: plan.Soak{Duration: time.Duration(s.Soak.Duration), Extension: time.Duration(s.Soak.Extension)},
	}
	spec.Relative = relativeLimits(s)
	for _, query := range s.Criteria.Own {
		spec.Queries = append(spec.Queries, gate.QueryCriterion{Name: query.Name, Query: query.Query, Limit: query.Limit,
			Direction: query.Direction, Address: addressOf(query.HTTP)})
	}
	return spec
}

// Terms are what the stack's moves are judged by, in the form of the ledger.
func (r *Rollout) Terms() *ledger.Terms {
	terms := SoakSpec(r.Settings).Terms(time.Duration(r.Settings.Bake.Duration))
	terms.Floors = r.Settings.LoweredFloors()
	return terms
}

// Soak gathers the evidence of the stage that the ledger's state stands at, afresh. It returns no error: a Prometheus
// that cannot be reached is a result with verdict error.
func (r *Rollout) Soak(ctx context.Context, state ledger.State) advance.Soak {
	now := r.Clock.Now()
	spec := SoakSpec(r.Settings)
	prometheus, err := r.Prometheus()
	if err != nil {
		return advance.Soak{
			Plan: spec.Plan, Extensions: state.Extensions, Since: state.SoakSince, Criteria: spec.Criteria,
			Queries: spec.Queries, Relative: spec.Relative,
			Evaluation: soak.Unseen(gate.Window{Start: state.SoakSince, End: now}, err),
		}
	}
	return soak.Look(ctx, spec, r.Cluster, soak.WithAddresses(prometheus, r.ownClient), state, now)
}
