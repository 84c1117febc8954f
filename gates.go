package main

import (
	"context"
	"time"

	"github.com/vextrus/finance-rollout/internal/gate"
	"github.com/vextrus/finance-rollout/internal/rollout"
	"github.com/vextrus/finance-rollout/internal/settings"
)

// bake watches the subject's metrics and gives the last look. It begins two scrapes after it is called: by then Prometheus has
// counted the smoke suite's own requests, so that they are no evidence.
func bake(ctx context.Context, s *settings.Settings, querier gate.Querier, clock gate.Clock) gate.Evaluation {
	select {
	case <-ctx.Done():
	case <-clock.After(2 * time.Duration(s.Metrics.Interval)):
	}
	subject, spec := rollout.SubjectOf(s), rollout.SoakSpec(s)
	question := gate.Question{Metrics: spec.Series(subject.Track, subject.SeriesVersion()), Criteria: spec.Criteria}
	if s.HasCanary() {
		question.Stable = spec.Beside(s.Position().Weight)
	}
	config := gate.BakeConfig{Duration: time.Duration(s.Bake.Duration), Interval: time.Duration(s.Bake.Interval)}
	return gate.Bake(ctx, clock, config, func(ctx context.Context, since time.Time) gate.Evaluation {
		question.Window = gate.Window{Start: since, End: clock.Now()}
		return gate.Evaluate(ctx, querier, question)
	})
}
