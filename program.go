package main

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/pulumi/pulumi-kubernetes/sdk/v4/go/kubernetes"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"github.com/vextrus/finance-rollout/components"
	"github.com/vextrus/finance-rollout/internal/alerts"
	"github.com/vextrus/finance-rollout/internal/names"
	"github.com/vextrus/finance-rollout/internal/rollout"
	"github.com/vextrus/finance-rollout/internal/settings"
)

// cliVersion is the oldest Pulumi CLI whose Before hooks fail the step that they guard.
const cliVersion = ">=3.238.0"

// program is all of it: settings, then what exists in the cluster, then the record that the gates guard.
func program(ctx *pulumi.Context, edges edges) error {
	if err := ctx.RequirePulumiVersion(cliVersion); err != nil {
		return err
	}
	s, err := settings.Load(ctx.Stack(), configuration{ctx})
	if err != nil {
		return err
	}
	if note := s.HeldBack(); note != "" {
		if err := ctx.Log.Info(note, nil); err != nil {
			return err
		}
	}
	cluster, err := edges.connect(s.Kubeconfig, s.KubeContext)
	if err != nil {
		return err
	}
	if err := preflight(ctx, s, cluster); err != nil {
		return err
	}
	hooks := &hooks{ctx: ctx, settings: s, cluster: cluster, edges: edges}
	hooks.shift = &shift{settings: s, cluster: cluster, edges: edges, dryRun: ctx.DryRun(), say: hooks}
	stack := &stack{ctx: ctx, settings: s, edges: edges, hooks: hooks}
	byRoute, err := routed(ctx.Context(), s, cluster)
	if err != nil {
		return err
	}
	if byRoute {
		hooks.router = stack.router()
	}
	return stack.build()
}

// preflight looks at the cluster before anything is changed in it.
func preflight(ctx *pulumi.Context, s *settings.Settings, cluster cluster) error {
	limited, cancel := context.WithTimeout(ctx.Context(), 20*time.Second)
	defer cancel()
	if err := cluster.Check(limited); err != nil {
		return err
	}
	namespace, exists, err := cluster.NamespaceOwner(limited, s.Namespace)
	if err != nil {
		return err
	}
	owner := namespace.Annotations[names.Owner]
	if self := owned(ctx); exists && owner != self {
		if owner == "" {
			owner = "somebody else (it has no annotation " + names.Owner + ")"
		}
		return fmt.Errorf("namespace %s exists and belongs to %s, not to %s: choose another with `pulumi config set "+
			"namespace NAME`, "+
			"or hand it over with `kubectl annotate namespace %s --overwrite %s=%s`",
			s.Namespace, owner, self, s.Namespace, names.Owner, self)
	}
	if s.IsGateway() {
		if err := checkGateway(limited, s, cluster); err != nil {
			return err
		}
	}
	if !s.Monitoring.Enabled {
		return nil
	}
	return checkMonitoring(limited, cluster)
}

// checkMonitoring tells whether the Prometheus Operator's kinds are installed.
func checkMonitoring(ctx context.Context, cluster cluster) error {
	kinds, err := cluster.Kinds(ctx, components.MonitoringAPI)
	if err != nil {
		return err
	}
	for _, kind := range []string{"ServiceMonitor", "PrometheusRule"} {
		if !slices.Contains(kinds, kind) {
			return fmt.Errorf("the cluster has no %s of %s: install the Prometheus Operator, "+
				"or do without monitoring by `pulumi config set --path monitoring.enabled false`", kind, components.MonitoringAPI)
		}
	}
	return nil
}

// owned is what a namespace of this stack is marked with.
func owned(ctx *pulumi.Context) string { return ctx.Project() + "/" + ctx.Stack() }

// stack holds what the steps of the program share.
type stack struct {
	ctx      *pulumi.Context
	settings *settings.Settings
	edges    edges
	hooks    *hooks

	environment *components.Environment
	// provider makes every resource with the same cluster as the hooks look at.
	provider pulumi.ResourceOption
	// gated is what the release record waits for.
	gated []pulumi.Resource
	// checksum changes when a secret or a configuration value does.
	checksum string
}

func (s *stack) build() error {
	image, stableImage, err := s.images()
	if err != nil {
		return err
	}
	if err := s.staging(); err != nil {
		return err
	}
	if err := s.hooks.shift.look(s.ctx.Context()); err != nil {
		return err
	}
	if err := s.prepare(); err != nil {
		return err
	}
	advance, err := s.hooks.advance()
	if err != nil {
		return err
	}
	stable, canary, err := s.tracks(image, stableImage, advance)
	if err != nil {
		return err
	}
	if err := s.traffic(stable, canary, advance); err != nil {
		return err
	}
	monitoring, err := s.monitoring()
	if err != nil {
		return err
	}
	release, err := s.release(stable, canary)
	if err != nil {
		return err
	}
	s.export(release, monitoring)
	return nil
}

