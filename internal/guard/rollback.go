package guard

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/vextrus/finance-rollout/internal/kube"
	"github.com/vextrus/finance-rollout/internal/ledger"
	"github.com/vextrus/finance-rollout/internal/rollback"
)

const (
	// rollbackLimit bounds a whole rollback with its repetitions; its steps have limits of their own.
	rollbackLimit = 15 * time.Minute
	// tellWithin is the longest time that a rollback is repeated before it is reported, whatever it has reached.
	tellWithin = time.Minute
	// shortestRetry is the first pause before a canary that is still in traffic is tried again; the pauses double up to
	// retryAfterFailure.
	shortestRetry = 500 * time.Millisecond
	// writeLimit bounds the writing of one entry of the ledger, its repetitions included.
	writeLimit = time.Minute
)

// keepOut finishes a rollback that was begun, and keeps out a latched image: an operator may have scaled the canary up
// by hand.
func (r *runner) keepOut(ctx context.Context) {
	image, now := r.view.image(), r.now()
	if !r.record.pending(image, r.view.identity(), r.view.isPresent(), now) {
		return
	}
	patience := r.record.patience(len(r.view.inTraffic()) > 0)
	if wait := patience - now.Sub(r.record.pendingSince); wait > 0 {
		time.AfterFunc(wait, r.wake)
		return
	}
	begun := r.record.state.Unfinished
	switch {
	case begun != nil && begun.Image != image:
		r.closeRollback(ctx, *begun)
	case begun != nil:
		r.rollBack(ctx, Finding{Action: RollBack, Cause: CauseLatched, Subject: image, Reason: begun.Reason})
	default:
		latch, _ := r.record.state.LatchOn(image, r.view.identity())
		r.rollBack(ctx, Finding{Action: RollBack, Cause: CauseLatched, Subject: image,
			Reason: fmt.Sprintf("the canary is latched by entry %d: %s", latch.Seq, latch.Reason)})
	}
}

// rollBack takes the canary out of traffic; a dry run reports it instead. It does nothing while a rollback runs or has
// just ended: the next look that asks for one tries again.
func (r *runner) rollBack(ctx context.Context, finding Finding) {
	if !r.actions.mayRollBack(r.now()) {
		return
	}
	image := r.view.image()
	if image == "" {
		return
	}
	if r.config.DryRun {
		r.pretend(ctx, finding, image)
		return
	}
	r.actions.startRollback(r.now())
	r.countFinding(finding)
	r.log.ErrorContext(ctx, "rolling back", "cause", finding.Cause, "image", image, "reason", finding.Reason)
	options, recorder := r.rollbackOptions(finding), r.recorder(image)
	r.guard.background.Add(1)
	go func() {
		defer r.guard.background.Done()
		// A guard that loses the leadership carries its rollback on: the next leader would begin at the same place.
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), rollbackLimit)
		defer cancel()
		attempt := attempt{image, recorder, options}
		outcome := r.takeOut(ctx, attempt, rollback.Run(ctx, r.guard.options.Cluster, recorder, options))
		var telling sync.WaitGroup
		defer telling.Wait()
		telling.Go(func() { r.rolledBack(ctx, finding, outcome) })
		r.complete(ctx, attempt, outcome)
		r.post(func(ctx context.Context) {
			r.actions.endRollback(r.now())
			r.refresh(ctx)
		})
	}()
}

// attempt is what a rollback is repeated with.
type attempt struct {
	image    string
	recorder rollback.InLedger
	options  rollback.Options
}

// takeOut repeats a rollback that left the canary in traffic, for example because the API server was away, before
// anything is told of it: an alert and a smoke suite take their time.
func (r *runner) takeOut(ctx context.Context, attempt attempt, outcome rollback.Outcome) rollback.Outcome {
	ctx, cancel := context.WithTimeout(ctx, tellWithin)
	defer cancel()
	for pause := shortestRetry; ; pause = min(2*pause, retryAfterFailure) {
		if _, out := outcome.OutOfTraffic(); out || !r.mayRepeat(ctx, attempt, outcome, pause) {
			return outcome
		}
		// The next try must not be cut off by the limit for telling.
		outcome = r.repeat(context.WithoutCancel(ctx), attempt, outcome)
	}
}

// complete repeats a rollback whose steps failed until all are done or the context ends.
func (r *runner) complete(ctx context.Context, attempt attempt, outcome rollback.Outcome) {
	for outcome.Undone() {
		if !r.mayRepeat(ctx, attempt, outcome, retryAfterFailure) {
			if ctx.Err() != nil {
				r.log.ErrorContext(ctx, "the rollback stays incomplete", "error", outcome.Err())
			}
			return
		}
		outcome = r.repeat(ctx, attempt, outcome)
	}
}

