package program

import (
	"context"
	"fmt"

	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"github.com/vextrus/finance-rollout/components"
	"github.com/vextrus/finance-rollout/internal/names"
	"github.com/vextrus/finance-rollout/internal/shift"
)

// hooks are the resource hooks of the stack, by the resource that they stand in front of. Each reads the change that
// its component describes and calls a plain function; none decides.
type hooks struct {
	stable, canary, single, service, route, record *pulumi.ResourceHookBinding
	// watch is for what watches the canary: the guard, the scrape, the rules and the dashboard. A move that is refused
	// leaves a canary in traffic watched as it was.
	watch *pulumi.ResourceHookBinding
}

// newHooks registers the hooks of a move and its route; nil where the pods alone split the requests.
//
// The advance gate stands first, in front of everything that moves requests. It runs on preview too, so that a pull
// request shows the answer that an update would get.
func newHooks(ctx *pulumi.Context, move *shift.Shift, route *shift.Route) (*hooks, error) {
	r := registrar{ctx: ctx}
	capacity, gate := shift.NewCapacity(move, route), shift.NewGate(move, route)
	advance := r.register("advance", true, func(ctx context.Context, _ *pulumi.ResourceHookArgs) error {
		return move.Judge(ctx)
	})
	track := func(name string) *pulumi.ResourceHookBinding {
		hook := r.register("capacity-"+name, false, func(ctx context.Context, args *pulumi.ResourceHookArgs) error {
			return capacity.BeforeTrack(ctx, name, shift.TrackChange(components.ReadTrackChange(args)))
		})
		return &pulumi.ResourceHookBinding{
			BeforeCreate: []*pulumi.ResourceHook{advance}, BeforeUpdate: []*pulumi.ResourceHook{advance, hook},
		}
	}
	selection := r.register("selection", false, func(ctx context.Context, args *pulumi.ResourceHookArgs) error {
		change := components.ReadSelectionChange(args)
		return capacity.BeforeSelection(ctx, change.TrackBefore, change.TrackAfter)
	})
	verify := r.register("verify", false, func(ctx context.Context, args *pulumi.ResourceHookArgs) error {
		return gate.Pass(ctx, components.ReadRecordChange(args).Image)
	})
	h := &hooks{
		stable: track(names.Stable), canary: track(names.Canary), single: before(advance),
		service: &pulumi.ResourceHookBinding{BeforeUpdate: []*pulumi.ResourceHook{advance, selection}},
		record:  before(verify), watch: before(advance),
	}
	if route != nil {
		h.route = before(advance, r.register("route", false, func(ctx context.Context, args *pulumi.ResourceHookArgs) error {
			return route.BeforeRoute(ctx, components.ReadRouteChange(args).Reattached)
		}))
	}
	return h, r.err
}

// before binds hooks to run before a resource is created or updated, in this order.
func before(hooks ...*pulumi.ResourceHook) *pulumi.ResourceHookBinding {
	return &pulumi.ResourceHookBinding{BeforeCreate: hooks, BeforeUpdate: hooks}
}

// registrar registers hooks and keeps the first error.
type registrar struct {
	ctx *pulumi.Context
	err error
}

// register registers a hook; on preview it runs only when asked to.
func (r *registrar) register(name string, onPreview bool,
	run func(context.Context, *pulumi.ResourceHookArgs) error) *pulumi.ResourceHook {
	if r.err != nil {
		return nil
	}
	hook, err := r.ctx.RegisterResourceHook(name, func(args *pulumi.ResourceHookArgs) error {
		return run(r.ctx.Context(), args)
	}, &pulumi.ResourceHookOptions{OnDryRun: onPreview})
	if err != nil {
		r.err = fmt.Errorf("register hook %s: %w", name, err)
	}
	return hook
}
