package main

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"github.com/vextrus/finance-rollout/components"
	"github.com/vextrus/finance-rollout/internal/alerts"
	"github.com/vextrus/finance-rollout/internal/guard"
	"github.com/vextrus/finance-rollout/internal/ledger"
	"github.com/vextrus/finance-rollout/internal/rollout"
	"github.com/vextrus/finance-rollout/internal/settings"
)

// guard makes the watcher in the cluster. The canary waits for it: no requests reach a canary that nobody watches.
func (s *stack) guard() ([]pulumi.Resource, error) {
	if !s.settings.IsGuarded() {
		return nil, nil
	}
	image, err := s.edges.resolve(s.ctx.Context(), s.settings.Guard.Image, s.settings.Registry)
	if err != nil {
		return nil, fmt.Errorf("config guard.image: %w", err)
	}
	config, err := json.MarshalIndent(guardConfig(s.settings), "", "  ")
	if err != nil {
		return nil, fmt.Errorf("encode the guard's configuration: %w", err)
	}
	args := &components.GuardArgs{
		App: s.environment.App, Image: image, Replicas: s.settings.Guard.Replicas,
		Config: string(config), ConfigKey: guard.ConfigKey,
		Ledger: rollout.LedgerName(s.settings), Service: s.settings.ServiceName,
		Deployments: []string{s.stablePods().deployment, s.canaryPods().deployment},
		Monitored:   s.settings.Monitoring.Enabled, Labels: s.settings.Monitoring.Labels, DependsOn: s.gated[:2:2],
	}
	if ref := s.settings.Guard.WebhookToken; ref != (settings.SecretRef{}) {
		args.Token = settings.SecretRef{Secret: s.settings.SecretName(ref.Secret), Key: ref.Key}
	}
	if s.settings.Registry.Password != "" {
		args.PullSecrets = []string{s.settings.SecretName("registry")}
	}
	made, err := components.NewGuard(s.ctx, "guard", args, s.provider)
	if err != nil {
		return nil, err
	}
	s.gated = append(s.gated, made)
	return []pulumi.Resource{made}, nil
}

// guardConfig is what the guard is told of the rollout. It holds no secret.
func guardConfig(s *settings.Settings) guard.Config {
	config := guard.Config{
		Format: guard.Format, Spec: rollout.SoakSpec(s), Environment: s.Environment, Release: s.Release, Service: s.ServiceName, Capacity: s.Replicas,
		Port: int(s.Container), Path: s.Metrics.Path, Selector: s.Metrics.Selector,
		Interval: s.Guard.Interval, Alpha: 1 - s.Guard.Confidence,
		ErrorRate: s.Criteria.RollbackErrorRate, SlowShare: s.Criteria.SlowShare, Latency: s.Criteria.Latency,
		Ledger: rollout.LedgerName(s), Prometheus: s.Prometheus, Alertmanager: s.Guard.Alertmanager,
		RunbookURL: s.RunbookURL, Watch: s.Guard.Watch, DryRun: s.Guard.DryRun,
	}
	if s.DashboardURL != "" {
		config.DashboardURL = alerts.DashboardLink(s.DashboardURL, s.DashboardUID())
	}
	return config
}

// rollbacks is how many rollbacks the ledger holds. The Deployments carry it, so that they are updated after one: their replicas are
// then not what the stack's state has, and whoever updates the stack must hear of it. An unreadable ledger has none to tell of;
// the advance gate says what is wrong with it.
func (s *stack) rollbacks() string {
	if s.settings.IsSingle() {
		return ""
	}
	ctx, cancel := context.WithTimeout(s.ctx.Context(), 20*time.Second)
	defer cancel()
	history, err := ledger.Read(ctx, s.hooks.shift.store())
	if err != nil {
		return "unknown"
	}
	return fmt.Sprint(history.State().Rollbacks)
}
