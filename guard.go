package main

import (
	"encoding/json"
	"fmt"

	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"github.com/vextrus/finance-rollout/components"
	"github.com/vextrus/finance-rollout/internal/alerts"
	"github.com/vextrus/finance-rollout/internal/guard"
	"github.com/vextrus/finance-rollout/internal/names"
	"github.com/vextrus/finance-rollout/internal/rollout"
	"github.com/vextrus/finance-rollout/internal/settings"
	"github.com/vextrus/finance-rollout/internal/smoke"
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
	told, err := guardConfig(s.settings)
	if err != nil {
		return nil, err
	}
	config, err := json.MarshalIndent(told, "", "  ")
	if err != nil {
		return nil, fmt.Errorf("encode the guard's configuration: %w", err)
	}
	args := &components.GuardArgs{
		App: s.environment.App, Image: image, Replicas: s.settings.Guard.Replicas,
		Config: string(config), ConfigKey: guard.ConfigKey,
		Ledger: names.Ledger(s.settings.App), Service: s.settings.ServiceName,
		Deployments: []string{s.stablePods().deployment, s.canaryPods().deployment},
		Monitored:   s.settings.Monitoring.Enabled, Labels: s.settings.Monitoring.Labels, DependsOn: s.gated[:2:2],
	}
	args.Files = s.guardFiles()
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

// guardFiles are the secrets that the guard's pods hold as files: the webhook's token and what the smoke suite needs.
func (s *stack) guardFiles() map[string]settings.SecretRef {
	files := map[string]settings.SecretRef{}
	add := func(name string, ref settings.SecretRef) {
		if ref != (settings.SecretRef{}) {
			files[name] = settings.SecretRef{Secret: s.settings.SecretName(ref.Secret), Key: ref.Key}
		}
	}
	add(components.GuardWebhookToken, s.settings.Guard.WebhookToken)
	if s.settings.Guard.Smoke {
		add(components.GuardSmokeKey, s.settings.Smoke.TokenFrom)
		add(components.GuardSmokeOrigin, s.settings.Smoke.OriginFrom)
	}
	return files
}

// guardConfig is what the guard is told of the rollout. It holds no secret.
func guardConfig(s *settings.Settings) (guard.Config, error) {
	canary := rollout.RollbackSpec(s, s.Release)
	config := guard.Config{
		Format: guard.Format, Spec: rollout.SoakSpec(s), Environment: s.Environment, Release: s.Release,
		Service: canary.Service, Route: canary.Route, Capacity: canary.Capacity,
		Port: int(s.Container), Path: s.Metrics.Path, Selector: s.Metrics.Selector,
		Interval: s.Guard.Interval, Alpha: 1 - s.Guard.Confidence,
		ErrorRate: s.Criteria.RollbackErrorRate, SlowShare: s.Criteria.SlowShare, Latency: s.Criteria.Latency,
		Ledger: names.Ledger(s.App), Prometheus: s.Prometheus, Alertmanager: s.Guard.Alertmanager,
		RunbookURL: s.RunbookURL, Watch: s.Guard.Watch, DryRun: s.Guard.DryRun,
	}
	if s.DashboardURL != "" {
		config.DashboardURL = alerts.DashboardLink(s.DashboardURL, s.DashboardUID())
	}
	if s.Guard.Smoke {
		suite, err := smoke.Source(s.Smoke.Suite)
		if err != nil {
			return config, fmt.Errorf("config smoke.suite: %w", err)
		}
		config.SmokeSuite, config.SmokeOrigin = suite, s.Smoke.Origin
	}
	return config, nil
}
