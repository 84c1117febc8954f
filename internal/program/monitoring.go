package program

import (
	"time"

	"github.com/vextrus/finance-rollout/components"
	"github.com/vextrus/finance-rollout/internal/alerts"
	"github.com/vextrus/finance-rollout/internal/names"
	"github.com/vextrus/finance-rollout/internal/rollout"
	"github.com/vextrus/finance-rollout/internal/settings"
)

// makeMonitoring makes ServiceMonitor, rules and dashboard; nil where the stack wants none.
func (p *program) makeMonitoring() (*components.Monitoring, error) {
	if !p.settings.Monitoring.Enabled {
		return nil, nil
	}
	args := &components.MonitoringArgs{
		App: p.environment.App, Metrics: p.settings.Metrics,
		Labels: p.settings.Monitoring.Labels, DashboardLabels: p.settings.Monitoring.DashboardLabels,
		Rules: alertParams(p.settings),
	}
	if !p.settings.IsSingle() {
		args.Hooks = p.hooks.watch
	}
	monitoring, err := components.NewMonitoring(p.ctx, p.scope.resource("monitoring"), args, p.provider)
	p.judged = append(p.judged, monitoring)
	return monitoring, err
}

func alertParams(s *settings.Settings) alerts.Params {
	container := ""
	if s.HasFurtherContainers() {
		container = s.App
	}
	metrics := rollout.SoakSpec(s).Metrics
	return alerts.Params{
		Container: container,
		App:       s.App, Environment: s.Environment, Namespace: s.Namespace, Release: s.Release,
		Deployment:    names.CanaryDeployment(s.App, s.Release),
		RequestsTotal: s.Metrics.RequestsTotal, StatusLabel: s.Metrics.StatusLabel, ErrorPattern: s.Metrics.ErrorPattern,
		DurationBucket: s.Metrics.DurationBucket, DurationUnit: metrics.DurationUnit,
		Selector: s.Metrics.Selector, Customers: metrics.Customers(),
		Canary: metrics.For(names.Canary, s.Release).Track, Stable: metrics.For(names.Stable, "").Track,
		ErrorRate: s.Criteria.RollbackErrorRate,
		Latency:   time.Duration(s.Criteria.Latency), SlowShare: s.Criteria.SlowShare,
		Guarded: s.IsGuarded(), MinRequests: s.Monitoring.MinRequests, DashboardUID: s.DashboardUID(),
		DashboardURL: s.DashboardURL, RunbookURL: s.RunbookURL,
	}
}
