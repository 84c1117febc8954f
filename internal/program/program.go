package program

import (
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"github.com/vextrus/finance-rollout/components"
	"github.com/vextrus/finance-rollout/internal/rollout"
	"github.com/vextrus/finance-rollout/internal/settings"
	"github.com/vextrus/finance-rollout/internal/shift"
)

// cliVersion is the oldest Pulumi CLI whose Before hooks fail the step that they guard.
const cliVersion = ">=3.238.0"

// Run is the whole program: settings, cluster, inputs, move, resources, outputs.
func Run(ctx *pulumi.Context, deps Deps) error {
	if err := ctx.RequirePulumiVersion(cliVersion); err != nil {
		return err
	}
	s, err := loadSettings(ctx)
	if err != nil {
		return err
	}
	if err := checkParallel(ctx, s); err != nil {
		return err
	}
	cluster, err := deps.Connect(s.Kubeconfig, s.KubeContext)
	if err != nil {
		return err
	}
	if err := preflight(ctx, s, cluster); err != nil {
		return err
	}
	uid, err := identity(ctx, s, cluster)
	if err != nil {
		return err
	}
	inputs, err := gather(ctx, s, cluster, deps)
	if err != nil {
		return err
	}
	p := &program{ctx: ctx, settings: s, cluster: cluster, uid: uid, inputs: inputs}
	if err := p.move(deps); err != nil {
		return err
	}
	return p.register()
}

// loadSettings reads the stack's configuration, and reports a part of it that does not count yet.
func loadSettings(ctx *pulumi.Context) (*settings.Settings, error) {
	s, err := settings.Load(ctx.Stack(), configuration{ctx})
	if err != nil {
		return nil, err
	}
	if note := s.HeldBack(); note != "" {
		return s, ctx.Log.Info(note, nil)
	}
	return s, nil
}

// program is what the steps of an update share. Everything but the resources is set before the first one is registered.
type program struct {
	ctx      *pulumi.Context
	settings *settings.Settings
	cluster  Cluster
	// uid is the cluster's identity; empty where it is unknown.
	uid    string
	inputs inputs
	shift  *shift.Shift
	hooks  *hooks

	environment *components.Environment
	// provider makes every resource in the cluster that the hooks look at.
	provider pulumi.ResourceOption
	// needed is what pods cannot start without: their secrets and their configuration.
	needed []pulumi.Resource
	// judged is what the release record waits for, beside what the pods need.
	judged []pulumi.Resource
}

// move makes the move of this update and looks at the ledger for the first time.
func (p *program) move(deps Deps) error {
	onTrial, err := p.named(deps)
	if err != nil {
		return err
	}
	p.settings = onTrial.Settings
	p.shift = shift.New(shift.Options{
		Rollout: onTrial, Cluster: p.cluster, Images: p.inputs.digests, Staging: p.inputs.staging, Log: log{p.ctx},
		DryRun: p.ctx.DryRun(),
	})
	route, err := p.route()
	if err != nil {
		return err
	}
	p.hooks, err = newHooks(p.ctx, p.shift, route)
	if err != nil {
		return err
	}
	return p.shift.Look(p.ctx.Context())
}

// named is the rollout under the name that its release has by the ledger. Everything that is made of the release is
// named by it.
func (p *program) named(deps Deps) (*rollout.Rollout, error) {
	configured := &rollout.Rollout{
		Settings: p.settings, Cluster: p.cluster, Clock: deps.Clock, Who: rollout.Who(deps.Getenv), Getenv: deps.Getenv,
		Dir:        p.ctx.RootDirectory(),
		Prometheus: deps.prometheus(p.cluster, p.settings),
		Warn: func(text string) {
			// The engine is gone when it takes no message: nobody is left to read it.
			_ = log{p.ctx}.Warn(text)
		},
	}
	digest := ""
	if p.inputs.digests.Canary.IsKnown() {
		var err error
		if digest, err = p.inputs.digests.Canary.Get(p.ctx.Context()); err != nil {
			return nil, err
		}
	}
	return configured.Named(p.ctx.Context(), digest)
}

// register registers the resources in their order, and exports the outputs of the last one.
func (p *program) register() error {
	if err := p.makeEnvironment(); err != nil {
		return err
	}
	stable, canary, err := p.makeTracks()
	if err != nil {
		return err
	}
	if err := p.makeTraffic(stable, canary); err != nil {
		return err
	}
	monitoring, err := p.makeMonitoring()
	if err != nil {
		return err
	}
	release, err := p.makeRelease(stable, canary)
	if err != nil {
		return err
	}
	p.export(release, monitoring)
	return nil
}

// log reports to the user of the Pulumi CLI.
type log struct{ ctx *pulumi.Context }

// Info implements [shift.Log].
func (l log) Info(text string) error { return l.ctx.Log.Info(text, nil) }

// Warn implements [shift.Log].
func (l log) Warn(text string) error { return l.ctx.Log.Warn(text, nil) }
