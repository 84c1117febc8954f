package main

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"sync"
	"time"

	"github.com/vextrus/finance-rollout/internal/names"
	"github.com/vextrus/finance-rollout/internal/settings"
)

// routes is what the program needs of the cluster where a route of the Gateway API splits the requests.
type routes interface {
	// Listeners names the listeners of a Gateway. The second result is false when it does not exist.
	Listeners(ctx context.Context, namespace, gateway string) ([]string, bool, error)
	// RouteWeights gives the weights of a route's backends by the names of their Services; nil when there is no such
	// route.
	RouteWeights(ctx context.Context, namespace, route string) (map[string]int, error)
	// SetRouteWeights changes the weights of a route and nothing else of it.
	SetRouteWeights(ctx context.Context, namespace, route string, weights map[string]int) error
	// WaitRoute waits until the Gateway has accepted the route with these weights.
	WaitRoute(ctx context.Context, namespace, route string, weights map[string]int) error
	// WaitDeploymentRuns waits until the Deployment has that many ready pods with an image of that digest, and no others.
	WaitDeploymentRuns(ctx context.Context, namespace, deployment, digest string, replicas int) error
}

// router moves the requests by the weights of the route. It does so before the resources that need it are updated,
// and not by the update of the route itself: the route depends on the tracks, so that its update comes after theirs,
// but a track may lose pods only when its lower weight is in force. A shift that the Gateway does not accept is taken
// back, and the step that asked for it fails, so that the stack's state and the cluster both keep the weights of
// before.
type router struct {
	settings *settings.Settings
	cluster  cluster
	shift    *shift
	// tracks are the tracks as they shall be, by the names of their Services.
	tracks map[string]other

	once   sync.Once
	result error

	mu sync.Mutex
	// before are the weights that the requests had when this run first looked; nil until then.
	before map[string]int
}

// target are the weights that the plan asks for.
func (r *router) target() map[string]int {
	return names.TrackWeights(r.settings.ServiceName, r.settings.Position().Weight)
}

// out are the weights without any requests for the canary.
func (r *router) out() map[string]int { return names.TrackWeights(r.settings.ServiceName, 0) }

// shiftOnce makes the shift of this run, whichever hook asks first.
func (r *router) shiftOnce(ctx context.Context) error {
	r.once.Do(func() { r.result = r.bring(ctx) })
	return r.result
}

// bring makes the weights of the plan those that are in force: it waits for the track that gets more requests,
// changes the weights and waits until the Gateway has accepted them. What does not come about in time is taken back,
// and so is what somebody else has overtaken meanwhile. Where there is no route yet, there is nothing to do. It may
// be called again.
func (r *router) bring(ctx context.Context) error {
	live, err := r.live(ctx)
	if err != nil || live == nil {
		return err
	}
	target := r.target()
	if err := r.awaitRising(ctx, live, target); err != nil {
		return fmt.Errorf("the route keeps its weights: %w", err)
	}
	// Asked before and after: a rollback notes its intent first and changes the weights then, so that whichever of the
	// two comes last, it is seen.
	if err := r.mayRise(ctx); err != nil {
		return r.takeBack(ctx, err)
	}
	if err := r.apply(ctx, target); err != nil {
		return r.takeBack(ctx, err)
	}
	if err := r.mayRise(ctx); err != nil {
		return r.takeBack(ctx, err)
	}
	return nil
}

// settled waits until every track that gets requests is ready for them, and the weights are in force. It is for when
// all resources are updated: before, a track may itself wait for the shift.
func (r *router) settled(ctx context.Context) error {
	if err := r.awaitRising(ctx, nil, r.target()); err != nil {
		return err
	}
	return r.bring(ctx)
}

// mayRise says no when the canary is to get requests and somebody else has moved the rollout or rolled it back.
func (r *router) mayRise(ctx context.Context) error {
	if r.settings.Position().Weight == 0 {
		return nil
	}
	return r.shift.goesOn(ctx)
}

// live are the weights in the cluster; nil when there is no route.
func (r *router) live(ctx context.Context) (map[string]int, error) {
	live, err := r.cluster.RouteWeights(ctx, r.settings.Namespace, r.settings.ServiceName)
	if err == nil && live != nil {
		r.remember(live)
	}
	return live, err
}

