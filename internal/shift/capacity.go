package shift

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/vextrus/finance-rollout/internal/names"
	"github.com/vextrus/finance-rollout/internal/settings"
	"github.com/vextrus/finance-rollout/internal/takeover"
)

// TrackChange is what an update is about to change of a track's Deployment or autoscaler.
type TrackChange struct {
	// Resource is the name of the resource in the stack, Deployment that of the object in the cluster.
	Resource, Deployment string
	// PodsBefore and PodsAfter are the replicas of a Deployment or the least of an autoscaler; 0 when they are not known.
	PodsBefore, PodsAfter int
	// ChecksumBefore and ChecksumAfter cover the secrets and the configuration of the pods; empty when they are not known.
	ChecksumBefore, ChecksumAfter string
	// OfPods is true for a change of the Deployment, and Identity is what its pods are made of after it; empty when they
	// do not say.
	OfPods   bool
	Identity string
}

// Capacity keeps the pods that take requests at the plan's number in every moment of a move, in either direction:
// what is about to lose pods waits until others have taken over. A wait that fails leaves the resource as it is and
// fails the update with its reason.
type Capacity struct {
	shift          *Shift
	route          *Route
	settings       *settings.Settings
	cluster        Cluster
	stable, canary Track
}

// NewCapacity takes the move and its route; nil where the pods alone split the requests.
func NewCapacity(shift *Shift, route *Route) *Capacity {
	s := shift.rollout.Settings
	return &Capacity{
		shift: shift, route: route, settings: s, cluster: shift.cluster, stable: StableTrack(s), canary: CanaryTrack(s),
	}
}

// BeforeTrack runs before the Deployment or the autoscaler of a track changes.
func (c *Capacity) BeforeTrack(ctx context.Context, track string, change TrackChange) error {
	if track == names.Canary {
		return c.beforeShrink(ctx, track, change, c.stable)
	}
	if err := c.beforeRoll(ctx, change); err != nil {
		return err
	}
	return c.beforeShrink(ctx, track, change, c.canary)
}

// beforeRoll stands in front of the stable track when a changed secret or configuration replaces its pods: the canary's
// are replaced first, so that a value that a pod cannot start with stops at the few of them. A stable track that grows
// does not wait, because the canary that shrinks then waits for it.
func (c *Capacity) beforeRoll(ctx context.Context, change TrackChange) error {
	before, after := change.ChecksumBefore, change.ChecksumAfter
	if before == "" || after == "" || before == after || c.canary.Replicas == 0 || change.PodsAfter > change.PodsBefore {
		return nil
	}
	ctx, cancel := c.limited(ctx)
	defer cancel()
	err := c.cluster.WaitDeploymentAnnotated(ctx, c.settings.Namespace, c.canary.Deployment, names.Checksum, after,
		c.canary.Replicas)
	if err != nil {
		return fmt.Errorf("%s keeps its pods, because the canary is not ready with the changed secrets or configuration: %w",
			change.Resource, err)
	}
	return nil
}

// beforeShrink waits when the track is about to have fewer pods. The pods in the cluster count: after a rollback they
// are not those of the stack's state.
func (c *Capacity) beforeShrink(ctx context.Context, track string, change TrackChange, successor Track) error {
	live, err := c.cluster.Replicas(ctx, c.settings.Namespace, change.Deployment)
	if err != nil {
		return err
	}
	before := max(change.PodsBefore, live)
	if change.PodsAfter >= before {
		return nil
	}
	byRoute := false
	if c.route != nil {
		byRoute, err = c.route.beforeShrink(ctx, track)
	}
	// Without a route, or where it is about to go, the requests come through the Service.
	if err == nil && (!byRoute || !c.settings.IsGateway()) {
		err = c.awaitSuccessor(ctx, successor)
	}
	if err == nil {
		err = c.shift.Latest(ctx)
	}
	if err != nil {
		return fmt.Errorf("%s stays at %d pods, because %w", change.Resource, before, err)
	}
	return nil
}

// awaitSuccessor waits until the track is ready at its target size and has its place among the Service's endpoints.
// Both tracks are updated at the same time, therefore the wait ends.
func (c *Capacity) awaitSuccessor(ctx context.Context, successor Track) error {
	if successor.Replicas == 0 {
		return nil
	}
	ctx, cancel := c.limited(ctx)
	defer cancel()
	err := c.awaitRelease(ctx, successor)
	if err == nil {
		err = c.cluster.WaitEndpoints(ctx, c.settings.Namespace, c.settings.ServiceName, successor.Labels,
			successor.Replicas)
	}
	if err != nil {
		return fmt.Errorf("%s is not ready to take over: %w", successor.Deployment, err)
	}
	return nil
}

