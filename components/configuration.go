package components

import (
	"errors"

	corev1 "github.com/pulumi/pulumi-kubernetes/sdk/v4/go/kubernetes/core/v1"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
)

// ConfigurationArgs are the arguments of NewConfiguration.
type ConfigurationArgs struct {
	App App
	// Name is the name of the ConfigMap. It ends with a hash of the content, which does not change.
	Name string
	// Values are the environment variables that the pods take from it.
	Values map[string]string
	// Kept are the names of further ones that exist and that a track, or a way back, refers to. The engine keeps what its
	// state holds of them. Shared is the name that earlier versions used for both tracks.
	Kept   []string
	Shared string
	// KeptHooks run before a kept ConfigMap is made, which must not happen.
	KeptHooks *pulumi.ResourceHookBinding
}

func (a *ConfigurationArgs) validate() error {
	if a.Name == "" {
		return errors.New("configuration: Name is required")
	}
	return nil
}

// Configuration is the plain part of the pods' environment: one immutable ConfigMap for each content in use.
type Configuration struct {
	pulumi.ResourceState

	// Name is the name of the ConfigMap. It resolves when the ConfigMap exists.
	Name pulumi.StringOutput
}

// NewConfiguration makes the ConfigMap.
func NewConfiguration(ctx *pulumi.Context, name string, args *ConfigurationArgs,
	opts ...pulumi.ResourceOption) (*Configuration, error) {
	if err := args.validate(); err != nil {
		return nil, err
	}
	configuration := &Configuration{}
	if err := ctx.RegisterComponentResourceV2("finance-rollout:index:Configuration", name, args.inputs(), configuration,
		opts...); err != nil {
		return nil, err
	}
	parent := pulumi.Parent(configuration)
	configMap, err := corev1.NewConfigMap(ctx, args.App.Prefix+args.Name, &corev1.ConfigMapArgs{
		Metadata: args.App.metadata(args.Name), Data: pulumi.ToStringMap(args.Values), Immutable: pulumi.Bool(true),
	}, parent)
	if err != nil {
		return nil, err
	}
	for _, kept := range args.Kept {
		resource := args.App.Prefix + kept
		if kept == args.Shared {
			resource = name
		}
		_, err := corev1.NewConfigMap(ctx, resource, &corev1.ConfigMapArgs{Metadata: args.App.metadata(kept)}, parent,
			pulumi.IgnoreChanges(contents), pulumi.ResourceHooks(args.KeptHooks))
		if err != nil {
			return nil, err
		}
	}
	configuration.Name = configMap.Metadata.Name().Elem()
	return configuration, ctx.RegisterResourceOutputs(configuration, pulumi.Map{"name": configuration.Name})
}
