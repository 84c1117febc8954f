package program

import (
	"maps"
	"time"

	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"github.com/vextrus/finance-rollout/components"
	"github.com/vextrus/finance-rollout/internal/names"
	"github.com/vextrus/finance-rollout/internal/settings"
	"github.com/vextrus/finance-rollout/internal/shift"
)

// makeTracks makes the Deployments. The canary is nil on a stack with one track, and where no image is on trial.
func (p *program) makeTracks() (stable, canary *components.Track, err error) {
	s, position := p.settings, p.settings.Position()
	if s.IsSingle() {
		stable, err = p.makeTrack("stable", components.TrackArgs{
			Name: s.ServiceName, Track: names.Stable, Version: s.Release, Image: p.inputs.image, Replicas: position.Stable,
			Hooks: p.hooks.single,
		})
		return stable, nil, err
	}
	if p.shift.IsExpress() {
		canary, err = p.makeCanary()
		if err != nil {
			return nil, nil, err
		}
		stable, err = p.makeStable(canary.Deployment)
		return stable, canary, err
	}
	stable, err = p.makeStable()
	if err != nil || p.inputs.image == nil {
		return stable, nil, err
	}
	canary, err = p.makeCanary()
	return stable, canary, err
}

// makeStable makes the stable track, after the resources that it has to wait for.
func (p *program) makeStable(after ...pulumi.Resource) (*components.Track, error) {
	return p.makeTrack("stable", components.TrackArgs{
		Name: shift.StableTrack(p.settings).Deployment, Track: names.Stable, Version: p.settings.StableLabel,
		Image: p.inputs.stableImage, Replicas: p.settings.Position().Stable, Hooks: p.hooks.stable, Protect: true,
		DependsOn: after,
	})
}

// makeCanary makes the guard and the canary track after it. Without a canary in traffic, the express lane tries its
// change on a pod with stable's image: it carries no other.
func (p *program) makeCanary() (*components.Track, error) {
	s, image := p.settings, p.inputs.image
	if p.shift.IsExpress() && !s.HasCanary() {
		image = p.inputs.stableImage
	}
	guard, err := p.makeGuard()
	if err != nil {
		return nil, err
	}
	return p.makeTrack("canary", components.TrackArgs{
		Name: shift.CanaryTrack(s).Deployment, Track: names.Canary, Version: s.Release, Image: image,
		Replicas: s.Position().Canary, Hooks: p.hooks.canary, StagingVerified: p.stagingVerified(image), DependsOn: guard,
		Renamed: !s.IsNewRelease(),
	})
}

// makeTrack makes a track of the arguments in which its tracks differ, and completes those in which they do not.
func (p *program) makeTrack(name string, args components.TrackArgs) (*components.Track, error) {
	var err error
	args.Autoscale, args.Autoscaled, err = p.autoscale(args.Track, args.Name)
	if err != nil {
		return nil, err
	}
	args.App, args.ServiceAccount = p.environment.App, p.environment.ServiceAccount
	args.Port, args.Pod = int(p.settings.Container), podSpec(p.settings, args.Track)
	args.RollingUpdate = p.settings.RollingUpdate
	args.Objects, args.Identity = p.objects.names, p.identityOf(args.Track)
	args.Frozen = args.Track == names.Stable && p.shift.Freeze().Frozen
	args.Checksum, args.Interruption = p.inputs.checksum, p.shift.Interruption()
	args.ProgressTimeout = time.Duration(p.settings.ProgressLimit)
	args.DependsOn = append(args.DependsOn, p.needed...)
	track, err := components.NewTrack(p.ctx, p.scope.resource(name), &args, p.provider)
	if err == nil {
		p.judged = append(p.judged, track)
	}
	return track, err
}

// stagingVerified is the digest of the canary's image when staging has verified it, for the policies to see; empty
// when not.
func (p *program) stagingVerified(image pulumi.StringInput) pulumi.StringInput {
	return image.ToStringOutput().ApplyT(func(reference string) string {
		digest := names.Digest(reference)
		if p.shift.VerifiedByStaging(p.ctx.Context(), digest) {
			return digest
		}
		return ""
	}).(pulumi.StringOutput)
}

// podSpec is what the container of a track is given.
func podSpec(s *settings.Settings, track string) components.PodSpec {
	spec := components.PodSpec{
		Resources: s.Resources, Probes: s.Probes, Shutdown: s.Shutdown,
		Env: maps.Clone(s.Env), SecretEnv: map[string]settings.SecretRef{},
		ConfigMap: names.Configuration(s.App), SpreadAcross: s.SpreadAcross,
	}
	if spec.Env == nil {
		spec.Env = map[string]string{}
	}
	for name, ref := range s.SecretEnv {
		if ref != (settings.SecretRef{}) {
			spec.SecretEnv[name] = settings.SecretRef{Secret: s.SecretName(ref.Secret), Key: ref.Key}
		}
	}
	override := s.Stable
	if track == names.Canary {
		override = s.Canary
	}
	if override.Resources != nil {
		spec.Resources = *override.Resources
	}
	if override.Probes != nil {
		spec.Probes = *override.Probes
	}
	maps.Copy(spec.Env, override.Env)
	shape(&spec, s, track)
	return spec
}

// shape adds what the stack says of the pods beside their container's usual settings. What is the default is left out:
// a stack that says nothing keeps the checksum that it has.
func shape(spec *components.PodSpec, s *settings.Settings, track string) {
	if s.User != settings.DefaultUser() {
		spec.User = s.User
	}
	if s.TmpSize != settings.DefaultTmpSize {
		spec.TmpSize = s.TmpSize
	}
	spec.Writable, spec.Command, spec.Args = s.Writable, s.Command, s.Args
	for name, ref := range s.ExistingEnv {
		if ref != (settings.SecretRef{}) {
			spec.SecretEnv[name] = ref
		}
	}
	spec.EnvFrom = s.EnvFrom
	spec.Annotations, spec.Overlays = s.PodAnnotations, s.Overlays(track)
}

// autoscale is the autoscaler of a track; nil where there is none. The second result tells that it has pods to choose
// from.
func (p *program) autoscale(track, deployment string) (*settings.Autoscale, bool, error) {
	wanted := p.settings.Stable.Autoscale
	if track == names.Canary {
		wanted = p.settings.Canary.Autoscale
	}
	if wanted == nil {
		return nil, false, nil
	}
	live, err := p.cluster.Replicas(p.ctx.Context(), p.settings.Namespace, deployment)
	return wanted, live > 0, err
}

// identityOf is the short form of what a track runs after this update; empty where it is unknown, as with an image that
// the update builds.
func (p *program) identityOf(track string) string {
	digests, configured := p.inputs.digests, p.inputs.compared()
	digest, of := digests.Stable, configured.Stable
	switch {
	case track == names.Stable && p.shift.Freeze().Frozen:
		return p.shift.Freeze().Identity.Hash()
	case track == names.Canary:
		of = configured.Canary
		if !p.shift.IsExpress() || p.settings.HasCanary() {
			digest = digests.Canary
		}
	case p.settings.IsSingle():
		digest = digests.Canary
	}
	// A digest that the update finds out is known by now or a moment later. Pods that said so by chance would be replaced
	// by the next update, which finds the same image.
	if p.settings.Build.Context != "" || !digest.IsKnown() {
		return ""
	}
	image, err := digest.Get(p.ctx.Context())
	if err != nil {
		return ""
	}
	return of.With(image).Hash()
}