// prepare makes what the pods need: provider, environment, secrets, configuration.
func (s *stack) prepare() error {
	args := &kubernetes.ProviderArgs{
		EnableServerSideApply:  pulumi.Bool(true),
		EnableConfigMapMutable: pulumi.Bool(true),
		EnableSecretMutable:    pulumi.Bool(true),
	}
	if s.settings.Kubeconfig != "" {
		args.Kubeconfig = pulumi.String(s.settings.Kubeconfig)
	}
	if s.settings.KubeContext != "" {
		args.Context = pulumi.String(s.settings.KubeContext)
	}
	provider, err := kubernetes.NewProvider(s.ctx, "cluster", args)
	if err != nil {
		return err
	}
	s.provider = pulumi.Provider(provider)
	pullName := ""
	if s.settings.Registry.Password != "" {
		pullName = s.settings.SecretName("registry")
	}
	s.environment, err = components.NewEnvironment(s.ctx, "environment", s.environmentArgs(pullName), s.provider)
	if err != nil {
		return err
	}
	secrets, err := components.NewSecrets(s.ctx, "secrets", &components.SecretsArgs{
		App: s.environment.App, Secrets: s.namedSecrets(), PullName: pullName, Registry: s.settings.Registry,
	}, s.provider)
	if err != nil {
		return err
	}
	configuration, err := components.NewConfiguration(s.ctx, "configuration", &components.ConfigurationArgs{
		App: s.environment.App, Name: s.configMapName(), Values: s.settings.ConfigEnv,
	}, s.provider)
	if err != nil {
		return err
	}
	s.gated = append(s.gated, secrets, configuration)
	s.checksum, err = checksum(s.settings)
	return err
}

func (s *stack) configMapName() string { return names.Configuration(s.settings.App) }

func (s *stack) environmentArgs(pullName string) *components.EnvironmentArgs {
	args := &components.EnvironmentArgs{
		App: s.settings.App, Environment: s.settings.Environment, Namespace: s.settings.Namespace, Stack: owned(s.ctx),
		ContainerPort:     int(s.settings.Container),
		IngressNamespaces: s.settings.Network.IngressNamespaces,
	}
	if s.settings.IsGuarded() {
		args.IngressApps = []string{names.Guard(s.settings.App)}
	}
	for _, port := range s.settings.Network.EgressPorts {
		args.EgressPorts = append(args.EgressPorts, int(port))
	}
	if pullName != "" {
		args.PullSecrets = []string{pullName}
	}
	return args
}

func (s *stack) namedSecrets() map[string]map[string]settings.Secret {
	named := map[string]map[string]settings.Secret{}
	for name, entries := range s.settings.Secrets {
		named[s.settings.SecretName(name)] = entries
	}
	return named
}

// tracks makes the Deployments. On a stack with one track the canary is nil.
func (s *stack) tracks(image, stableImage pulumi.StringInput, advance *pulumi.ResourceHook) (stable,
	canary *components.Track, err error) {
	position := s.settings.Position()
	if s.settings.IsSingle() {
		stable, err = s.track("stable", s.settings.ServiceName, names.Stable, s.settings.Release, image, position.Stable, nil)
		return stable, nil, err
	}
	stableHooks, err := s.hooks.capacity("stable", s.canaryPods(), advance)
	if err != nil {
		return nil, nil, err
	}
	canaryHooks, err := s.hooks.capacity("canary", s.stablePods(), advance)
	if err != nil {
		return nil, nil, err
	}
	stable, err = s.track("stable", s.stablePods().deployment, names.Stable, s.settings.StableLabel, stableImage,
		position.Stable, stableHooks)
	if err != nil || image == nil {
		return stable, nil, err
	}
	guard, err := s.guard()
	if err != nil {
		return nil, nil, err
	}
	canary, err = s.track("canary", s.canaryPods().deployment, names.Canary, s.settings.Release, image, position.Canary,
		canaryHooks, guard...)
	return stable, canary, err
}

// stablePods and canaryPods are the tracks as they shall be.
func (s *stack) stablePods() other {
	return other{
		deployment: names.StableDeployment(s.settings.App), replicas: s.settings.Position().Stable,
		labels: map[string]string{names.App: s.settings.App, names.Track: names.Stable},
	}
}

func (s *stack) canaryPods() other {
	return other{
		deployment: names.CanaryDeployment(s.settings.App, s.settings.Release), replicas: s.settings.Position().Canary,
		labels: map[string]string{
			names.App: s.settings.App, names.Track: names.Canary, names.Version: s.settings.Release,
		},
	}
}

func (s *stack) track(name, deployment, track, version string, image pulumi.StringInput, replicas int,
	hooks *pulumi.ResourceHookBinding,
	after ...pulumi.Resource) (*components.Track, error) {
	autoscale, autoscaled, err := s.autoscale(track, deployment)
	if err != nil {
		return nil, err
	}
	var verified pulumi.StringInput
	if track == names.Canary {
		verified = s.stagingVerified(image)
	}
	made, err := components.NewTrack(s.ctx, name, &components.TrackArgs{
		App: s.environment.App, Name: deployment, Track: track, Version: version, Image: image, Replicas: replicas,
		Autoscale: autoscale, Autoscaled: autoscaled,
		Port: int(s.settings.Container), Pod: s.podSpec(track), ServiceAccount: s.environment.ServiceAccount,
		Checksum: s.checksum, StagingVerified: verified, ProgressTimeout: time.Duration(s.settings.ProgressLimit),
		Hooks:     hooks,
		DependsOn: append(s.gated[:2:2], after...), Interruption: s.hooks.shift.interruption,
	}, s.provider)
	if err == nil {
		s.gated = append(s.gated, made)
	}
	return made, err
}

