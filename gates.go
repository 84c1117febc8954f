package main

import (
	"context"
	"time"

	"github.com/prometheus/client_golang/api"

	"github.com/vextrus/finance-rollout/components"
	"github.com/vextrus/finance-rollout/internal/gate"
	"github.com/vextrus/finance-rollout/internal/settings"
)

// criteria are the success conditions of a bake.
func criteria(s *settings.Settings) []gate.Criterion {
	errorRate := gate.ErrorRate(s.Criteria.ErrorRate, s.Criteria.RollbackErrorRate)
	latency := gate.Latency(time.Duration(s.Criteria.Latency), 1-s.Criteria.SlowShare)
	list := []gate.Criterion{errorRate, latency}
	for i := range list {
		list[i].MinRequests = int64(s.Bake.MinRequests)
		list[i].Alpha = 1 - s.Bake.Confidence
	}
	return list
}

// seriesOf selects the series of the release's own pods.
func seriesOf(s *settings.Settings) gate.Metrics {
	metrics := gate.DefaultMetrics()
	metrics.RequestsTotal, metrics.StatusLabel, metrics.ErrorPattern = s.Metrics.RequestsTotal, s.Metrics.StatusLabel, s.Metrics.ErrorPattern
	metrics.DurationBucket = s.Metrics.DurationBucket
	metrics = metrics.With(s.Metrics.Selector).With(map[string]string{"namespace": s.Namespace, components.LabelApp: s.App})
	metrics.ScrapeInterval = time.Duration(s.Metrics.Interval)
	version := ""
	if s.HasCanary() {
		version = s.Release
	}
	return metrics.For(releaseTrack(s), version)
}

// bake watches the release's metrics and gives the last look. It begins two scrapes after it is called: by then Prometheus
// has counted the smoke suite's own requests, so that they are no evidence.
func bake(ctx context.Context, s *settings.Settings, client api.Client) gate.Evaluation {
	select {
	case <-ctx.Done():
	case <-time.After(2 * time.Duration(s.Metrics.Interval)):
	}
	querier, metrics, list := gate.NewPrometheus(client), seriesOf(s), criteria(s)
	config := gate.BakeConfig{Duration: time.Duration(s.Bake.Duration), Interval: time.Duration(s.Bake.Interval)}
	return gate.Bake(ctx, gate.SystemClock{}, config, func(ctx context.Context, since time.Time) gate.Evaluation {
		return gate.Evaluate(ctx, querier, metrics, list, gate.Window{Start: since, End: time.Now()})
	})
}
