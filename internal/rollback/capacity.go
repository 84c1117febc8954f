package rollback

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/vextrus/finance-rollout/internal/kube/podstate"
)

// Deployments scales the tracks.
type Deployments interface {
	// Growth is how far a Deployment is on its way to its pods; one that does not exist asks for none.
	Growth(ctx context.Context, namespace, deployment string) (podstate.Growth, error)
	// Scale sets the replicas of a Deployment; scaling to 0 what does not exist is no error.
	Scale(ctx context.Context, namespace, deployment string, replicas int) error
}

// Shares of failing requests that decide how a canary leaves.
const (
	// mild is the share below which a canary keeps serving until stable has all its pods.
	mild = 0.05
	// hopeless is the share from which on a canary's pods count as no capacity.
	hopeless = 0.5
	// dip is the part of the capacity that may be missing for some seconds while a canary between the two leaves.
	dip = 0.2
)

// least is the number of ready pods, of both tracks together, below which no pod of the canary leaves for as long as
// stable can be waited for: all pods of the plan for a canary that fails mildly, eight of ten for one that is bad or of
// whose failures nothing is known, and one for a canary that fails every other request.
func (o Options) least(capacity int) int {
	switch {
	case o.AtOnce:
		return 0
	case o.Failing >= hopeless:
		return min(1, capacity)
	case o.Failing > 0 && o.Failing < mild:
		return capacity
	default:
		return capacity - int(dip*float64(capacity))
	}
}

// Bounds of the waits for stable, which its probes set in between.
const (
	// startMargin is the time for scheduling a pod, pulling its image and starting its containers.
	startMargin   = 10 * time.Second
	leastPatience = 15 * time.Second
	mostPatience  = 2 * time.Minute
	leastRestore  = time.Minute
	mostRestore   = 6 * time.Minute
)

// patience is the longest time that pods of the canary stay in traffic for stable's sake: twice the time that the
// probes of stable need when all pass at once, and a margin for the start.
func (r *run) patience() time.Duration {
	return min(max(startMargin+2*r.stable.Soonest, leastPatience), mostPatience)
}

// restoreLimit is the longest time until all of stable's pods are ready, by its probes.
func (r *run) restoreLimit() time.Duration {
	return min(max(startMargin+r.stable.Latest, leastRestore), mostRestore)
}

// ask asks for stable's pods so that it can take all requests, and does not wait for them. It never shrinks stable: an
// autoscaler or an operator may have found that the plan is too small. A request that fails is repeated by the later
// steps, so that it is no failure yet.
func (r *run) ask(ctx context.Context) (string, error) {
	r.wanted = r.options.Capacity
	// Without an answer the plan counts: a stable track that stands by with one pod must grow in any case.
	if growth, err := r.look(ctx); err == nil {
		r.wanted = max(r.wanted, growth.Wanted)
	}
	if err := r.scaleStable(ctx); err != nil {
		return fmt.Sprintf("%s not asked for %d pods yet: %v", r.options.StableDeployment, r.wanted, err), nil
	}
	return fmt.Sprintf("%s asked for %d pods, %d are ready", r.options.StableDeployment, r.wanted, r.stable.Ready), nil
}

func (r *run) scaleStable(ctx context.Context) error {
	return r.cluster.Scale(ctx, r.options.Namespace, r.options.StableDeployment, r.wanted)
}

// look looks at stable and keeps what it sees.
func (r *run) look(ctx context.Context) (podstate.Growth, error) {
	growth, err := r.cluster.Growth(ctx, r.options.Namespace, r.options.StableDeployment)
	if err == nil {
		r.stable = growth
	}
	return growth, err
}

// mostUnseen is how often in a row a look at stable may fail before the canary leaves without it.
const mostUnseen = 4

// mayStay is the number of the canary's pods that may stay in traffic now, because stable does not have its pods yet.
// None may when the cluster refuses stable's pods twice in a row: the canary holds their room. Stable is asked again
// when somebody has undone the request.
func (r *run) mayStay(ctx context.Context) int {
	least := r.options.least(r.wanted)
	if least == 0 {
		return 0
	}
	growth, err := r.look(ctx)
	if r.unseen++; err == nil {
		r.unseen = 0
		if growth.Wanted < r.wanted && growth.Ready < least {
			err = r.scaleStable(ctx)
		}
		if r.refusals++; err == nil && growth.Refused == "" {
			r.refusals = 0
		}
	}
	if r.refusals >= mostRefusals || r.unseen >= mostUnseen {
		return 0
	}
	return max(0, least-r.stable.Ready)
}

// mostErrors is how often in a row stable may fail to be scaled before the wait ends: the caller tries again.
const mostErrors = 3

// restore waits until stable has all its pods and the canary has none. It asks for both again when an autoscaler, or an
// update that is under way, undoes them, and isolates again what such an update has made.
func (r *run) restore(ctx context.Context) (string, error) {
	pause, failures := shortestPause, 0
	for {
		lack, err := r.complete(ctx)
		if lack == nil && err == nil {
			return fmt.Sprintf("%s at %d pods", r.options.StableDeployment, r.wanted), nil
		}
		if failures++; err == nil {
			failures = 0
		}
		if failures >= mostErrors {
			return "", errors.Join(append(lack, err)...)
		}
		if !sleep(ctx, pause) {
			return "", errors.Join(append(lack, err, context.Cause(ctx))...)
		}
		pause = min(2*pause, longestPause)
	}
}

// complete makes one round of the wait. It returns what is still to come, and the error of the calls.
func (r *run) complete(ctx context.Context) (lack []error, err error) {
	this := r.takeOut(ctx, 0)
	if len(this.left) > 0 {
		lack = append(lack, fmt.Errorf("endpoints left: %s", strings.Join(this.left, ", ")))
	}
	canary, canaryErr := r.cluster.Growth(ctx, r.options.Namespace, r.options.Deployment)
	if canaryErr == nil && canary.Wanted > 0 {
		lack = append(lack, fmt.Errorf("%s asks for %d pods", r.options.Deployment, canary.Wanted))
		_, canaryErr = r.removeNow(ctx)
	}
	stable, stableErr := r.look(ctx)
	if stableErr == nil && stable.Wanted < r.wanted {
		lack = append(lack, fmt.Errorf("%s asks for %d pods, not for %d", r.options.StableDeployment, stable.Wanted,
			r.wanted))
		stableErr = r.scaleStable(ctx)
	} else if stableErr == nil && stable.Ready < r.wanted {
		text := fmt.Sprintf("%s has %d of %d pods ready", r.options.StableDeployment, stable.Ready, r.wanted)
		if stable.Refused != "" {
			text += ": " + stable.Refused
		}
		lack = append(lack, errors.New(text))
	}
	return lack, errors.Join(this.lookErr, canaryErr, stableErr)
}