func (s *stack) podSpec(track string) components.PodSpec {
	spec := components.PodSpec{
		Resources: s.settings.Resources, Probes: s.settings.Probes, Shutdown: s.settings.Shutdown,
		Env: maps.Clone(s.settings.Env), SecretEnv: map[string]settings.SecretRef{},
		ConfigMap: s.configMapName(), SpreadAcross: s.settings.SpreadAcross,
	}
	if spec.Env == nil {
		spec.Env = map[string]string{}
	}
	for name, ref := range s.settings.SecretEnv {
		if ref != (settings.SecretRef{}) {
			spec.SecretEnv[name] = settings.SecretRef{Secret: s.settings.SecretName(ref.Secret), Key: ref.Key}
		}
	}
	own := s.settings.Stable
	if track == names.Canary {
		own = s.settings.Canary
	}
	if own.Resources != nil {
		spec.Resources = *own.Resources
	}
	if own.Probes != nil {
		spec.Probes = *own.Probes
	}
	maps.Copy(spec.Env, own.Env)
	return spec
}

func (s *stack) monitoring() (*components.Monitoring, error) {
	if !s.settings.Monitoring.Enabled {
		return nil, nil
	}
	monitoring, err := components.NewMonitoring(s.ctx, "monitoring", &components.MonitoringArgs{
		App: s.environment.App, Metrics: s.settings.Metrics,
		Labels: s.settings.Monitoring.Labels, DashboardLabels: s.settings.Monitoring.DashboardLabels,
		Rules: alertParams(s.settings),
	}, s.provider)
	s.gated = append(s.gated, monitoring)
	return monitoring, err
}

func alertParams(s *settings.Settings) alerts.Params {
	return alerts.Params{
		App: s.App, Environment: s.Environment, Namespace: s.Namespace, Release: s.Release,
		Deployment:    names.CanaryDeployment(s.App, s.Release),
		RequestsTotal: s.Metrics.RequestsTotal, StatusLabel: s.Metrics.StatusLabel, ErrorPattern: s.Metrics.ErrorPattern,
		DurationBucket: s.Metrics.DurationBucket, Selector: s.Metrics.Selector, ErrorRate: s.Criteria.RollbackErrorRate,
		Latency: time.Duration(s.Criteria.Latency), SlowShare: s.Criteria.SlowShare,
		Guarded: s.IsGuarded(), MinRequests: s.Monitoring.MinRequests, DashboardUID: s.DashboardUID(),
		DashboardURL: s.DashboardURL, RunbookURL: s.RunbookURL,
	}
}

func (s *stack) release(stable, canary *components.Track) (*components.Release, error) {
	verify, err := s.hooks.verify()
	if err != nil {
		return nil, err
	}
	image := stable.Image
	if canary != nil {
		image = canary.Image
	}
	checksum, err := s.releaseChecksum()
	if err != nil {
		return nil, err
	}
	return components.NewRelease(s.ctx, "release", &components.ReleaseArgs{
		App: s.environment.App, Name: names.Record(s.settings.App), Release: s.settings.Release,
		Position: s.settings.Position(),
		Image:    image, StableImage: stable.Image, Checksum: checksum, Interruption: s.hooks.shift.interruption,
		DependsOn: s.gated, Hooks: verify,
	}, s.provider)
}

// releaseChecksum changes whenever the pods of the release do, or the way of the requests to them.
func (s *stack) releaseChecksum() (string, error) {
	judged := []any{s.checksum, s.podSpec(rollout.SubjectOf(s.settings).Track)}
	if s.settings.IsGateway() {
		way := s.settings.Gateway
		way.Timeout = 0
		judged = append(judged, way)
	}
	return digest(judged...)
}

// export gives the stack's outputs. They come from the release record, which tells what was reached and not what was
// asked for.
func (s *stack) export(release *components.Release, monitoring *components.Monitoring) {
	s.ctx.Export("release", release.Name)
	s.ctx.Export("week", release.Week)
	s.ctx.Export("weight", release.Weight)
	s.ctx.Export("stableReplicas", release.StableReplicas)
	s.ctx.Export("canaryReplicas", release.CanaryReplicas)
	s.ctx.Export("verifiedImage", release.Image)
	s.ctx.Export("stableImage", release.StableImage)
	s.ctx.Export("namespace", s.environment.App.Namespace)
	if monitoring != nil {
		s.ctx.Export("dashboardUID", monitoring.DashboardUID)
		if s.settings.DashboardURL != "" {
			s.ctx.Export("dashboardURL", pulumi.String(alerts.DashboardLink(s.settings.DashboardURL, s.settings.DashboardUID())))
		}
	}
	if s.settings.RunbookURL != "" {
		s.ctx.Export("runbookURL", pulumi.String(s.settings.RunbookURL))
	}
}
