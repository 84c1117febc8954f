package program

import (
	"slices"

	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"github.com/vextrus/finance-rollout/components"
	"github.com/vextrus/finance-rollout/internal/alerts"
	"github.com/vextrus/finance-rollout/internal/names"
	"github.com/vextrus/finance-rollout/internal/rollout"
	textscope "github.com/vextrus/finance-rollout/internal/scope"
)

// makeRelease writes the release record, last and after its gate.
func (p *program) makeRelease(stable, canary *components.Track) (*components.Release, error) {
	image := stable.Image
	// At 0 % the canary's image runs nowhere, and the gate looks at stable.
	if canary != nil && p.settings.HasCanary() {
		image = canary.Image
	}
	track := rollout.SubjectOf(p.settings).Track
	checksum, err := p.releaseChecksum(track)
	if err != nil {
		return nil, err
	}
	return components.NewRelease(p.ctx, p.scope.resource("release"), &components.ReleaseArgs{
		App: p.environment.App, Name: names.Record(p.settings.App), Release: p.settings.Release,
		Position: p.settings.Position(),
		Image:    image, StableImage: stable.Image, Checksum: checksum, Identity: p.releaseIdentity(image, track),
		Interruption: p.shift.Interruption(),
		Cluster:      p.uid, Protect: !p.settings.IsSingle(),
		// By its protection the record keeps a destroy from all that it depends on, up to the policies of the network.
		DependsOn: slices.Concat([]pulumi.Resource{p.environment}, p.needed, p.judged), Hooks: p.hooks.record,
	}, p.provider)
}

// releaseChecksum changes whenever the pods of the release change, or the way of the requests to them.
func (p *program) releaseChecksum(track string) (string, error) {
	judged := []any{p.inputs.checksum, podSpec(p.settings, track)}
	// Stable runs by its identity, also right after a finish, when the configuration is what it runs.
	if runs := p.identityOf(track); track == names.Stable && !p.settings.IsSingle() && runs != "" {
		judged = []any{runs}
	}
	if p.settings.IsGateway() {
		way := p.settings.Gateway
		way.Timeout = 0
		judged = append(judged, way)
	}
	return digest(judged...)
}

// releaseIdentity is the short form of what is judged. That of an image which the update builds becomes known with it.
func (p *program) releaseIdentity(image pulumi.StringOutput, track string) pulumi.StringInput {
	if known := p.identityOf(track); known != "" {
		return pulumi.String(known)
	}
	built := p.inputs.compared().Stable
	return image.ApplyT(func(reference string) string {
		return built.With(names.Digest(reference)).Hash()
	}).(pulumi.StringOutput)
}

// export sets the stack's outputs. They come from the release record: it holds what was reached, not what was asked
// for.
func (p *program) export(release *components.Release, monitoring *components.Monitoring) {
	export := func(name string, value pulumi.Input) { p.ctx.Export(p.scope.output(name), value) }
	if p.scope.config != p.scope.name {
		export(textscope.ConfigurationOutput, pulumi.String(p.scope.config))
	}
	export("release", release.Name)
	export("week", release.Week)
	export("weight", release.Weight)
	export("stableReplicas", release.StableReplicas)
	export("canaryReplicas", release.CanaryReplicas)
	export("verifiedImage", release.Image)
	export("stableImage", release.StableImage)
	export("identity", release.Identity)
	export("stableIdentity", pulumi.String(p.identityOf(names.Stable)))
	export(clusterOutput, pulumi.String(p.uid))
	export(environmentOutput, pulumi.String(p.settings.Environment))
	p.exportHead(release)
	export("namespace", p.environment.App.Namespace)
	if monitoring != nil {
		export("dashboardUID", monitoring.DashboardUID)
		if p.settings.DashboardURL != "" {
			export("dashboardURL", pulumi.String(alerts.DashboardLink(p.settings.DashboardURL, p.settings.DashboardUID())))
		}
	}
	if p.settings.RunbookURL != "" {
		export("runbookURL", pulumi.String(p.settings.RunbookURL))
	}
}
