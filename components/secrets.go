package components

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"

	corev1 "github.com/pulumi/pulumi-kubernetes/sdk/v4/go/kubernetes/core/v1"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"github.com/vextrus/finance-rollout/internal/settings"
)

// SecretsArgs are the arguments of NewSecrets.
type SecretsArgs struct {
	App App
	// Secrets holds the entries of each secret by the secret's name in the cluster.
	Secrets map[string]map[string]settings.Secret
	// PullName and Registry make a secret with registry credentials. An empty PullName makes none.
	PullName string
	Registry settings.Registry
}

func (a *SecretsArgs) validate() error {
	for name, entries := range a.Secrets {
		if len(entries) == 0 {
			return fmt.Errorf("secrets: %s holds no entry", name)
		}
		for key, value := range entries {
			if value == "" || value.IsPlaceholder() {
				return fmt.Errorf("secrets: entry %s of %s is empty or still a placeholder", key, name)
			}
		}
	}
	if a.PullName != "" && (a.Registry.Server == "" || a.Registry.Username == "" || a.Registry.Password == "") {
		return errors.New("secrets: registry credentials need Server, Username and Password")
	}
	return nil
}

// Secrets are the stack's secrets in the cluster. Their values are Pulumi secrets all the way: encrypted in the
// stack's file and in its state, and never shown in a diff.
type Secrets struct {
	pulumi.ResourceState

	// Names are the names of the secrets in the cluster. They resolve when the secrets exist.
	Names pulumi.StringMapOutput
}

// NewSecrets makes the secrets.
func NewSecrets(ctx *pulumi.Context, name string, args *SecretsArgs, opts ...pulumi.ResourceOption) (*Secrets, error) {
	if err := args.validate(); err != nil {
		return nil, err
	}
	secrets := &Secrets{}
	if err := ctx.RegisterComponentResource("finance-rollout:index:Secrets", name, secrets, opts...); err != nil {
		return nil, err
	}
	parent := pulumi.Parent(secrets)
	names := pulumi.StringMap{}
	for _, secretName := range slices.Sorted(maps.Keys(args.Secrets)) {
		secret, err := corev1.NewSecret(ctx, secretName, &corev1.SecretArgs{
			Metadata:   args.App.metadata(secretName),
			Type:       pulumi.String("Opaque"),
			StringData: secretMap(args.Secrets[secretName]),
		}, parent)
		if err != nil {
			return nil, err
		}
		names[secretName] = secret.Metadata.Name().Elem()
	}
	if args.PullName != "" {
		secret, err := newPullSecret(ctx, args, parent)
		if err != nil {
			return nil, err
		}
		names[args.PullName] = secret.Metadata.Name().Elem()
	}
	secrets.Names = names.ToStringMapOutput()
	return secrets, ctx.RegisterResourceOutputs(secrets, pulumi.Map{"names": secrets.Names})
}

func secretMap(entries map[string]settings.Secret) pulumi.StringMapInput {
	values := pulumi.StringMap{}
	for key, value := range entries {
		values[key] = pulumi.ToSecret(pulumi.String(value.Reveal())).(pulumi.StringOutput)
	}
	return values
}

func newPullSecret(ctx *pulumi.Context, args *SecretsArgs, parent pulumi.ResourceOption) (*corev1.Secret, error) {
	login := map[string]any{"auths": map[string]any{args.Registry.Server: map[string]string{
		"username": args.Registry.Username, "password": args.Registry.Password.Reveal(),
	}}}
	document, err := json.Marshal(login)
	if err != nil {
		return nil, fmt.Errorf("registry credentials: %w", err)
	}
	return corev1.NewSecret(ctx, args.PullName, &corev1.SecretArgs{
		Metadata: args.App.metadata(args.PullName),
		Type:     pulumi.String("kubernetes.io/dockerconfigjson"),
		StringData: pulumi.StringMap{
			".dockerconfigjson": pulumi.ToSecret(pulumi.String(document)).(pulumi.StringOutput),
		},
	}, parent)
}
