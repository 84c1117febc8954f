package program

import (
	"slices"

	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"github.com/vextrus/finance-rollout/components"
	"github.com/vextrus/finance-rollout/internal/alerts"
	"github.com/vextrus/finance-rollout/internal/names"
	"github.com/vextrus/finance-rollout/internal/rollout"
)

// makeRelease writes the release record, last and after its gate.
func (p *program) makeRelease(stable, canary *components.Track) (*components.Release, error) {
	image := stable.Image
	// At 0 % the canary's image runs nowhere, and the gate looks at stable.
	if canary != nil && p.settings.HasCanary() {
		image = canary.Image
	}
	checksum, err := p.releaseChecksum()
	if err != nil {
		return nil, err
	}
	return components.NewRelease(p.ctx, "release", &components.ReleaseArgs{
		App: p.environment.App, Name: names.Record(p.settings.App), Release: p.settings.Release,
		Position: p.settings.Position(),
		Image:    image, StableImage: stable.Image, Checksum: checksum, Interruption: p.shift.Interruption(),
		Cluster:   p.uid,
		DependsOn: slices.Concat(p.needed, p.judged), Hooks: p.hooks.record,
	}, p.provider)
}

// releaseChecksum changes whenever the pods of the release change, or the way of the requests to them.
func (p *program) releaseChecksum() (string, error) {
	judged := []any{p.inputs.checksum, podSpec(p.settings, rollout.SubjectOf(p.settings).Track)}
	if p.settings.IsGateway() {
		way := p.settings.Gateway
		way.Timeout = 0
		judged = append(judged, way)
	}
	return digest(judged...)
}

// export sets the stack's outputs. They come from the release record: it holds what was reached, not what was asked
// for.
func (p *program) export(release *components.Release, monitoring *components.Monitoring) {
	p.ctx.Export("release", release.Name)
	p.ctx.Export("week", release.Week)
	p.ctx.Export("weight", release.Weight)
	p.ctx.Export("stableReplicas", release.StableReplicas)
	p.ctx.Export("canaryReplicas", release.CanaryReplicas)
	p.ctx.Export("verifiedImage", release.Image)
	p.ctx.Export("stableImage", release.StableImage)
	p.ctx.Export(clusterOutput, pulumi.String(p.uid))
	p.ctx.Export("namespace", p.environment.App.Namespace)
	if monitoring != nil {
		p.ctx.Export("dashboardUID", monitoring.DashboardUID)
		if p.settings.DashboardURL != "" {
			p.ctx.Export("dashboardURL", pulumi.String(alerts.DashboardLink(p.settings.DashboardURL, p.settings.DashboardUID())))
		}
	}
	if p.settings.RunbookURL != "" {
		p.ctx.Export("runbookURL", pulumi.String(p.settings.RunbookURL))
	}
}
