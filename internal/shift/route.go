package shift

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"sync"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"github.com/vextrus/finance-rollout/internal/names"
	"github.com/vextrus/finance-rollout/internal/settings"
)

// Route moves the requests by the weights of the route. It does so before the resources that need it are updated, and
// not by the update of the route itself: the route depends on the tracks, so that its update comes after theirs, but
// a track may lose pods only when its lower weight is in force. A shift that the Gateway does not accept is taken
// back unless it gave the canary less, and the step that asked for it fails, so that the stack's state keeps the
// weights of before and the next update shifts again.
type Route struct {
	shift    *Shift
	settings *settings.Settings
	cluster  Cluster
	// tracks are the tracks at their target, by the names of their Services.
	tracks map[string]Track

	once   sync.Once
	result error

	mu sync.Mutex
	// before are the weights that the requests had when this update first looked; nil until then.
	before map[string]int
	// whole is true while a rule of somebody else's route leads to the Service and not to the tracks.
	whole bool
	// unaccepted is why a lower weight is not known to be in force: no track may lose pods for it.
	unaccepted error
}

// NewRoute takes the move that the route belongs to.
func NewRoute(shift *Shift) *Route {
	s := shift.rollout.Settings
	return &Route{shift: shift, settings: s, cluster: shift.cluster, tracks: map[string]Track{
		names.TrackService(s.ServiceName, names.Stable): StableTrack(s),
		names.TrackService(s.ServiceName, names.Canary): CanaryTrack(s),
	}}
}

// HasRoute is true where a route moves requests to the tracks: where traffic is gateway, and until the end of the
// first update after it was, which removes the route. An operator who may not look at routes has none. The cluster
// serves routes when its Gateway API has the kind HTTPRoute.
func HasRoute(ctx context.Context, s *settings.Settings, cluster Routes, served bool) (bool, error) {
	if s.IsGateway() || s.IsSingle() || !served {
		return s.IsGateway(), nil
	}
	live, err := cluster.RouteWeights(ctx, s.Namespace, s.RouteName())
	if apierrors.IsForbidden(err) {
		return false, nil
	}
	_, ours := live[names.TrackService(s.ServiceName, names.Canary)]
	return ours, err
}

// BeforeRoute runs before the provider makes or changes the route: the weights are in force, so that the provider
// only notes them. A route that is new, or that this change attaches elsewhere, has no Gateway yet that could accept
// them; it needs tracks that are ready, and if a new one is not accepted, the canary gets nothing by it.
func (r *Route) BeforeRoute(ctx context.Context, reattached bool) error {
	live, err := r.live(ctx)
	if err != nil {
		return err
	}
	if live != nil && !reattached {
		return r.shiftOnce(ctx)
	}
	r.remember(names.TrackWeights(r.settings.ServiceName, 0))
	return r.awaitRising(ctx, live)
}

// ExplainRules says that changed rules are for both tracks at once: a rule of the Gateway API is for all of its
// backends, so that nothing can be tried on the canary's alone.
func (r *Route) ExplainRules(changes string) error {
	if changes == "" {
		return nil
	}
	return r.shift.log.Info(fmt.Sprintf("the route's rules change for both tracks at once, stable's requests included, "+
		"because a rule of the Gateway API is for all of its backends: %s. Setting gateway.rules back and `pulumi up -s %s` "+
		"takes them back", changes, r.settings.StackName()))
}

// beforeShrink runs before a track loses pods: if its share of the requests falls too, the lower one must be in
// force. A track whose share rises needs no fewer pods later than now, and the shift waits for it. The result is
// false when there is no route yet, so that the requests come another way.
func (r *Route) beforeShrink(ctx context.Context, track string) (routed bool, err error) {
	live, err := r.live(ctx)
	if err != nil || live == nil {
		return false, err
	}
	r.mu.Lock()
	unaccepted := r.unaccepted
	r.mu.Unlock()
	if unaccepted != nil {
		return true, unaccepted
	}
	service := names.TrackService(r.settings.ServiceName, track)
	if r.target()[service] >= live[service] {
		return true, nil
	}
	return true, r.shiftOnce(ctx)
}

// settle waits until every track that gets requests is ready for them and the weights are in force. It is for the
// end, when all resources are updated: before, a track may itself wait for the shift.
func (r *Route) settle(ctx context.Context) error {
	if err := r.awaitRising(ctx, nil); err != nil {
		return err
	}
	return r.move(ctx)
}

// shiftOnce makes the shift of this update, once for all hooks.
func (r *Route) shiftOnce(ctx context.Context) error {
	r.once.Do(func() { r.result = r.move(ctx) })
	return r.result
}

// step is a step of a shift. Undo says how a failure leaves the route.
type step struct {
	do   func(context.Context) error
	undo func(context.Context, error) error
}

// move puts the weights of the plan in force. Without a route it does nothing. It may be called again.
func (r *Route) move(ctx context.Context) error {
	live, err := r.live(ctx)
	if err == nil && live == nil && r.settings.Gateway.Route != "" {
		err = fmt.Errorf("%s is gone from namespace %s: no request comes by it", r.settings.RouteName(), r.settings.Namespace)
	}
	if err != nil || live == nil {
		return err
	}
	if r.isWhole() {
		// Neither track need have got a request by its own Service yet.
		live = nil
	}
	awaitRising := step{func(ctx context.Context) error { return r.awaitRising(ctx, live) }, keepWeights}
	confirm := step{r.confirm, r.takeBack}
	apply := step{func(ctx context.Context) error { return r.apply(ctx, r.target()) }, r.takeBack}
	// Confirmed before and after: a rollback notes its intent first and changes the weights then, so that it is seen
	// whichever of the two comes last.
	for _, step := range []step{awaitRising, confirm, apply, confirm} {
		if err := step.do(ctx); err != nil {
			return step.undo(ctx, err)
		}
	}
	return nil
}

