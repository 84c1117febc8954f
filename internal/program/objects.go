package program

import (
	"context"
	"maps"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"

	"github.com/vextrus/finance-rollout/internal/identity"
	"github.com/vextrus/finance-rollout/internal/names"
	"github.com/vextrus/finance-rollout/internal/settings"
	"github.com/vextrus/finance-rollout/internal/shift"
)

// objects are the Secrets and ConfigMaps that an update registers. Each holds one content, which its name ends with, so
// that two tracks with the same content share one, and a track with another one is not touched.
type objects struct {
	// names are those of the configured release, by the names that the pods are configured with.
	names map[string]string
	// secrets and configMaps are the names of what stable, or a way back, refers to beside them.
	secrets, configMaps []string
}

// name is the name in the cluster of an object.
func (o objects) name(configured string) string {
	if renamed := o.names[configured]; renamed != "" {
		return renamed
	}
	return configured
}

// objectNames are the names of a release's objects, by the names that the pods are configured with.
func objectNames(app string, release identity.Identity) map[string]string {
	renamed := map[string]string{
		names.Configuration(app): identity.ObjectName(names.Configuration(app), release.ConfigHash()),
	}
	for part, content := range release.Under(identity.Secret) {
		name := part[len(identity.Secret):]
		renamed[name] = identity.ObjectName(name, content)
	}
	return renamed
}

// makeObjects makes out which objects this update registers. What stable refers to in the cluster stays while it keeps
// what it runs, and what it ran before, for the way back. An update that changes stable keeps what it leaves.
func (p *program) makeObjects(ctx context.Context) error {
	p.objects = objects{names: objectNames(p.settings.App, p.inputs.identities.Canary)}
	if p.settings.IsSingle() {
		return nil
	}
	freeze := p.shift.Freeze()
	if freeze.Identity == nil {
		return nil // nothing has finished yet
	}
	live, err := p.referred(ctx)
	if err != nil {
		return err
	}
	for _, object := range p.made(freeze.Identity) {
		if slices.Contains(live, object) {
			p.keep(object)
		}
	}
	if !freeze.Frozen || freeze.Former == nil {
		return nil
	}
	return p.keepFormer(ctx, freeze.Former)
}

// made are the objects that the program makes of a release, under the names of their content and under those that
// earlier versions gave them.
func (p *program) made(release identity.Identity) []object {
	var objects []object
	for shared, own := range objectNames(p.settings.App, release) {
		isConfig := shared == names.Configuration(p.settings.App)
		objects = append(objects, object{shared, isConfig}, object{own, isConfig})
	}
	slices.SortFunc(objects, func(a, b object) int { return strings.Compare(a.name, b.name) })
	return objects
}

// object is a ConfigMap or a Secret.
type object struct {
	name     string
	isConfig bool
}

// keepFormer keeps what stable ran before. Whether its objects have the names of their content is told by its
// ConfigMap: a preview may read no Secret.
func (p *program) keepFormer(ctx context.Context, former identity.Identity) error {
	renamed := objectNames(p.settings.App, former)
	shared := names.Configuration(p.settings.App)
	_, own, err := p.cluster.ConfigMap(ctx, p.settings.Namespace, renamed[shared])
	if err != nil {
		return err
	}
	_, earlier, err := p.cluster.ConfigMap(ctx, p.settings.Namespace, shared)
	if err != nil {
		return err
	}
	for name, content := range renamed {
		switch {
		case own != "":
			p.keep(object{content, name == shared})
		case earlier != "":
			p.keep(object{name, name == shared})
		}
	}
	return nil
}

// referred are the objects that the stable track's pods refer to in the cluster.
func (p *program) referred(ctx context.Context) ([]object, error) {
	deployment, exists, err := p.cluster.Deployment(ctx, p.settings.Namespace, shift.StableTrack(p.settings).Deployment)
	if err != nil || !exists {
		return nil, err
	}
	return references(&deployment.Spec.Template.Spec), nil
}

// keep keeps an object, unless this update registers it anyway.
func (p *program) keep(kept object) {
	into := &p.objects.secrets
	if kept.isConfig {
		into = &p.objects.configMaps
	}
	_, registered := p.namedSecrets()[kept.name]
	if registered && !kept.isConfig || slices.Contains(slices.Collect(maps.Values(p.objects.names)), kept.name) ||
		slices.Contains(*into, kept.name) {
		return
	}
	*into = append(*into, kept.name)
	slices.Sort(*into)
}

// references are the Secrets and ConfigMaps that pods refer to.
func references(spec *corev1.PodSpec) []object {
	var found []object
	for _, container := range slices.Concat(spec.InitContainers, spec.Containers) {
		for _, variable := range container.Env {
			switch from := variable.ValueFrom; {
			case from == nil:
			case from.SecretKeyRef != nil:
				found = append(found, object{from.SecretKeyRef.Name, false})
			case from.ConfigMapKeyRef != nil:
				found = append(found, object{from.ConfigMapKeyRef.Name, true})
			}
		}
		for _, source := range container.EnvFrom {
			if source.SecretRef != nil {
				found = append(found, object{source.SecretRef.Name, false})
			}
			if source.ConfigMapRef != nil {
				found = append(found, object{source.ConfigMapRef.Name, true})
			}
		}
	}
	for i := range spec.Volumes {
		found = append(found, mounted(&spec.Volumes[i])...)
	}
	return found
}

// mounted are the Secrets and ConfigMaps of a volume.
func mounted(volume *corev1.Volume) []object {
	var found []object
	if volume.Secret != nil {
		found = append(found, object{volume.Secret.SecretName, false})
	}
	if volume.ConfigMap != nil {
		found = append(found, object{volume.ConfigMap.Name, true})
	}
	if volume.Projected != nil {
		for _, source := range volume.Projected.Sources {
			if source.Secret != nil {
				found = append(found, object{source.Secret.Name, false})
			}
			if source.ConfigMap != nil {
				found = append(found, object{source.ConfigMap.Name, true})
			}
		}
	}
	return found
}

// namedSecrets are the entries of the secrets by their names in the cluster.
func (p *program) namedSecrets() map[string]map[string]settings.Secret {
	named := map[string]map[string]settings.Secret{}
	for name, entries := range p.settings.ClusterSecrets() {
		named[p.objects.name(p.settings.SecretName(name))] = entries
	}
	return named
}

// immutable are the names of the secrets whose content does not change. One that holds the key of a webhook as well may
// get another one.
func (p *program) immutable() map[string]bool {
	immutable := map[string]bool{}
	for name, entries := range p.settings.ClusterSecrets() {
		signs := false
		for key := range entries {
			signs = signs || p.settings.SignsOnly(settings.SecretRef{Secret: name, Key: key})
		}
		fixed := p.settings.SecretName(name)
		immutable[p.objects.name(fixed)] = !signs && p.objects.name(fixed) != fixed
	}
	return immutable
}
