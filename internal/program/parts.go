package program

import (
	"context"
	"crypto/rand"
	"fmt"
	"slices"

	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"github.com/vextrus/finance-rollout/components"
	"github.com/vextrus/finance-rollout/internal/identity"
	"github.com/vextrus/finance-rollout/internal/names"
	"github.com/vextrus/finance-rollout/internal/settings"
	"github.com/vextrus/finance-rollout/internal/shift"
)

// identityKey is the key of the Secret with the key of identities.
const identityKey = "key"

// keyed is the key of identities, and whether the cluster has it already.
type keyed struct {
	key identity.Key
	// unknown is true where the user may not read it: identities are not compared then.
	unknown bool
}

// readKey reads the key of identities. The first update makes one; a preview before it goes by a key of its own.
func readKey(ctx *pulumi.Context, s *settings.Settings, cluster Cluster) (keyed, error) {
	name := names.IdentityKey(s.App)
	value, exists, err := cluster.SecretValue(ctx.Context(), s.Namespace, name, identityKey)
	switch {
	case apierrors.IsForbidden(err) && ctx.DryRun():
		return keyed{key: make(identity.Key, identity.KeySize), unknown: true}, ctx.Log.Warn(fmt.Sprintf("identities are "+
			"not compared, because reading Secret %s is not allowed (%v); allow it as in docs/rbac.yaml", name, err), nil)
	case err != nil:
		return keyed{}, err
	case exists:
		return keyed{key: identity.Key(value)}, nil
	}
	key := make(identity.Key, identity.KeySize)
	if _, err := rand.Read(key); err != nil {
		return keyed{}, fmt.Errorf("make the key of identities: %w", err)
	}
	// As text, so that it reads the same from the Secret.
	return keyed{key: identity.Key(fmt.Sprintf("%x", []byte(key)))}, nil
}

// identities are what the configuration makes of each track, without the images.
func identities(s *settings.Settings, key identity.Key) (shift.Identities, error) {
	used := releaseSecrets(s)
	of := func(track string) (identity.Identity, error) { return identityOf(s, podSpec(s, track), used, key) }
	canary, err := of(names.Canary)
	if err != nil {
		return shift.Identities{}, err
	}
	stable, err := of(names.Stable)
	return shift.Identities{Canary: canary, Stable: stable}, err
}

// identityOf is what shapes the pods of a track, but for the image.
func identityOf(s *settings.Settings, spec components.PodSpec, secrets map[string]map[string]string,
	key identity.Key) (identity.Identity, error) {
	b := identity.NewBuilder(key)
	b.HashedEach(identity.Env, spec.Env)
	b.HashedEach(identity.Config, s.ConfigEnv)
	for name, entries := range secrets {
		b.Hashed(identity.Secret+name, entries)
	}
	for name, ref := range spec.SecretEnv {
		b.Plain(identity.SecretEnv+name, ref.String())
	}
	b.Fields("envFrom", spec.EnvFrom)
	b.Fields("resources", spec.Resources)
	b.Fields("probes", spec.Probes)
	b.Fields("shutdown", spec.Shutdown)
	b.Fields("spreadAcross", spec.SpreadAcross)
	b.Fields("user", spec.User)
	b.Fields("writable", spec.Writable)
	b.Plain("tmpSize", string(spec.TmpSize))
	b.Fields("containerPort", int(s.Container))
	if len(spec.Command) > 0 {
		b.Hashed("command", spec.Command)
	}
	if len(spec.Args) > 0 {
		b.Hashed("args", spec.Args)
	}
	b.HashedEach("annotations.", spec.Annotations)
	if len(spec.Overlays) > 0 {
		b.Hashed("pod", spec.Overlays)
	}
	return b.Identity()
}

// releaseSecrets are the entries of the secrets that the pods of a track refer to, by the names of the guide. The
// keys of webhooks reach no pod of the service.
func releaseSecrets(s *settings.Settings) map[string]map[string]string {
	used := map[string]map[string]string{}
	stable, canary := podSpec(s, names.Stable), podSpec(s, names.Canary)
	for name, entries := range s.ClusterSecrets() {
		fixed := s.SecretName(name)
		if !refersTo(stable, fixed) && !refersTo(canary, fixed) {
			continue
		}
		used[fixed] = map[string]string{}
		for key, value := range entries {
			if !s.SignsOnly(settings.SecretRef{Secret: name, Key: key}) {
				used[fixed][key] = value.Reveal()
			}
		}
	}
	return used
}

// refersTo reports whether the pods refer to a secret of the stack, by a variable or in an overlay.
func refersTo(spec components.PodSpec, name string) bool {
	for _, ref := range spec.SecretEnv {
		if ref.Secret == name {
			return true
		}
	}
	return slices.ContainsFunc(spec.EnvFrom, func(source settings.EnvSource) bool { return source.SecretRef == name }) ||
		slices.ContainsFunc(spec.Overlays, func(overlay settings.Overlay) bool {
			return mentions(map[string]any(overlay), name)
		})
}

// mentions reports whether a text is a value anywhere in data.
func mentions(data any, text string) bool {
	switch data := data.(type) {
	case string:
		return data == text
	case map[string]any:
		for _, value := range data {
			if mentions(value, text) {
				return true
			}
		}
	case []any:
		return slices.ContainsFunc(data, func(item any) bool { return mentions(item, text) })
	}
	return false
}

// checkKey refuses an update that would make a new key of identities while the ledger compares by the old one: each
// secret would seem to have changed.
func (p *program) checkKey(ctx context.Context) error {
	if p.settings.IsSingle() || p.settings.Position().Weight == 0 || p.shift.Freeze().Identity == nil ||
		!p.shift.Identified() {
		return nil
	}
	name := names.IdentityKey(p.settings.App)
	_, exists, err := p.cluster.SecretValue(ctx, p.settings.Namespace, name, identityKey)
	if err != nil || exists {
		return nil //nolint:nilerr // readKey has reported it
	}
	return fmt.Errorf("secret %s/%s is gone, by which the ledger compares configurations: restore it from a backup, or "+
		"take the canary out with `pulumi config set canaryWeight 0 -s %[3]s && pulumi up -s %[3]s`, which makes a new one",
		p.settings.Namespace, name, p.settings.StackName())
}
