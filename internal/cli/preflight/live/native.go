package live

import (
	"context"

	"github.com/prometheus/common/model"

	"github.com/vextrus/finance-rollout/internal/cli/preflight"
	"github.com/vextrus/finance-rollout/internal/gate"
	"github.com/vextrus/finance-rollout/internal/promql"
	"github.com/vextrus/finance-rollout/internal/rollout"
)

// native are the counted metrics that the server keeps as native histograms alone: those whose classic series are
// missing, and a counter that is such a histogram itself. A server that does not answer has none; the other
// rows say so.
func (r *reader) native(ctx context.Context, server Server, found *preflight.Prometheus) []string {
	metrics := rollout.SoakSpec(r.Settings).Metrics
	var native []string
	if len(found.Statuses) == 0 {
		native = append(native, gate.NativeOf(metrics.RequestsTotal))
	} else {
		native = append(native, metrics.RequestsTotal)
	}
	if len(found.Bounds) == 0 && r.Settings.Criteria.Latency > 0 {
		native = append(native, gate.NativeOf(metrics.DurationBucket))
	}
	var kept []string
	for _, metric := range native {
		if metric != "" && r.isNative(ctx, server, metric) {
			kept = append(kept, metric)
		}
	}
	return kept
}

// isNative reports whether the metric's increase over the last day is a histogram and not a number.
func (r *reader) isNative(ctx context.Context, server Server, metric string) bool {
	selector, err := rollout.SoakSpec(r.Settings).Metrics.Select(metric)
	if err != nil {
		return false
	}
	answer, err := server.Ask(ctx, promql.Sum(promql.Increase(selector, metricsBack)), r.Now())
	vector, ok := answer.(model.Vector)
	return err == nil && ok && len(vector) > 0 && vector[0].Histogram != nil
}
