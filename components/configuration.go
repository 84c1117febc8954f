package components

import (
	"errors"

	corev1 "github.com/pulumi/pulumi-kubernetes/sdk/v4/go/kubernetes/core/v1"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
)

// ConfigurationArgs are the arguments of NewConfiguration.
type ConfigurationArgs struct {
	App App
	// Name is the name of the ConfigMap.
	Name string
	// Values are the environment variables that the pods take from it.
	Values map[string]string
}

func (a *ConfigurationArgs) validate() error {
	if a.Name == "" {
		return errors.New("configuration: Name is required")
	}
	return nil
}

// Configuration is the plain part of the pods' environment.
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
	if err := ctx.RegisterComponentResource("finance-rollout:index:Configuration", name, configuration,
		opts...); err != nil {
		return nil, err
	}
	configMap, err := corev1.NewConfigMap(ctx, name, &corev1.ConfigMapArgs{
		Metadata: args.App.metadata(args.Name), Data: pulumi.ToStringMap(args.Values),
	}, pulumi.Parent(configuration))
	if err != nil {
		return nil, err
	}
	configuration.Name = configMap.Metadata.Name().Elem()
	return configuration, ctx.RegisterResourceOutputs(configuration, pulumi.Map{"name": configuration.Name})
}
