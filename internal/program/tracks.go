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
	stable, err = p.makeTrack("stable", components.TrackArgs{
		Name: shift.StableTrack(s).Deployment, Track: names.Stable, Version: s.StableLabel, Image: p.inputs.stableImage,
		Replicas: position.Stable, Hooks: p.hooks.stable, Protect: true,
	})
	if err != nil || p.inputs.image == nil {
		return stable, nil, err
	}
	guard, err := p.makeGuard()
	if err != nil {
		return nil, nil, err
	}
	canary, err = p.makeTrack("canary", components.TrackArgs{
		Name: shift.CanaryTrack(s).Deployment, Track: names.Canary, Version: s.Release, Image: p.inputs.image,
		Replicas: position.Canary, Hooks: p.hooks.canary, StagingVerified: p.stagingVerified(), DependsOn: guard,
		Renamed: !s.IsNewRelease(),
	})
	return stable, canary, err
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
	args.Checksum, args.Interruption = p.inputs.checksum, p.shift.Interruption()
	args.ProgressTimeout = time.Duration(p.settings.ProgressLimit)
	args.DependsOn = append(args.DependsOn, p.needed...)
	track, err := components.NewTrack(p.ctx, name, &args, p.provider)
	if err == nil {
		p.judged = append(p.judged, track)
	}
	return track, err
}

// stagingVerified is the digest of the canary's image when staging has verified it, for the policies to see; empty
// when not.
func (p *program) stagingVerified() pulumi.StringInput {
	return p.inputs.image.ToStringOutput().ApplyT(func(reference string) string {
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
	own := s.Stable
	if track == names.Canary {
		own = s.Canary
	}
	if own.Resources != nil {
		spec.Resources = *own.Resources
	}
	if own.Probes != nil {
		spec.Probes = *own.Probes
	}
	maps.Copy(spec.Env, own.Env)
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
