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
	// Immutable are the names of those that belong to a release. Their names end with a hash of their content.
	Immutable map[string]bool
	// Kept are the names of secrets that exist and that a track, or a way back, refers to. The engine keeps what its
	// state holds of them: this update does not know their values.
	Kept []string
	// KeptHooks run before a kept secret is made, which must not happen.
	KeptHooks *pulumi.ResourceHookBinding
	// KeyName and Key make the secret with the key of identities, which is made once and kept. An empty KeyName makes
	// none.
	KeyName, Key string
	// RetainKey leaves that secret in the cluster when the stack is destroyed: the ledger, which stays, compares by it.
	RetainKey bool
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
	if err := ctx.RegisterComponentResourceV2("finance-rollout:index:Secrets", name, args.inputs(), secrets,
		opts...); err != nil {
		return nil, err
	}
	parent := pulumi.Parent(secrets)
	names := pulumi.StringMap{}
	for _, secretName := range slices.Sorted(maps.Keys(args.Secrets)) {
		secret, err := corev1.NewSecret(ctx, args.App.Prefix+secretName, &corev1.SecretArgs{
			Metadata:   args.App.metadata(secretName),
			Type:       pulumi.String("Opaque"),
			StringData: secretMap(args.Secrets[secretName]),
			Immutable:  immutable(args.Immutable[secretName]),
		}, parent)
		if err != nil {
			return nil, err
		}
		names[secretName] = secret.Metadata.Name().Elem()
	}
	for _, kept := range args.Kept {
		_, err := corev1.NewSecret(ctx, args.App.Prefix+kept, &corev1.SecretArgs{Metadata: args.App.metadata(kept)}, parent,
			pulumi.IgnoreChanges(contents), pulumi.ResourceHooks(args.KeptHooks))
		if err != nil {
			return nil, err
		}
	}
	if args.KeyName != "" {
		_, err := corev1.NewSecret(ctx, args.App.Prefix+args.KeyName, &corev1.SecretArgs{
			Metadata: args.App.metadata(args.KeyName), Type: pulumi.String("Opaque"),
			StringData: pulumi.StringMap{"key": pulumi.ToSecret(pulumi.String(args.Key)).(pulumi.StringOutput)},
		}, parent, pulumi.IgnoreChanges([]string{"data", "stringData"}), pulumi.RetainOnDelete(args.RetainKey))
		if err != nil {
			return nil, err
		}
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

// contents are the fields of a Secret or a ConfigMap that stay as the engine's state has them.
var contents = []string{"data", "stringData", "binaryData", "immutable", "type", "metadata"}

// immutable is what the field says; without it, the field is left out.
func immutable(is bool) pulumi.BoolPtrInput {
	if !is {
		return nil
	}
	return pulumi.Bool(true)
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
	return corev1.NewSecret(ctx, args.App.Prefix+args.PullName, &corev1.SecretArgs{
		Metadata: args.App.metadata(args.PullName),
		Type:     pulumi.String("kubernetes.io/dockerconfigjson"),
		StringData: pulumi.StringMap{
			".dockerconfigjson": pulumi.ToSecret(pulumi.String(document)).(pulumi.StringOutput),
		},
	}, parent)
}
