package program

import (
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"github.com/vextrus/finance-rollout/components"
	"github.com/vextrus/finance-rollout/internal/rollout"
	"github.com/vextrus/finance-rollout/internal/settings"
	"github.com/vextrus/finance-rollout/internal/shift"
)

// cliVersion is the oldest Pulumi CLI that the end-to-end tests run. Older ones may well do: Before hooks, which are
// all the hooks that the gates need, fail their step since 3.182. Nothing here shows it, so it is not claimed.
const cliVersion = ">=3.245.0"

// Run is the whole program of a stack with one rollout.
func Run(ctx *pulumi.Context, deps Deps) error {
	_, err := New(ctx, Options{}, deps)
	return err
}

// run does what a rollout consists of: settings, cluster, inputs, move, resources, outputs.
func (p *program) run(deps Deps) (err error) {
	ctx := p.ctx
	if err := ctx.RequirePulumiVersion(cliVersion); err != nil {
		return err
	}
	if p.settings, err = p.loadSettings(); err != nil {
		return err
	}
	if err := p.checkSiblings(); err != nil {
		return err
	}
	if p.cluster, err = deps.Connect(p.settings.Kubeconfig, p.settings.KubeContext); err != nil {
		return p.settings.Unreached(err)
	}
	if err := preflight(ctx, p.settings, p.cluster); err != nil {
		return err
	}
	if p.memory, err = remember(ctx, p.scope); err != nil {
		return err
	}
	if p.uid, err = clusterIdentity(ctx, p.settings, p.cluster, p.memory.cluster); err != nil {
		return err
	}
	if p.inputs, err = p.gather(deps); err != nil {
		return err
	}
	if err := p.move(deps); err != nil {
		return err
	}
	if err := p.register(); err != nil {
		return err
	}
	return p.foreseen.say(p.log(), p.settings)
}

// loadSettings reads the stack's configuration, and reports what in it does not count yet or is probably a mistake.
func (p *program) loadSettings() (*settings.Settings, error) {
	s, err := settings.Load(p.ctx.Stack(), configuration{p.ctx, p.scope})
	if err != nil {
		return nil, err
	}
	if note := s.HeldBack(); note != "" {
		if err := p.log().Info(note); err != nil {
			return s, err
		}
	}
	for _, warning := range s.Warnings() {
		if err := p.log().Warn(warning); err != nil {
			return s, err
		}
	}
	return s, nil
}

// program is what the steps of an update share. Everything but the resources is set before the first one is registered.
type program struct {
	ctx   *pulumi.Context
	scope scope
	// options are those of the component that holds all resources; rolled is that component once it is registered.
	options  []pulumi.ResourceOption
	rolled   *Rollout
	settings *settings.Settings
	cluster  Cluster
	// uid is the cluster's identity; empty where it is unknown.
	uid string
	// memory is what the last update left in the stack's outputs.
	memory memory
	inputs inputs
	// rollout is that of the release on trial.
	rollout *rollout.Rollout
	shift   *shift.Shift
	hooks   *hooks
	// foreseen is the forecast of a preview.
	foreseen *foreseen

	// objects are the Secrets and ConfigMaps of the tracks.
	objects objects

	environment *components.Environment
	// provider makes every resource in the cluster that the hooks look at.
	provider pulumi.ResourceOption
	// needed is what pods cannot start without, their secrets and their configuration, and the errand, which comes first.
	needed []pulumi.Resource
	// judged is what the release record waits for, beside what the pods need.
	judged []pulumi.Resource
}

// move makes the move of this update and looks at the ledger for the first time.
func (p *program) move(deps Deps) error {
	image, err := p.image()
	if err != nil {
		return err
	}
	onTrial, err := p.named(deps, image)
	if err != nil {
		return err
	}
	p.settings, p.rollout = onTrial.Settings, onTrial
	if err := p.checkEnvironment(p.ctx.Context()); err != nil {
		return err
	}
	p.foreseen = p.foresee(p.ctx.Context(), onTrial, image)
	p.shift = shift.New(shift.Options{
		Rollout: onTrial, Cluster: p.cluster, Images: p.inputs.digests, Identities: p.inputs.compared(),
		Staging: p.inputs.staging, Log: p.log(), DryRun: p.ctx.DryRun(),
	})
	route, err := p.route()
	if err != nil {
		return err
	}
	p.hooks, err = newHooks(p.ctx, p.scope, p.shift, route)
	if err != nil {
		return err
	}
	if err := p.shift.Look(p.ctx.Context()); err != nil {
		return err
	}
	if err := p.checkKey(p.ctx.Context()); err != nil {
		return err
	}
	return p.makeObjects(p.ctx.Context())
}

// named is the rollout under the name that its release has by the ledger. Everything that is made of the release is
// named by it.
func (p *program) named(deps Deps, image string) (*rollout.Rollout, error) {
	configured := &rollout.Rollout{
		Settings: p.settings, Cluster: p.cluster, Clock: deps.Clock, Who: rollout.Who(deps.Getenv), Getenv: deps.Getenv,
		Dir: p.ctx.RootDirectory(), Name: p.scope.texts().Rollout, Remembered: p.memory.head,
		Prometheus: deps.prometheus(p.cluster, p.settings),
		Warn: func(text string) {
			// The engine is gone when it takes no message: nobody is left to read it.
			_ = p.log().Warn(text)
		},
	}
	return configured.Named(p.ctx.Context(), image)
}

// image is the digest of the canary's image; empty while it is not known.
func (p *program) image() (string, error) {
	if !p.inputs.digests.Canary.IsKnown() {
		return "", nil
	}
	return p.inputs.digests.Canary.Get(p.ctx.Context())
}

// register registers the resources in their order, and exports the outputs of the last one.
func (p *program) register() error {
	if err := p.registerSelf(); err != nil {
		return err
	}
	if err := p.makeEnvironment(); err != nil {
		return err
	}
	if err := p.makeErrand(); err != nil {
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
	return p.rolled.reached(p.ctx, release)
}

// log reports to the user of the Pulumi CLI.
type log struct {
	ctx   *pulumi.Context
	scope scope
}

func (p *program) log() log { return log{ctx: p.ctx, scope: p.scope} }

// Info implements [shift.Log].
func (l log) Info(text string) error { return l.ctx.Log.Info(l.scope.commands(text), nil) }

// Warn implements [shift.Log].
func (l log) Warn(text string) error { return l.ctx.Log.Warn(l.scope.commands(text), nil) }
