package rollback

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
)

// Pauses between two rounds of the isolation: the first one is short, because an EndpointSlice follows a label within
// a tenth of a second, and they double so that a slow API server is not flooded.
const (
	shortestPause = 100 * time.Millisecond
	longestPause  = 2 * time.Second
	// lookPause is the time between two looks at stable while pods of the canary stay for its sake.
	lookPause = 500 * time.Millisecond
	// settlePause is the time from a change of the endpoints to the next look: changes come together.
	settlePause = 50 * time.Millisecond
	// mostRefusals is how often in a row a label must be refused before the pods are removed instead: once may be chance.
	mostRefusals = 2
)

// isolate takes the canary's pods out of the Service, as many at a time as stable has taken over for, and repeats until
// none of them is among its endpoints: the next round catches a pod that was created meanwhile. Pods that cannot be
// isolated are removed at once, although their logs may go with them: customers come before evidence.
func (r *run) isolate(ctx context.Context) (string, error) {
	patient, cancel := context.WithTimeout(ctx, r.patience())
	defer cancel()
	watching, stop := context.WithCancel(ctx)
	defer stop()
	changed := r.changes(watching)
	pods, refused, pause := map[string]bool{}, 0, shortestPause
	var refusal error
	for {
		stays := 0
		if patient.Err() == nil {
			stays = r.mayStay(ctx)
		}
		round := r.takeOut(ctx, stays)
		for _, pod := range round.isolated {
			pods[pod] = true
		}
		if refused++; round.labelErr == nil {
			refused = 0
		}
		if refused >= mostRefusals && r.removed == "" {
			refusal = round.labelErr
			r.hastenAll(ctx)
			_, _ = r.removeNow(ctx) // the next round, or the step of its own, tries again
		}
		switch {
		case round.lookErr == nil && stays == 0 && len(round.left) == 0 && (round.labelErr == nil || r.removed != ""):
			return r.isolated(len(pods), refusal), nil
		case stays > 0 && round.labelErr == nil:
			pause = lookPause
		default:
			pause = min(2*pause, longestPause)
		}
		if !sleepUntil(ctx, pause, changed) {
			failed := fmt.Errorf("endpoints left: %s: %w", strings.Join(round.left, ", "),
				errors.Join(round.labelErr, round.lookErr, context.Cause(ctx)))
			return fmt.Sprintf("%d pods", len(pods)), errors.Join(failed, r.removeAnyway(ctx))
		}
	}
}

// isolated is the isolation in words.
func (r *run) isolated(pods int, labelErr error) string {
	if labelErr != nil && r.removed != "" {
		return fmt.Sprintf("%s, because its pods could not be isolated; no endpoint is left: %v", r.removed, labelErr)
	}
	text := fmt.Sprintf("%d pods, no endpoint is left", pods)
	if r.refusals > 0 && r.stable.Refused != "" {
		text += "; stable gets no more pods while they are there: " + r.stable.Refused
	}
	return text
}

// removeAnyway removes the pods that the isolation left in traffic, within the limit of a removal.
func (r *run) removeAnyway(ctx context.Context) error {
	if r.removed != "" {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), removeLimit)
	defer cancel()
	r.hastenAll(ctx)
	_, err := r.removeNow(ctx)
	return err
}

// round is one round of the isolation.
type round struct {
	// isolated are the pods that this round isolated, left those that still get requests.
	isolated, left    []string
	labelErr, lookErr error
}

// takeOut isolates the canary's pods but for that many of those that get requests.
func (r *run) takeOut(ctx context.Context, stays int) round {
	if stays > 0 {
		return r.takeOutSome(ctx, stays)
	}
	var this round
	this.isolated, this.labelErr = r.cluster.LabelPods(ctx, r.options.Namespace, r.options.Canary, r.options.LabelKey,
		r.options.LabelValue)
	this.left, _, this.lookErr = r.endpointsLeft(ctx)
	return this
}

// takeOutSome isolates the pods that get no requests yet, so that they never will, and the surplus of the others.
func (r *run) takeOutSome(ctx context.Context, stays int) round {
	var this round
	var pods []corev1.Pod
	this.left, pods, this.lookErr = r.endpointsLeft(ctx)
	if this.lookErr != nil {
		return this
	}
	surplus := this.left[min(stays, len(this.left)):]
	for i := range pods {
		name := pods[i].Name
		if pods[i].Labels[r.options.LabelKey] == r.options.LabelValue ||
			slices.Contains(this.left, name) && !slices.Contains(surplus, name) {
			continue
		}
		err := r.cluster.LabelPod(ctx, r.options.Namespace, name, r.options.LabelKey, r.options.LabelValue)
		if err == nil {
			this.isolated = append(this.isolated, name)
		}
		this.labelErr = errors.Join(this.labelErr, err)
	}
	return this
}

// endpointsLeft returns the names of the canary's pods among the Service's endpoints, in order, and all its pods.
func (r *run) endpointsLeft(ctx context.Context) ([]string, []corev1.Pod, error) {
	endpoints, err := r.cluster.Endpoints(ctx, r.options.Namespace, r.options.Service)
	if err != nil {
		return nil, nil, err
	}
	pods, err := r.cluster.AllPods(ctx, r.options.Namespace, r.options.Canary)
	if err != nil {
		return nil, nil, err
	}
	var left []string
	for i := range pods {
		if slices.Contains(endpoints, pods[i].Name) {
			left = append(left, pods[i].Name)
		}
	}
	slices.Sort(left)
	return left, pods, nil
}

// keepIsolated isolates pods that appear until the returned function is called: an update that is under way or an
// autoscaler may make some while the evidence is collected.
func (r *run) keepIsolated(ctx context.Context) (end func()) {
	ctx, cancel := context.WithCancel(ctx)
	done := make(chan struct{})
	go func() {
		defer close(done)
		for sleep(ctx, lookPause) {
			_, _ = r.cluster.LabelPods(ctx, r.options.Namespace, r.options.Canary, r.options.LabelKey, r.options.LabelValue)
		}
	}()
	return func() { cancel(); <-done }
}

// Watcher is a cluster that tells of changes of a Service's endpoints. Without it the isolation looks by itself alone.
type Watcher interface {
	// EndpointsChanged gives a channel that receives after changes until the context ends.
	EndpointsChanged(ctx context.Context, namespace, service string) <-chan struct{}
}

// changes receives after changes of the endpoints; nil where nobody tells of them.
func (r *run) changes(ctx context.Context) <-chan struct{} {
	if watcher, ok := r.cluster.(Watcher); ok {
		return watcher.EndpointsChanged(ctx, r.options.Namespace, r.options.Service)
	}
	return nil
}

// sleepUntil is sleep that ends soon after a change.
func sleepUntil(ctx context.Context, pause time.Duration, changed <-chan struct{}) bool {
	timer := time.NewTimer(pause)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-timer.C:
		return true
	case <-changed:
		return sleep(ctx, min(settlePause, pause))
	}
}

// sleep waits and reports whether the context still runs.
func sleep(ctx context.Context, pause time.Duration) bool {
	timer := time.NewTimer(pause)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-timer.C:
		return true
	}
}
