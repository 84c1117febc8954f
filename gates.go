package main

import (
	"context"
	"time"

	"github.com/vextrus/finance-rollout/internal/gate"
	"github.com/vextrus/finance-rollout/internal/rollout"
	"github.com/vextrus/finance-rollout/internal/settings"
	"github.com/vextrus/finance-rollout/internal/soak"
)

// own is what a bake found, unless other pods pass for the canary's: then nobody knows whose requests were counted.
func own(ctx context.Context, s *settings.Settings, pods soak.Pods, found gate.Evaluation) gate.Evaluation {
	if !s.HasCanary() {
		return found
	}
	if err := rollout.SoakSpec(s).Impostors(ctx, pods, s.Release); err != nil {
		return soak.Unseen(gate.Window{Start: found.Start, End: found.End}, err)
	}
	return found
}

// bake watches the subject's metrics, tells of every look, and gives the last one. It begins two scrapes after it is
// called: by then Prometheus has counted the smoke suite's own requests, so that they are no evidence.
func bake(ctx context.Context, s *settings.Settings, querier gate.Querier, clock gate.Clock,
	onLook func(gate.Evaluation)) gate.Evaluation {
	select {
	case <-ctx.Done():
	case <-clock.After(2 * time.Duration(s.Metrics.Interval)):
	}
	subject, spec := rollout.SubjectOf(s), rollout.SoakSpec(s)
	question := gate.Question{Metrics: spec.Series(subject.Track, subject.SeriesVersion()), Criteria: spec.Criteria}
	if s.HasCanary() {
		question.Stable = spec.Beside(s.Position().Weight)
	}
	config := gate.BakeConfig{Duration: time.Duration(s.Bake.Duration), Interval: time.Duration(s.Bake.Interval),
		OnLook: onLook}
	return gate.Bake(ctx, clock, config, func(ctx context.Context, since time.Time) gate.Evaluation {
		question.Window = gate.Window{Start: since, End: clock.Now()}
		return gate.Evaluate(ctx, querier, question)
	})
}
