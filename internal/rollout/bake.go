package rollout

import (
	"context"
	"time"

	"github.com/vextrus/finance-rollout/internal/gate"
	"github.com/vextrus/finance-rollout/internal/relative"
	"github.com/vextrus/finance-rollout/internal/soak"
)

// Bake watches the subject's metrics, reports every look to onLook, and returns the last one. It begins two scrapes
// after the call: by then Prometheus has counted the smoke suite's own requests, so that they are no evidence.
//
// When other pods carry the canary's labels, nobody knows whose requests were counted: the result is an error then,
// whatever the requests say.
func (r *Rollout) Bake(ctx context.Context, querier gate.Querier, subject Subject,
	onLook func(gate.Evaluation)) gate.Evaluation {
	s := r.Settings
	select {
	case <-ctx.Done():
	case <-r.Clock.After(2 * time.Duration(s.Metrics.Interval)):
	}
	spec := SoakSpec(s)
	question := gate.Question{Metrics: spec.Series(subject.Track, subject.SeriesVersion()), Criteria: spec.Criteria}
	if s.HasCanary() {
		question.Stable = spec.Beside(s.Position().Weight)
	}
	config := gate.BakeConfig{
		Duration: time.Duration(s.Bake.Duration), Interval: time.Duration(s.Bake.Interval), OnLook: onLook,
	}
	evaluation := gate.Bake(ctx, r.Clock, config, func(ctx context.Context, since time.Time) gate.Evaluation {
		question.Window = gate.Window{Start: since, End: r.Clock.Now()}
		return gate.Evaluate(ctx, querier, question)
	})
	if spec.Relative != nil && question.Stable != nil && evaluation.Verdict() == gate.Pass {
		evaluation.Results = append(evaluation.Results, relative.LookAtBake(ctx, querier, relative.Question{
			Limits: *spec.Relative, Canary: question.Metrics, Stable: *question.Stable,
			Window: gate.Window{Start: evaluation.Start, End: evaluation.End}})...)
	}
	return r.rejectImpostors(ctx, evaluation)
}

// rejectImpostors replaces an evaluation by an error when pods outside of the canary's Deployment carry its labels.
func (r *Rollout) rejectImpostors(ctx context.Context, evaluation gate.Evaluation) gate.Evaluation {
	s := r.Settings
	if !s.HasCanary() {
		return evaluation
	}
	if err := SoakSpec(s).Impostors(ctx, r.Cluster, s.Release); err != nil {
		return soak.Unseen(gate.Window{Start: evaluation.Start, End: evaluation.End}, err)
	}
	return evaluation
}
