package program

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"github.com/vextrus/finance-rollout/components"
	"github.com/vextrus/finance-rollout/internal/alerts"
	"github.com/vextrus/finance-rollout/internal/guard"
	"github.com/vextrus/finance-rollout/internal/login"
	"github.com/vextrus/finance-rollout/internal/names"
	"github.com/vextrus/finance-rollout/internal/rollout"
	"github.com/vextrus/finance-rollout/internal/settings"
	"github.com/vextrus/finance-rollout/internal/shift"
	"github.com/vextrus/finance-rollout/internal/smoke"
)

// makeGuard makes the watcher in the cluster. The canary waits for it: no requests reach a canary that nobody watches.
func (p *program) makeGuard() ([]pulumi.Resource, error) {
	if !p.settings.IsGuarded() {
		return nil, nil
	}
	config, err := guardConfig(p.settings)
	if err != nil {
		return nil, err
	}
	encoded, err := json.MarshalIndent(config, "", "  ")
	if err != nil {
		return nil, fmt.Errorf("encode the guard's configuration: %w", err)
	}
	args := &components.GuardArgs{
		App: p.environment.App, Image: p.inputs.guardImage, Replicas: p.settings.Guard.Replicas,
		Config: string(encoded), ConfigKey: guard.ConfigKey,
		Ledger: names.Ledger(p.settings.App), Service: p.settings.ServiceName,
		Deployments: []string{shift.StableTrack(p.settings).Deployment, shift.CanaryTrack(p.settings).Deployment},
		Monitored:   p.settings.Monitoring.Enabled, Labels: p.settings.Monitoring.Labels, DependsOn: p.needed,
		Hooks: p.hooks.watch,
	}
	args.Files = p.guardFiles()
	p.notifyArgs(args)
	if args.Logins, err = guardLogins(p.ctx.Context(), p.settings); err != nil {
		return nil, err
	}
	if p.settings.Registry.Password != "" {
		args.PullSecrets = []string{p.settings.SecretName("registry")}
	}
	watcher, err := components.NewGuard(p.ctx, "guard", args, p.provider)
	if err != nil {
		return nil, err
	}
	p.judged = append(p.judged, watcher)
	return []pulumi.Resource{watcher}, nil
}

// guardFiles are the secrets that the guard's pods hold as files: the webhook's token and what the smoke suite needs.
func (p *program) guardFiles() map[string]settings.SecretRef {
	files := map[string]settings.SecretRef{}
	add := func(name string, ref settings.SecretRef) {
		if ref != (settings.SecretRef{}) {
			files[name] = settings.SecretRef{Secret: p.settings.SecretName(ref.Secret), Key: ref.Key}
		}
	}
	add(components.GuardWebhookToken, p.settings.Guard.WebhookToken)
	if p.settings.Guard.Smoke {
		add(components.GuardSmokeKey, p.settings.Smoke.TokenFrom)
		add(components.GuardSmokeOrigin, p.settings.Smoke.OriginFrom)
	}
	return files
}

// notifyArgs give the guard what it needs to tell webhooks: their keys, whom it trusts, and where it keeps how far it
// is. Without webhooks it gets nothing.
func (p *program) notifyArgs(args *components.GuardArgs) {
	if len(p.settings.Notify.Webhooks) == 0 {
		return
	}
	args.NotifyKeys = map[string]settings.SecretRef{}
	for _, webhook := range p.settings.Notify.Webhooks {
		args.NotifyKeys[webhook.KeyName()] = settings.SecretRef{
			Secret: p.settings.SecretName(webhook.Secret.Secret), Key: webhook.Secret.Key,
		}
	}
	args.Notified, args.Authorities = names.Notified(p.settings.App), p.settings.Notify.Authorities
}

// guardLogins are the documents by which the guard gets into Prometheus and Alertmanager.
func guardLogins(ctx context.Context, s *settings.Settings) (map[string]settings.Secret, error) {
	logins := map[string]settings.Secret{}
	for _, server := range []struct {
		name   string
		config settings.HTTPConfig
		read   login.Document
	}{
		{components.GuardPrometheusLogin, s.PrometheusAuth, s.PrometheusLogin},
		{components.GuardAlertmanagerLogin, s.AlertmanagerAuth, s.AlertmanagerLogin},
	} {
		if !server.config.IsSet() {
			continue
		}
		document, err := server.read(ctx)
		if err != nil {
			return nil, err
		}
		logins[server.name] = settings.Secret(document)
	}
	return logins, nil
}

// guardConfig describes the rollout to the guard. It holds no secret.
func guardConfig(s *settings.Settings) (guard.Config, error) {
	canary := rollout.RollbackSpec(s, s.Release)
	port := s.Metrics.Port
	if port == 0 {
		port = s.Container
	}
	config := guard.Config{
		Format: guard.Format, Spec: rollout.SoakSpec(s), Environment: s.Environment, Release: s.Release,
		Service: canary.Service, Route: canary.Route, Capacity: canary.Capacity,
		Port: int(port), Path: s.Metrics.Path, Selector: s.Metrics.Selector,
		Interval: s.Guard.Interval, Alpha: 1 - s.Guard.Confidence,
		ErrorRate: s.Criteria.RollbackErrorRate, SlowShare: s.Criteria.SlowShare, Latency: s.Criteria.Latency,
		Ledger: names.Ledger(s.App), Prometheus: s.Prometheus, Alertmanager: s.Guard.Alertmanager,
		RunbookURL: s.RunbookURL, Watch: s.Guard.Watch, Quarantine: s.Guard.Quarantine, DryRun: s.Guard.DryRun,
	}
	if s.DashboardURL != "" {
		config.DashboardURL = alerts.DashboardLink(s.DashboardURL, s.DashboardUID())
	}
	if webhooks := rollout.Webhooks(s); len(webhooks) > 0 {
		config.Notify = &guard.Notify{Stack: s.StackName(), Webhooks: webhooks}
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
