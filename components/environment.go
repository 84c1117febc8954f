package components

import (
	"errors"

	corev1 "github.com/pulumi/pulumi-kubernetes/sdk/v4/go/kubernetes/core/v1"
	metav1 "github.com/pulumi/pulumi-kubernetes/sdk/v4/go/kubernetes/meta/v1"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"github.com/vextrus/finance-rollout/internal/names"
)

// EnvironmentArgs are the arguments of NewEnvironment.
type EnvironmentArgs struct {
	// App and Environment are the values of the labels; see App.
	App, Environment string
	// Namespace is the name of the namespace.
	Namespace string
	// Stack is the owner that the namespace is marked with, as project/stack.
	Stack string
	// AccountAnnotations are those of the pods' service account; nil for none.
	AccountAnnotations map[string]string
	// Network is what the network policy around the pods lets through.
	Network Network
	// StableNetwork is that of all pods but the canary track's, which get a policy of their own then: what is configured
	// reaches them first. Nil means that all pods have the same.
	StableNetwork *Network
	// IngressApps are the apps of the same namespace that may reach the pods as well, where a network names namespaces.
	IngressApps []string
	// DefaultDeny keeps every pod of the namespace from what no policy allows.
	DefaultDeny bool
	// PullSecrets names the secrets with registry credentials.
	PullSecrets []string
	// Prefix is that of [App].
	Prefix string
	// Protect refuses every update that would delete or replace the namespace, and with it all that lives in it. A destroy
	// for which the protection was taken off leaves the namespace in the cluster: the rollout's history lies there.
	Protect bool
}

func (a *EnvironmentArgs) validate() error {
	if a.App == "" || a.Environment == "" || a.Namespace == "" || a.Stack == "" || len(a.Network.IngressPorts) == 0 {
		return errors.New("environment: App, Environment, Namespace, Stack and Network.IngressPorts are required")
	}
	return nil
}

// Environment is where the tracks live: a namespace that only admits restricted pods, the service account of the pods,
// which has no token, and the network policy around them.
type Environment struct {
	pulumi.ResourceState

	// App names everything else that is made in the environment.
	App App
	// ServiceAccount is the name of the pods' service account.
	ServiceAccount pulumi.StringOutput
}

// NewEnvironment makes the environment.
func NewEnvironment(ctx *pulumi.Context, name string, args *EnvironmentArgs,
	opts ...pulumi.ResourceOption) (*Environment, error) {
	if err := args.validate(); err != nil {
		return nil, err
	}
	environment := &Environment{}
	if err := ctx.RegisterComponentResourceV2("finance-rollout:index:Environment", name, args.inputs(), environment,
		opts...); err != nil {
		return nil, err
	}
	parent := pulumi.Parent(environment)
	app := App{Name: args.App, Environment: args.Environment, Prefix: args.Prefix}
	namespace, err := corev1.NewNamespace(ctx, name, &corev1.NamespaceArgs{Metadata: namespaceMetadata(app, args)}, parent,
		pulumi.Protect(args.Protect), pulumi.RetainOnDelete(args.Protect))
	if err != nil {
		return nil, err
	}
	app.Namespace = namespace.Metadata.Name().Elem()
	accountMetadata := app.metadata(args.App)
	if len(args.AccountAnnotations) > 0 {
		accountMetadata.Annotations = pulumi.ToStringMap(args.AccountAnnotations)
	}
	account, err := corev1.NewServiceAccount(ctx, name, &corev1.ServiceAccountArgs{
		Metadata:                     accountMetadata,
		AutomountServiceAccountToken: pulumi.Bool(false),
		ImagePullSecrets:             pullSecrets(args.PullSecrets),
	}, parent)
	if err != nil {
		return nil, err
	}
	if err := newNetworkPolicies(ctx, name, app, args, parent); err != nil {
		return nil, err
	}
	if args.DefaultDeny {
		if err := newDefaultDeny(ctx, name, app, parent); err != nil {
			return nil, err
		}
	}
	environment.App = app
	environment.ServiceAccount = account.Metadata.Name().Elem()
	return environment, ctx.RegisterResourceOutputs(environment, pulumi.Map{
		"namespace": app.Namespace, "serviceAccount": environment.ServiceAccount,
	})
}

func namespaceMetadata(app App, args *EnvironmentArgs) metav1.ObjectMetaArgs {
	const level = "restricted"
	return metav1.ObjectMetaArgs{
		Name: pulumi.String(args.Namespace),
		Labels: app.labelsWith(map[string]string{
			"pod-security.kubernetes.io/enforce": level,
			"pod-security.kubernetes.io/audit":   level,
			"pod-security.kubernetes.io/warn":    level,
		}),
		Annotations: pulumi.StringMap{names.Owner: pulumi.String(args.Stack)},
	}
}

func pullSecrets(names []string) corev1.LocalObjectReferenceArray {
	var references corev1.LocalObjectReferenceArray
	for _, name := range names {
		references = append(references, corev1.LocalObjectReferenceArgs{Name: pulumi.String(name)})
	}
	return references
}