// mayRepeat waits and reports whether the rollback may be repeated. It may not when another image is on trial or the
// latch was released: the steps would hit a canary that nothing speaks against.
func (r *runner) mayRepeat(ctx context.Context, attempt attempt, outcome rollback.Outcome, pause time.Duration) bool {
	select {
	case <-ctx.Done():
		return false
	case <-time.After(pause):
	}
	deployment, exists := r.guard.objects.Deployment(attempt.options.Namespace, attempt.options.Deployment)
	return exists && imageOf(deployment) == attempt.image && (!outcome.Recorded() || !r.isReleased(ctx, attempt))
}

func (r *runner) repeat(ctx context.Context, attempt attempt, before rollback.Outcome) rollback.Outcome {
	attempt.options.Kept = before.Evidence
	outcome := rollback.Run(ctx, r.guard.options.Cluster, attempt.recorder, attempt.options)
	r.log.WarnContext(ctx, "rolled back, another try", "complete", !outcome.Undone(), "steps", outcome.String())
	return outcome
}

// isReleased reports whether the ledger could be read and holds no latch of what was rolled back.
func (r *runner) isReleased(ctx context.Context, attempt attempt) bool {
	history, err := ledger.Read(ctx, r.store())
	if err != nil {
		return false
	}
	_, latched := history.State().LatchOn(attempt.image, attempt.recorder.Identity)
	return !latched
}

func (r *runner) recorder(image string) rollback.InLedger {
	return rollback.InLedger{
		Store: r.store(), Now: r.guard.options.Now, Who: r.guard.who(), Image: image, Release: r.config.Release,
		Identity: r.view.identity(),
	}
}

func (r *runner) rollbackOptions(finding Finding) rollback.Options {
	numbers := map[string]string{"cause": finding.Cause}
	if r.view.tracker != nil {
		numbers["counts"] = r.view.tracker.history()
	}
	options := r.config.rollback().Options(r.guard.options.Cluster, r.guard.options.Now, finding.Reason, numbers)
	if r.view.tracker != nil {
		options.Failing = r.view.tracker.failing(r.now())
	}
	return options
}

// rolledBack reports a rollback to metrics, log, Events and Alertmanager, and looks at stable.
func (r *runner) rolledBack(ctx context.Context, finding Finding, outcome rollback.Outcome) {
	result := "complete"
	if err := outcome.Err(); err != nil {
		result = "incomplete"
		r.log.ErrorContext(ctx, "the rollback is incomplete", "error", err)
	}
	r.guard.metrics.rollbacks.WithLabelValues(r.name(), finding.Cause, result).Inc()
	r.log.WarnContext(ctx, "rolled back", "cause", finding.Cause, "steps", outcome.String())
	note := fmt.Sprintf("%s was rolled back: %s", r.config.Release, outcome.Reason)
	if outcome.Evidence != "" {
		note += "; evidence in configmap " + outcome.Evidence
	}
	r.announce(ctx, kube.Warning, "CanaryRolledBack", note)
	r.notify(ctx, finding, outcome)
	r.smokeStable(ctx)
}

// pretend reports the rollback that a dry run leaves out.
func (r *runner) pretend(ctx context.Context, finding Finding, image string) {
	if !r.actions.isNews("dry-run/"+image+"/"+finding.Cause, r.now()) {
		return
	}
	r.countFinding(finding)
	r.guard.metrics.rollbacks.WithLabelValues(r.name(), finding.Cause, "reported").Inc()
	r.log.WarnContext(ctx, "dry run: would roll back", "cause", finding.Cause, "image", image, "reason", finding.Reason)
	r.announce(ctx, kube.Warning, "WouldRollBack", "dry run: "+finding.Reason)
	r.tellReview(finding, "a dry run would roll back: "+finding.Reason)
}

// closeRollback records the outcome of a rollback whose canary is gone because another image is on trial.
func (r *runner) closeRollback(ctx context.Context, begun ledger.Entry) {
	if !r.actions.mayRollBack(r.now()) || r.config.DryRun {
		return
	}
	r.actions.startRollback(r.now())
	recorder := r.recorder(begun.Image)
	recorder.Release = begun.Release
	go func() {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), writeLimit)
		defer cancel()
		err := recorder.Finish(ctx, rollback.Outcome{Reason: begun.Reason +
			"; its pods were gone when the rollback was resumed"})
		r.post(func(ctx context.Context) {
			r.actions.endRollback(r.now())
			if err != nil {
				r.failed(ctx, SourceLedger, err)
			}
		})
	}()
}

// digestOf is the digest of an image's reference; empty when it names none.
func digestOf(reference string) string {
	_, digest, _ := strings.Cut(reference, "@")
	return digest
}
