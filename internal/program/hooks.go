package program

import (
	"context"
	"fmt"
	"sync/atomic"

	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"github.com/vextrus/finance-rollout/components"
	"github.com/vextrus/finance-rollout/internal/names"
	"github.com/vextrus/finance-rollout/internal/shift"
)

// hooks are the resource hooks of the stack, by the resource that they stand in front of. Each reads the change that
// its component describes and calls a plain function; none decides.
type hooks struct {
	stable, canary, single, service, singleService, route, record *pulumi.ResourceHookBinding
	// guardConfig is for the guard's configuration, which the ledger names before the guard gets it.
	guardConfig *pulumi.ResourceHookBinding
	// watch is for what watches the canary: the guard, the scrape, the rules and the dashboard. A move that is refused
	// leaves a canary in traffic watched as it was.
	watch *pulumi.ResourceHookBinding
	// errand is for what an update does in the ledger before it changes anything.
	errand *pulumi.ResourceHookBinding
	// kept is for what this update keeps without knowing its content.
	kept *pulumi.ResourceHookBinding
	// ran is true once the engine has called one of them.
	ran *atomic.Bool
}

// newHooks registers the hooks of a move and its route; nil where the pods alone split the requests.
//
// The advance gate stands first, in front of everything that moves requests. It runs on preview too, so that a pull
// request shows the answer that an update would get.
func newHooks(ctx *pulumi.Context, of scope, move *shift.Shift, route *shift.Route) (*hooks, error) {
	r := registrar{ctx: ctx, scope: of, ran: &atomic.Bool{}}
	capacity, gate := shift.NewCapacity(move, route), shift.NewGate(move, route)
	advance := r.register("advance", true, func(ctx context.Context, _ *pulumi.ResourceHookArgs) error {
		return move.Judge(ctx)
	})
	configured := r.register("guard-configuration", false,
		func(ctx context.Context, args *pulumi.ResourceHookArgs) error {
			return move.NoteGuard(ctx, components.ReadGuardChange(args, names.GuardKey).Configuration)
		})
	track := func(name string) *pulumi.ResourceHookBinding {
		hook := r.register("capacity-"+name, false, func(ctx context.Context, args *pulumi.ResourceHookArgs) error {
			return capacity.BeforeTrack(ctx, name, shift.TrackChange(components.ReadTrackChange(args)))
		})
		return &pulumi.ResourceHookBinding{
			BeforeCreate: []*pulumi.ResourceHook{advance}, BeforeUpdate: []*pulumi.ResourceHook{advance, hook},
		}
	}
	// What the state does not hold cannot be kept by it.
	lost := r.register("kept", true, func(ctx context.Context, args *pulumi.ResourceHookArgs) error {
		return move.BeforeKeptCreated(ctx, args.Name)
	})
	frozen := r.register("frozen", true, func(ctx context.Context, _ *pulumi.ResourceHookArgs) error {
		return move.BeforeStableCreated(ctx)
	})
	imported := r.register("imported", true, func(ctx context.Context, args *pulumi.ResourceHookArgs) error {
		return move.BeforeStableUpdated(ctx, shift.TrackChange(components.ReadTrackChange(args)))
	})
	selection := r.register("selection", false, func(ctx context.Context, args *pulumi.ResourceHookArgs) error {
		change := components.ReadSelectionChange(args)
		return capacity.BeforeSelection(ctx, change.TrackBefore, change.TrackAfter)
	})
	takeover := r.register("takeover", false, func(ctx context.Context, _ *pulumi.ResourceHookArgs) error {
		return capacity.BeforeService(ctx)
	})
	verify := r.register("verify", false, func(ctx context.Context, args *pulumi.ResourceHookArgs) error {
		return gate.Pass(ctx, components.ReadRecordChange(args).Image)
	})
	express := r.register("express", false, func(ctx context.Context, _ *pulumi.ResourceHookArgs) error {
		return gate.PassExpress(ctx)
	})
	h := &hooks{
		guardConfig: before(advance, configured),
		stable:      track(names.Stable), canary: track(names.Canary), single: before(advance),
		service: &pulumi.ResourceHookBinding{
			BeforeCreate: []*pulumi.ResourceHook{advance, takeover}, BeforeUpdate: []*pulumi.ResourceHook{advance, selection},
		},
		singleService: &pulumi.ResourceHookBinding{BeforeCreate: []*pulumi.ResourceHook{takeover}},
		record:        before(verify), watch: before(advance),
		ran: r.ran,
	}
	h.errand = before(r.register("errand", false, func(ctx context.Context, _ *pulumi.ResourceHookArgs) error {
		return move.RunErrand(ctx)
	}))
	h.kept = &pulumi.ResourceHookBinding{BeforeCreate: []*pulumi.ResourceHook{lost}}
	h.stable.BeforeCreate = append(h.stable.BeforeCreate, frozen, express)
	h.stable.BeforeUpdate = append(h.stable.BeforeUpdate, imported, express)
	if route != nil {
		h.route = before(advance, r.register("route", false, func(ctx context.Context, args *pulumi.ResourceHookArgs) error {
			return route.BeforeRoute(ctx, components.ReadRouteChange(args).Reattached)
		}))
		h.route.BeforeUpdate = append(h.route.BeforeUpdate, r.register("rules", true,
			func(_ context.Context, args *pulumi.ResourceHookArgs) error {
				return route.ExplainRules(components.ReadRouteChange(args).Rules)
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
	ctx   *pulumi.Context
	scope scope
	ran   *atomic.Bool
	err   error
}

// register registers a hook; on preview it runs only when asked to. Hooks of two rollouts in one stack have names of
// their own.
func (r *registrar) register(name string, onPreview bool,
	run func(context.Context, *pulumi.ResourceHookArgs) error) *pulumi.ResourceHook {
	if r.err != nil {
		return nil
	}
	hook, err := r.ctx.RegisterResourceHook(r.scope.resource(name), func(args *pulumi.ResourceHookArgs) error {
		r.ran.Store(true)
		return r.scope.explain(run(r.ctx.Context(), args))
	}, &pulumi.ResourceHookOptions{OnDryRun: onPreview})
	if err != nil {
		r.err = fmt.Errorf("register hook %s: %w", name, err)
	}
	return hook
}
