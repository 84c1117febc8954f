package program

import (
	"github.com/pulumi/pulumi-kubernetes/sdk/v4/go/kubernetes"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"github.com/vextrus/finance-rollout/components"
	"github.com/vextrus/finance-rollout/internal/names"
)

// makeEnvironment makes what the pods need: provider, namespace, secrets, configuration.
func (p *program) makeEnvironment() error {
	if err := p.makeProvider(); err != nil {
		return err
	}
	pullName := ""
	if p.settings.Registry.Password != "" {
		pullName = p.settings.SecretName("registry")
	}
	var err error
	args := p.environmentArgs(pullName)
	if args.StableNetwork, err = p.stableNetwork(p.ctx.Context()); err != nil {
		return err
	}
	p.environment, err = components.NewEnvironment(p.ctx, p.scope.resource("environment"), args, p.provider)
	if err != nil {
		return err
	}
	secrets, err := components.NewSecrets(p.ctx, p.scope.resource("secrets"), &components.SecretsArgs{
		App: p.environment.App, Secrets: p.namedSecrets(), PullName: pullName, Registry: p.settings.Registry,
		Immutable: p.immutable(), Kept: p.objects.secrets, KeptHooks: p.hooks.kept,
		KeyName: names.IdentityKey(p.settings.App), Key: string(p.inputs.key.key), RetainKey: !p.settings.IsSingle(),
	}, p.provider)
	if err != nil {
		return err
	}
	name := p.scope.resource("configuration")
	configuration, err := components.NewConfiguration(p.ctx, name, &components.ConfigurationArgs{
		App: p.environment.App, Name: p.objects.name(names.Configuration(p.settings.App)), Values: p.settings.ConfigEnv,
		Kept: p.objects.configMaps, Shared: names.Configuration(p.settings.App), KeptHooks: p.hooks.kept,
	}, p.provider)
	if err != nil {
		return err
	}
	p.needed = []pulumi.Resource{secrets, configuration}
	return nil
}

// makeProvider makes the provider of every resource, for the cluster of the settings.
func (p *program) makeProvider() error {
	args := &kubernetes.ProviderArgs{
		EnableServerSideApply:  pulumi.Bool(true),
		EnableConfigMapMutable: pulumi.Bool(true),
		EnableSecretMutable:    pulumi.Bool(true),
		// An empty string and no value at all differ: without a value the SDK puts the path in $KUBECONFIG into the state,
		// and a refresh on another machine looks for a file that it does not have. With the empty string the provider
		// follows kubectl's rules wherever it runs, lists in KUBECONFIG included.
		Kubeconfig: pulumi.String(p.settings.Kubeconfig),
	}
	if p.settings.KubeContext != "" {
		args.Context = pulumi.String(p.settings.KubeContext)
	}
	if p.uid != "" {
		// The same cluster under another address or context replaces nothing.
		args.ClusterIdentifier = pulumi.String(p.uid)
	}
	provider, err := kubernetes.NewProvider(p.ctx, p.scope.resource("cluster"), args)
	if err != nil {
		return err
	}
	p.provider = pulumi.Composite(pulumi.Provider(provider), p.scope.options(p.rolled))
	return nil
}

func (p *program) environmentArgs(pullName string) *components.EnvironmentArgs {
	args := &components.EnvironmentArgs{
		App: p.settings.App, Environment: p.settings.Environment, Namespace: p.settings.Namespace, Stack: ownerOf(p.ctx),
		Prefix: p.scope.prefix(), Network: network(p.settings),
		AccountAnnotations: p.settings.ServiceAccount.Annotations,
		DefaultDeny:        p.settings.Network.DefaultDeny, Protect: !p.settings.IsSingle(),
	}
	if p.settings.IsGuarded() {
		args.IngressApps = []string{names.Guard(p.settings.App)}
	}
	if pullName != "" {
		args.PullSecrets = []string{pullName}
	}
	return args
}
