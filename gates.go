package main

import (
	"context"
	"time"

	"github.com/vextrus/finance-rollout/internal/advance"
	"github.com/vextrus/finance-rollout/internal/gate"
	"github.com/vextrus/finance-rollout/internal/ledger"
	"github.com/vextrus/finance-rollout/internal/plan"
	"github.com/vextrus/finance-rollout/internal/podlabel"
	"github.com/vextrus/finance-rollout/internal/settings"
	"github.com/vextrus/finance-rollout/internal/soak"
)

// criteria are the success conditions on requests.
func criteria(s *settings.Settings) []gate.Criterion {
	errorRate := gate.ErrorRate(s.Criteria.ErrorRate, s.Criteria.RollbackErrorRate)
	latency := gate.Latency(time.Duration(s.Criteria.Latency), 1-s.Criteria.SlowShare)
	// The guide leaves slowness to a person: it keeps a release from advancing and rolls none back.
	latency.Rollback = 1
	list := []gate.Criterion{errorRate, latency}
	for i := range list {
		list[i].MinRequests = int64(s.Bake.MinRequests)
		list[i].Alpha = 1 - s.Bake.Confidence
		list[i].PassAlpha = 1 - s.Criteria.Confidence
	}
	return list
}

// soakSpec is what the stack's soak looks at, the bake too.
func soakSpec(s *settings.Settings) soak.Spec {
	metrics := gate.DefaultMetrics()
	metrics.RequestsTotal, metrics.StatusLabel, metrics.ErrorPattern = s.Metrics.RequestsTotal, s.Metrics.StatusLabel, s.Metrics.ErrorPattern
	metrics.DurationBucket = s.Metrics.DurationBucket
	metrics = metrics.With(s.Metrics.Selector).With(map[string]string{"namespace": s.Namespace, podlabel.App: s.App})
	metrics.ScrapeInterval = time.Duration(s.Metrics.Interval)
	spec := soak.Spec{
		Namespace: s.Namespace, App: s.App, Metrics: metrics, Criteria: criteria(s), Alerts: s.Monitoring.Enabled,
		Plan: plan.Soak{Duration: time.Duration(s.Soak.Duration), Extension: time.Duration(s.Soak.Extension)},
	}
	for _, own := range s.Criteria.Own {
		spec.Own = append(spec.Own, gate.QueryCriterion{Name: own.Name, Query: own.Query, Limit: own.Limit, Direction: own.Direction})
	}
	return spec
}

// bake watches the subject's metrics, tells of every look, and gives the last one. It begins two scrapes after it is called: by then Prometheus has
// counted the smoke suite's own requests, so that they are no evidence.
func bake(ctx context.Context, s *settings.Settings, querier gate.Querier, clock gate.Clock, onLook func(gate.Evaluation)) gate.Evaluation {
	select {
	case <-ctx.Done():
	case <-clock.After(2 * time.Duration(s.Metrics.Interval)):
	}
	subject, spec := subjectOf(s), soakSpec(s)
	question := gate.Question{Metrics: spec.Series(subject.track, subject.seriesVersion()), Criteria: spec.Criteria}
	if s.HasCanary() {
		question.Stable = spec.Beside(s.Position().Weight)
	}
	config := gate.BakeConfig{Duration: time.Duration(s.Bake.Duration), Interval: time.Duration(s.Bake.Interval), OnLook: onLook}
	return gate.Bake(ctx, clock, config, func(ctx context.Context, since time.Time) gate.Evaluation {
		question.Window = gate.Window{Start: since, End: clock.Now()}
		return gate.Evaluate(ctx, querier, question)
	})
}

// lookAtSoak gathers the evidence of the stage that the rollout stands at, afresh.
func lookAtSoak(ctx context.Context, s *settings.Settings, cluster cluster, edges edges, state ledger.State, now time.Time) advance.Soak {
	spec := soakSpec(s)
	prometheus, err := edges.prometheus(cluster, s.Prometheus)
	if err != nil {
		return advance.Soak{
			Plan: spec.Plan, Extensions: state.Extensions, Since: state.SoakSince,
			Evaluation: soak.Unseen(gate.Window{Start: state.SoakSince, End: now}, err),
		}
	}
	return soak.Look(ctx, spec, cluster, prometheus, state, now)
}