// awaitRelease waits until the track is ready with the identity that this update gives it: requests never move to pods
// that are made of something else than the ledger says.
func (c *Capacity) awaitRelease(ctx context.Context, track Track) error {
	made, err := c.shift.identityOf(ctx, track)
	if err != nil {
		return err
	}
	if made == "" {
		return c.cluster.WaitDeploymentReady(ctx, c.settings.Namespace, track.Deployment, track.Replicas)
	}
	return c.cluster.WaitDeploymentAnnotated(ctx, c.settings.Namespace, track.Deployment, names.Identity, made,
		track.Replicas)
}

// BeforeSelection runs before the Service selects another track: that one must be ready at its target size. The
// tracks are those that the selector names, empty for both.
func (c *Capacity) BeforeSelection(ctx context.Context, trackBefore, trackAfter string) error {
	takes := c.stable
	if c.settings.Position().Warm && !c.settings.IsGateway() {
		takes = c.canary
	}
	if trackBefore == trackAfter || takes.Replicas == 0 {
		return nil
	}
	ctx, cancel := c.limited(ctx)
	defer cancel()
	err := c.awaitRelease(ctx, takes)
	if err != nil {
		return fmt.Errorf("service %s keeps its selector, because %s is not ready to take requests: %w",
			c.settings.ServiceName, takes.Deployment, err)
	}
	if err := c.shift.Latest(ctx); err != nil {
		return fmt.Errorf("service %s keeps its selector: %w", c.settings.ServiceName, err)
	}
	return nil
}

// BeforeService runs before the provider makes the Service. One that exists and leads to the pods of somebody else
// keeps them until those of the rollout are ready: the provider writes the selector at once, and none of them may be
// yet.
func (c *Capacity) BeforeService(ctx context.Context) error {
	namespace, service := c.settings.Namespace, c.settings.ServiceName
	selector, exists, err := c.cluster.ServiceSelector(ctx, namespace, service)
	if err != nil || !exists || takeover.SelectsTracks(selector, c.settings.App) {
		return err
	}
	ctx, cancel := c.limited(ctx)
	defer cancel()
	for _, track := range c.entering() {
		if err := c.cluster.WaitDeploymentReady(ctx, namespace, track.Deployment, track.Replicas); err != nil {
			return fmt.Errorf("service %s keeps leading to its present pods, because %s is not ready to take over: %w",
				service, track.Deployment, err)
		}
	}
	return c.shift.Latest(ctx)
}

// entering are the tracks that get requests when the Service is made.
func (c *Capacity) entering() []Track {
	stable := c.stable
	if c.settings.IsSingle() {
		stable.Deployment = c.settings.ServiceName
	}
	entering := []Track{stable, c.canary}
	switch SelectedTrack(c.settings) {
	case names.Stable:
		entering = entering[:1]
	case names.Canary:
		entering = entering[1:]
	}
	return slices.DeleteFunc(entering, func(track Track) bool { return track.Replicas == 0 })
}

// SettleSelection lets the Service select what the position says, whatever has changed its selector: a rollback opens
// a Service to both tracks behind the back of the stack's state, and the update that enters again changes nothing of
// it. A rollback in the meantime is not overruled: it notes its intent before it opens the Service, so that it is seen
// afterwards if not before.
func (c *Capacity) SettleSelection(ctx context.Context) error {
	namespace, service, track := c.settings.Namespace, c.settings.ServiceName, SelectedTrack(c.settings)
	selector, exists, err := c.cluster.ServiceSelector(ctx, namespace, service)
	if err != nil || !exists || selector[names.Track] == track {
		return err
	}
	if err := c.BeforeSelection(ctx, selector[names.Track], track); err != nil {
		return err
	}
	if err := c.cluster.SelectPods(ctx, namespace, service, names.Track, track); err != nil {
		return err
	}
	if track != names.Canary {
		return nil
	}
	if err := c.shift.mayContinue(ctx); err != nil {
		return errors.Join(err, c.cluster.SelectPods(context.WithoutCancel(ctx), namespace, service, names.Track, ""))
	}
	return nil
}

// limited bounds a wait by the stack's progress limit.
func (c *Capacity) limited(ctx context.Context) (context.Context, context.CancelFunc) {
	return context.WithTimeout(ctx, time.Duration(c.settings.ProgressLimit))
}