func (r *router) remember(weights map[string]int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.before == nil {
		r.before = maps.Clone(weights)
	}
}

// awaitRising waits until every track that gets a greater share is ready for it. A track whose share falls or stays
// takes its requests already, and may itself wait for this shift.
func (r *router) awaitRising(ctx context.Context, live, target map[string]int) error {
	ctx, cancel := context.WithTimeout(ctx, time.Duration(r.settings.ProgressLimit))
	defer cancel()
	for _, track := range []string{names.Stable, names.Canary} {
		service := names.TrackService(r.settings.ServiceName, track)
		if target[service] <= live[service] {
			continue
		}
		if err := r.awaitTrack(ctx, track, service); err != nil {
			return fmt.Errorf("%s is not ready for %d %% of the requests: %w", r.tracks[service].deployment, target[service],
				err)
		}
	}
	return nil
}

func (r *router) awaitTrack(ctx context.Context, track, service string) error {
	digest, err := r.shift.digest(ctx, track)
	if err != nil {
		return err
	}
	pods := r.tracks[service]
	if err := r.cluster.WaitDeploymentRuns(ctx, r.settings.Namespace, pods.deployment, digest, pods.replicas); err != nil {
		return err
	}
	return r.cluster.WaitEndpoints(ctx, r.settings.Namespace, service, pods.labels, pods.replicas)
}

// apply changes the weights and waits until they are accepted.
func (r *router) apply(ctx context.Context, weights map[string]int) error {
	ctx, cancel := context.WithTimeout(ctx, time.Duration(r.settings.Gateway.Timeout))
	defer cancel()
	if err := r.cluster.SetRouteWeights(ctx, r.settings.Namespace, r.settings.ServiceName, weights); err != nil {
		return err
	}
	return r.cluster.WaitRoute(ctx, r.settings.Namespace, r.settings.ServiceName, weights)
}

// takeBack brings the weights of before back after a shift that failed, even when the context is done; those of
// whoever has moved the rollout meanwhile, when they give the canary less.
func (r *router) takeBack(ctx context.Context, failed error) error {
	r.mu.Lock()
	to := maps.Clone(r.before)
	r.mu.Unlock()
	canary := names.TrackService(r.settings.ServiceName, names.Canary)
	if moved, ok := errors.AsType[*overtakenError](failed); ok && moved.by.To < to[canary] {
		to = names.TrackWeights(r.settings.ServiceName, moved.by.To)
	}
	if maps.Equal(to, r.target()) {
		return fmt.Errorf("the route has the weights of before: %w", failed)
	}
	if err := r.apply(context.WithoutCancel(ctx), to); err != nil {
		return errors.Join(failed, fmt.Errorf("set back to %d %% for the canary, which was not accepted either: %w",
			to[canary], err))
	}
	return fmt.Errorf("the route is at %d %% for the canary: %w", to[canary], failed)
}

// beforeRoute is what must be so before the provider makes or changes the route: the weights are in force, so that it
// only notes them. A route that is new, or that is attached elsewhere by this change, has no Gateway yet that could
// accept them; it needs tracks that are ready, and if a new one is not accepted, the canary is to get nothing by it.
func (r *router) beforeRoute(ctx context.Context, elsewhere bool) error {
	live, err := r.live(ctx)
	if err != nil {
		return err
	}
	if live != nil && !elsewhere {
		return r.shiftOnce(ctx)
	}
	r.remember(r.out())
	return r.awaitRising(ctx, live, r.target())
}

// beforeShrink is what must be so before a track loses pods: if its share of the requests falls too, the lower one
// must be in force. A track whose share rises needs no fewer pods later than now, and the shift waits for it. The
// result is false when there is no route yet, so that the requests come another way.
func (r *router) beforeShrink(ctx context.Context, track string) (routed bool, err error) {
	live, err := r.live(ctx)
	if err != nil || live == nil {
		return false, err
	}
	service := names.TrackService(r.settings.ServiceName, track)
	if r.target()[service] >= live[service] {
		return true, nil
	}
	return true, r.shiftOnce(ctx)
}