// keepWeights is for a failure before anything has changed.
func keepWeights(_ context.Context, failed error) error {
	return fmt.Errorf("the route keeps its weights: %w", failed)
}

// confirm is an error when the canary is to get requests and somebody else has moved the rollout or rolled it back.
func (r *Route) confirm(ctx context.Context) error {
	if r.settings.Position().Weight == 0 {
		return nil
	}
	return r.shift.mayContinue(ctx)
}

// target are the weights that the plan asks for.
func (r *Route) target() map[string]int {
	return names.TrackWeights(r.settings.ServiceName, r.settings.Position().Weight)
}

// live are the weights in the cluster; nil when there is no route. A route of somebody else that leads to the Service
// gives all requests to stable, which is what the Service selects.
func (r *Route) live(ctx context.Context) (map[string]int, error) {
	live, err := r.cluster.RouteWeights(ctx, r.settings.Namespace, r.settings.RouteName())
	if err != nil || live == nil {
		return nil, err
	}
	_, split := live[names.TrackService(r.settings.ServiceName, names.Stable)]
	_, whole := live[r.settings.ServiceName]
	r.mu.Lock()
	r.whole = whole
	r.mu.Unlock()
	if whole && !split {
		live = names.TrackWeights(r.settings.ServiceName, 0)
	}
	r.remember(live)
	return live, nil
}

func (r *Route) isWhole() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.whole
}

func (r *Route) remember(weights map[string]int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.before == nil {
		r.before = maps.Clone(weights)
	}
}

// awaitRising waits until every track that gets a greater share is ready for it. A track whose share falls or stays
// takes its requests already, and may itself wait for this shift.
func (r *Route) awaitRising(ctx context.Context, live map[string]int) error {
	ctx, cancel := context.WithTimeout(ctx, time.Duration(r.settings.ProgressLimit))
	defer cancel()
	target := r.target()
	for _, track := range []string{names.Stable, names.Canary} {
		service := names.TrackService(r.settings.ServiceName, track)
		if target[service] <= live[service] {
			continue
		}
		if err := r.awaitTrack(ctx, track, service); err != nil {
			return fmt.Errorf("%s is not ready for %d %% of the requests: %w", r.tracks[service].Deployment, target[service],
				err)
		}
	}
	return nil
}

func (r *Route) awaitTrack(ctx context.Context, track, service string) error {
	digest, err := r.shift.digest(ctx, track)
	if err != nil {
		return err
	}
	pods := r.tracks[service]
	err = r.cluster.WaitDeploymentRuns(ctx, r.settings.Namespace, pods.Deployment, digest, pods.Replicas)
	if err != nil {
		return err
	}
	return r.cluster.WaitEndpoints(ctx, r.settings.Namespace, service, pods.Labels, pods.Replicas)
}

// apply changes the weights and waits until they are accepted.
func (r *Route) apply(ctx context.Context, weights map[string]int) error {
	ctx, cancel := context.WithTimeout(ctx, time.Duration(r.settings.Gateway.Timeout))
	defer cancel()
	namespace, route := r.settings.Namespace, r.settings.RouteName()
	if r.isWhole() {
		if err := r.cluster.SplitRoute(ctx, namespace, route, r.settings.ServiceName, weights); err != nil {
			return err
		}
	}
	if err := r.cluster.SetRouteWeights(ctx, namespace, route, weights); err != nil {
		return err
	}
	return r.cluster.WaitRoute(ctx, namespace, route, weights)
}

// takeBack restores the weights of before after a shift that failed, even when the context is done. It never raises the
// canary's weight: on the way down, and where a rollback or a later move gave it less in the meantime, the lower weight
// stays.
func (r *Route) takeBack(ctx context.Context, failed error) error {
	ctx = context.WithoutCancel(ctx)
	r.mu.Lock()
	to := maps.Clone(r.before)
	r.mu.Unlock()
	canary := names.TrackService(r.settings.ServiceName, names.Canary)
	before := to[canary]
	if moved, ok := errors.AsType[*OvertakenError](failed); ok && moved.By.To < to[canary] {
		to = names.TrackWeights(r.settings.ServiceName, moved.By.To)
	}
	live, err := r.live(ctx)
	if err != nil || live == nil {
		live = r.target()
	}
	if live[canary] < to[canary] {
		to = live
	}
	switch {
	case maps.Equal(to, r.target()) && to[canary] == before:
		return fmt.Errorf("the route has the weights of before: %w", failed)
	case maps.Equal(to, live) && to[canary] < before:
		r.mu.Lock()
		defer r.mu.Unlock()
		r.unaccepted = fmt.Errorf("the route stays at %d %% for the canary, because a lower weight is not raised again; the "+
			"next update waits for its Gateway: %w", to[canary], failed)
		return r.unaccepted
	}
	if err := r.apply(ctx, to); err != nil {
		return errors.Join(failed,
			fmt.Errorf("set back to %d %% for the canary, which was not accepted either: %w", to[canary], err))
	}
	return fmt.Errorf("the route is at %d %% for the canary: %w", to[canary], failed)
}
