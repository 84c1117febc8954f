package program

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/prometheus/common/model"
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
	config, err := guardConfig(p.settings, p.ctx.RootDirectory())
	if err != nil {
		return nil, err
	}
	if config.Notify != nil {
		config.Notify.Rollout = p.scope.texts().Rollout
	}
	encoded, err := json.MarshalIndent(config, "", "  ")
	if err != nil {
		return nil, fmt.Errorf("encode the guard's configuration: %w", err)
	}
	args := &components.GuardArgs{
		App: p.environment.App, Image: p.inputs.guardImage, Replicas: p.settings.Guard.Replicas,
		Config: string(encoded), ConfigKey: guard.ConfigKey,
		Ledger: names.Ledger(p.settings.App), Record: names.Record(p.settings.App), Service: p.settings.ServiceName,
		Deployments: []string{shift.StableTrack(p.settings).Deployment, shift.CanaryTrack(p.settings).Deployment},
		Monitored:   p.settings.Monitoring.Enabled, Labels: p.settings.Monitoring.Labels, DependsOn: p.needed,
		Network: guardNetwork(p.settings), Certificate: p.settings.Guard.Certificate,
		Hooks: p.hooks.watch, ConfigHooks: p.hooks.guardConfig,
	}
	if p.settings.IsGateway() {
		args.Route = p.settings.RouteName()
	}
	args.ScrapeCA = p.settings.Metrics.TLS.CA
	args.Files = p.guardFiles()
	p.notifyArgs(args)
	if args.Logins, err = guardLogins(p.ctx.Context(), p.settings); err != nil {
		return nil, err
	}
	if args.OwnLogins, err = ownLogins(p.ctx.Context(), p.settings); err != nil {
		return nil, err
	}
	if p.settings.Registry.Password != "" {
		args.PullSecrets = []string{p.settings.SecretName("registry")}
	}
	watcher, err := components.NewGuard(p.ctx, p.scope.resource("guard"), args, p.provider)
	if err != nil {
		return nil, err
	}
	p.judged = append(p.judged, watcher)
	return []pulumi.Resource{watcher, watcher.Deployment}, nil
}

// guardFiles are the secrets that the guard's pods hold as files: the tokens of webhook and page, and what the smoke
// suite needs.
func (p *program) guardFiles() map[string]settings.SecretRef {
	files := map[string]settings.SecretRef{}
	add := func(name string, ref settings.SecretRef) {
		if ref != (settings.SecretRef{}) {
			files[name] = settings.SecretRef{Secret: p.objects.name(p.settings.SecretName(ref.Secret)), Key: ref.Key}
		}
	}
	add(components.GuardWebhookToken, p.settings.Guard.WebhookToken)
	add(components.GuardDashboardToken, p.settings.Guard.DashboardToken)
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
			Secret: p.objects.name(p.settings.SecretName(webhook.Secret.Secret)), Key: webhook.Secret.Key,
		}
	}
	args.Notified, args.Authorities = names.Notified(p.settings.App), p.settings.Notify.Authorities
}

// guardLogins are the documents by which the guard gets into Prometheus and Alertmanager, and its key of the ledger.
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
	if key, ok := s.Secret(s.Ledger.GuardKey); ok && len(s.Ledger.PublicKeys) > 0 {
		logins[components.GuardLedgerKey] = key
	}
	return logins, nil
}

// ownLogins are the documents by which the guard asks the addresses of the stack's own criteria.
func ownLogins(ctx context.Context, s *settings.Settings) (map[string]settings.Secret, error) {
	logins := map[string]settings.Secret{}
	for name := range s.OwnLogins() {
		document, err := s.OwnLogin(name)(ctx)
		if err != nil {
			return nil, err
		}
		logins[name] = settings.Secret(document)
	}
	return logins, nil
}

// scrapeTLS is what the guard expects of a pod's certificate; nil where it scrapes by http.
func scrapeTLS(metrics settings.Metrics) *guard.ScrapeTLS {
	if metrics.Scheme != "https" {
		return nil
	}
	expected := &guard.ScrapeTLS{ServerName: metrics.TLS.ServerName, InsecureSkipVerify: metrics.TLS.InsecureSkipVerify}
	if metrics.TLS.CA != "" {
		expected.CAFile = components.GuardScrapeCA
	}
	return expected
}

// guardConfig describes the rollout to the guard; dir is the project's folder. It holds no secret.
func guardConfig(s *settings.Settings, dir string) (guard.Config, error) {
	canary := rollout.RollbackSpec(s, s.Release)
	port := s.Metrics.Port
	if port == 0 {
		port = s.Container
	}
	config := guard.Config{
		Format: guard.Format, Spec: rollout.SoakSpec(s), Environment: s.Environment, Release: s.Release,
		Service: canary.Service, Route: canary.Route, Capacity: canary.Capacity,
		Port: int(port), Path: s.Metrics.Path, Selector: s.Metrics.Selector,
		TLS:      scrapeTLS(s.Metrics),
		Interval: s.Guard.Interval, Alpha: 1 - s.Guard.Confidence,
		ErrorRate: s.Criteria.RollbackErrorRate, SlowShare: s.Criteria.SlowShare, Latency: model.Duration(s.Criteria.Latency),
		Ledger: names.Ledger(s.App), LedgerKeys: s.Ledger.PublicKeys,
		Prometheus: s.Prometheus, Alertmanager: s.Guard.Alertmanager,
		RunbookURL: s.RunbookURL, Watch: s.Guard.Watch, Quarantine: s.Quarantines(), DryRun: s.Guard.DryRun,
	}
	if s.DashboardURL != "" {
		config.DashboardURL = alerts.DashboardLink(s.DashboardURL, s.DashboardUID())
	}
	if s.Guard.DashboardToken != (settings.SecretRef{}) {
		config.Stack = s.StackName()
	}
	if webhooks := rollout.Webhooks(s); len(webhooks) > 0 {
		config.Notify = &guard.Notify{Stack: s.StackName(), Webhooks: webhooks}
	}
	if s.Guard.Smoke {
		suite, err := smoke.Source(smoke.Find(dir, s.Smoke.Suite))
		if err != nil {
			return config, fmt.Errorf("config smoke.suite: %w", err)
		}
		config.SmokeSuite, config.SmokeOrigin = suite, s.Smoke.Origin
	}
	return config, nil
}
