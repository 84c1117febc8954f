package program

import (
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"github.com/vextrus/finance-rollout/components"
)

// Options set a rollout apart from the others of its stack. Both are empty for the only one.
type Options struct {
	// Name begins the names of its resources and hooks, and of its stack's outputs.
	Name string
	// Config is the namespace of its configuration.
	Config string
}

// Rollout is all that one service is rolled out with, and the position that it has reached.
type Rollout struct {
	pulumi.ResourceState

	// Release is the release on trial; VerifiedImage passed the gate last, StableImage runs on the stable track.
	Release, VerifiedImage, StableImage pulumi.StringOutput
	// Weight is the percentage of the requests that the release gets.
	Weight pulumi.IntOutput
}

// New rolls a service out.
func New(ctx *pulumi.Context, options Options, deps Deps, opts ...pulumi.ResourceOption) (*Rollout, error) {
	p := &program{ctx: ctx, scope: scope{name: options.Name, config: options.Config}, options: opts}
	if err := p.run(deps); err != nil {
		return nil, p.scope.explain(err)
	}
	return p.rolled, nil
}

// registerSelf registers the component that holds all resources of the rollout, once. Its inputs are what the
// configuration asks for, and its outputs what was reached.
func (p *program) registerSelf() error {
	if p.rolled != nil {
		return nil
	}
	name := p.scope.name
	if name == "" {
		name = "rollout"
	}
	s := p.settings
	p.rolled = &Rollout{}
	return p.ctx.RegisterComponentResourceV2("finance-rollout:index:Rollout", name, pulumi.Map{
		"service": pulumi.String(s.App), "environment": pulumi.String(s.Environment),
		"namespace": pulumi.String(s.Namespace), "strategy": pulumi.String(s.Strategy),
		"weight": pulumi.Int(s.Position().Weight), "image": pulumi.String(s.Image),
		"stableImage": pulumi.String(s.StableImage),
	}, p.rolled, p.options...)
}

// inComponent is the option of what belongs to the component.
func (p *program) inComponent() (pulumi.ResourceOption, error) {
	if err := p.registerSelf(); err != nil {
		return nil, err
	}
	return p.scope.options(p.rolled), nil
}

// reached fills in what the release record says.
func (r *Rollout) reached(ctx *pulumi.Context, release *components.Release) error {
	r.Release, r.VerifiedImage, r.StableImage = release.Name, release.Image, release.StableImage
	r.Weight = release.Weight
	return ctx.RegisterResourceOutputs(r, pulumi.Map{
		"release": r.Release, "verifiedImage": r.VerifiedImage, "stableImage": r.StableImage, "weight": r.Weight,
	})
}
