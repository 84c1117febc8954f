package main

import (
	"context"
	"fmt"
	"time"

	corev1 "k8s.io/api/core/v1"

	"github.com/vextrus/finance-rollout/components"
	"github.com/vextrus/finance-rollout/internal/advance"
	"github.com/vextrus/finance-rollout/internal/gate"
	"github.com/vextrus/finance-rollout/internal/ledger"
	"github.com/vextrus/finance-rollout/internal/plan"
	"github.com/vextrus/finance-rollout/internal/settings"
)

// criteria are the success conditions on requests.
func criteria(s *settings.Settings) []gate.Criterion {
	errorRate := gate.ErrorRate(s.Criteria.ErrorRate, s.Criteria.RollbackErrorRate)
	latency := gate.Latency(time.Duration(s.Criteria.Latency), 1-s.Criteria.SlowShare)
	list := []gate.Criterion{errorRate, latency}
	for i := range list {
		list[i].MinRequests = int64(s.Bake.MinRequests)
		list[i].Alpha = 1 - s.Bake.Confidence
		list[i].PassAlpha = 1 - s.Criteria.Confidence
	}
	return list
}

// seriesOf selects the series of a track and, unless it is empty, of a version.
func seriesOf(s *settings.Settings, track, version string) gate.Metrics {
	metrics := gate.DefaultMetrics()
	metrics.RequestsTotal, metrics.StatusLabel, metrics.ErrorPattern = s.Metrics.RequestsTotal, s.Metrics.StatusLabel, s.Metrics.ErrorPattern
	metrics.DurationBucket = s.Metrics.DurationBucket
	metrics = metrics.With(s.Metrics.Selector).With(map[string]string{"namespace": s.Namespace, components.LabelApp: s.App})
	metrics.ScrapeInterval = time.Duration(s.Metrics.Interval)
	return metrics.For(track, version)
}

// besides are the series of the stable track that a canary is compared with, nil where that has no requests.
func besides(s *settings.Settings, canary bool, weight int) *gate.Metrics {
	if !canary || weight == 100 {
		return nil
	}
	stable := seriesOf(s, components.TrackStable, "")
	return &stable
}

// bake watches the subject's metrics and gives the last look. It begins two scrapes after it is called: by then Prometheus has
// counted the smoke suite's own requests, so that they are no evidence.
func bake(ctx context.Context, s *settings.Settings, querier gate.Querier, clock gate.Clock) gate.Evaluation {
	select {
	case <-ctx.Done():
	case <-clock.After(2 * time.Duration(s.Metrics.Interval)):
	}
	subject := subjectOf(s)
	question := gate.Question{
		Metrics: seriesOf(s, subject.track, subject.seriesVersion()), Stable: besides(s, s.HasCanary(), s.Position().Weight),
		Criteria: criteria(s),
	}
	config := gate.BakeConfig{Duration: time.Duration(s.Bake.Duration), Interval: time.Duration(s.Bake.Interval)}
	return gate.Bake(ctx, clock, config, func(ctx context.Context, since time.Time) gate.Evaluation {
		question.Window = gate.Window{Start: since, End: clock.Now()}
		return gate.Evaluate(ctx, querier, question)
	})
}

// soakLimit bounds the look at a soak: two days of samples of many pods are read in pieces.
const soakLimit = 3 * time.Minute

// lookAtSoak gathers the evidence of the stage that the rollout stands at, afresh.
func lookAtSoak(ctx context.Context, s *settings.Settings, cluster cluster, edges edges, state ledger.State, now time.Time) advance.Soak {
	ctx, cancel := context.WithTimeoutCause(ctx, soakLimit, fmt.Errorf("the evidence was not read within %v", soakLimit))
	defer cancel()
	soak := advance.Soak{
		Plan:       plan.Soak{Duration: time.Duration(s.Soak.Duration), Extension: time.Duration(s.Soak.Extension)},
		Extensions: state.Extensions, Since: state.SoakSince,
	}
	window := gate.Window{Start: state.SoakSince, End: now}
	metrics := seriesOf(s, components.TrackCanary, state.Release)
	prometheus, err := edges.prometheus(cluster, s.Prometheus)
	if err != nil {
		soak.Evaluation = unseen(window, err)
		return soak
	}
	coverage, err := gate.Cover(ctx, prometheus, metrics, window)
	if err != nil {
		soak.Evaluation = unseen(window, err)
		return soak
	}
	soak.Soaked = coverage.Covered
	soak.Evaluation = gate.EvaluateSoak(ctx, prometheus, gate.Question{
		Metrics: metrics, Stable: besides(s, true, state.Weight), Criteria: criteria(s), Window: window,
	})
	soak.Evaluation.Results = append(soak.Evaluation.Results, conditions(ctx, s, cluster, prometheus, state.Release, window)...)
	return soak
}

// unseen is the evaluation of a soak that nobody could look at.
func unseen(window gate.Window, err error) gate.Evaluation {
	return gate.Evaluation{Start: window.Start, End: window.End, Results: []gate.Result{{Name: "prometheus", Verdict: gate.Error, Reason: err.Error()}}}
}

// conditions are the criteria of a soak that count no requests.
func conditions(ctx context.Context, s *settings.Settings, cluster cluster, asker gate.Asker, release string, window gate.Window) []gate.Result {
	rollout := gate.Rollout{
		Namespace: s.Namespace, App: s.App, Release: release, Track: components.TrackCanary, Deployment: s.App + "-" + release,
	}
	var results []gate.Result
	pods, err := cluster.AllPods(ctx, s.Namespace, map[string]string{
		components.LabelApp: s.App, components.LabelTrack: components.TrackCanary, components.LabelVersion: release,
	})
	if err != nil {
		results = append(results, gate.Result{Name: "restarts", Verdict: gate.Error, Reason: err.Error()})
	} else {
		results = append(results, gate.Restarts(ctx, asker, rollout, podStates(pods), window))
	}
	if s.Monitoring.Enabled {
		results = append(results, gate.Firing(ctx, asker, rollout, window))
	}
	for _, own := range s.Criteria.Own {
		criterion := gate.QueryCriterion{Name: own.Name, Query: own.Query, Limit: own.Limit, Direction: own.Direction}
		results = append(results, criterion.Evaluate(ctx, asker, rollout, window))
	}
	return results
}

func podStates(pods []corev1.Pod) []gate.PodState {
	var states []gate.PodState
	for i := range pods {
		state := gate.PodState{Name: pods[i].Name}
		for _, container := range pods[i].Status.ContainerStatuses {
			state.Restarts += int(container.RestartCount)
			state.CrashLoop = state.CrashLoop || container.State.Waiting != nil && container.State.Waiting.Reason == "CrashLoopBackOff"
		}
		states = append(states, state)
	}
	return states
}
