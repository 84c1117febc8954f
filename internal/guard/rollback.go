package guard

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/vextrus/finance-rollout/internal/kube"
	"github.com/vextrus/finance-rollout/internal/ledger"
	"github.com/vextrus/finance-rollout/internal/rollback"
)

// rollbackLimit bounds a whole rollback; its steps have limits of their own.
const rollbackLimit = 6 * time.Minute

// rollBack takes the canary out, or tells that it would. One that runs is not begun a second time, and one that has
// failed is tried again by the next look that asks for it.
func (r *runner) rollBack(ctx context.Context, finding Finding) {
	if r.rolling || r.now().Sub(r.tried) < retryAfterFailure {
		return
	}
	image := imageOf(r.pods.Deployment)
	if image == "" {
		return
	}
	if r.config.DryRun {
		r.pretend(ctx, finding, image)
		return
	}
	r.rolling, r.tried = true, r.now()
	r.guard.metrics.findings.WithLabelValues(r.name, finding.Cause, string(finding.Action)).Inc()
	r.log.ErrorContext(ctx, "rolling back", "cause", finding.Cause, "image", image, "reason", finding.Reason)
	options := r.rollbackOptions(finding)
	recorder := r.recorder(image)
	r.guard.background.Add(1)
	go func() {
		defer r.guard.background.Done()
		// Whoever leads next would begin at the same place: what was begun goes on when the leadership ends.
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), rollbackLimit)
		defer cancel()
		outcome := rollback.Run(ctx, r.guard.options.Cluster, recorder, options)
		r.rolledBack(ctx, finding, outcome)
		r.carryThrough(ctx, image, recorder, options, outcome)
		r.post(func(ctx context.Context) {
			r.rolling, r.tried = false, r.now()
			r.refresh(ctx)
		})
	}()
}

// carryThrough repeats a rollback that could not do all of its steps, be it that the API server was away, until it
// has or the context ends. It gives up where another image is on trial since, or somebody has released the latch:
// these steps would take his pods.
func (r *runner) carryThrough(ctx context.Context, image string, recorder rollback.InLedger, options rollback.Options,
	outcome rollback.Outcome) {
	for outcome.Undone() {
		select {
		case <-ctx.Done():
			r.log.ErrorContext(ctx, "the rollback stays incomplete", "error", outcome.Err())
			return
		case <-time.After(retryAfterFailure):
		}
		deployment, exists := r.guard.objects.Deployment(options.Namespace, options.Deployment)
		if !exists || imageOf(deployment) != image || outcome.Recorded() && r.released(ctx, image) {
			return
		}
		options.Kept = outcome.Evidence
		outcome = rollback.Run(ctx, r.guard.options.Cluster, recorder, options)
		r.log.WarnContext(ctx, "rolled back, another try", "complete", !outcome.Undone(), "steps", outcome.String())
	}
}

// released tells that the ledger could be read and holds no latch of the image.
func (r *runner) released(ctx context.Context, image string) bool {
	history, err := ledger.Read(ctx, r.store())
	if err != nil {
		return false
	}
	_, latched := history.State().Latch(image)
	return !latched
}

func (r *runner) recorder(image string) rollback.InLedger {
	return rollback.InLedger{
		Store: r.store(), Now: r.guard.options.Now, Who: "guard/" + r.guard.options.Identity, Image: image,
		Release: r.config.Release,
	}
}

func (r *runner) rollbackOptions(finding Finding) rollback.Options {
	numbers := map[string]string{"cause": finding.Cause}
	if r.tracker != nil {
		numbers["counts"] = r.tracker.history()
	}
	return r.config.rollback().Options(r.guard.options.Cluster, r.guard.options.Now, finding.Reason, numbers)
}

// rolledBack tells everybody.
func (r *runner) rolledBack(ctx context.Context, finding Finding, outcome rollback.Outcome) {
	result := "complete"
	if err := outcome.Err(); err != nil {
		result = "incomplete"
		r.log.ErrorContext(ctx, "the rollback is incomplete", "error", err)
	}
	r.guard.metrics.rollbacks.WithLabelValues(r.name, finding.Cause, result).Inc()
	r.log.WarnContext(ctx, "rolled back", "cause", finding.Cause, "steps", outcome.String())
	note := fmt.Sprintf("%s was rolled back: %s", r.config.Release, outcome.Reason)
	if outcome.Evidence != "" {
		note += "; evidence in configmap " + outcome.Evidence
	}
	r.announce(ctx, kube.Warning, "CanaryRolledBack", note)
	r.notify(ctx, finding, outcome)
	r.smokeStable(ctx)
}

// pretend reports what a guard that is not dry would do.
func (r *runner) pretend(ctx context.Context, finding Finding, image string) {
	key := "dry-run/" + image + "/" + finding.Cause
	if at, told := r.reported[key]; told && r.now().Sub(at) < time.Hour {
		return
	}
	r.reported[key] = r.now()
	r.guard.metrics.findings.WithLabelValues(r.name, finding.Cause, string(finding.Action)).Inc()
	r.guard.metrics.rollbacks.WithLabelValues(r.name, finding.Cause, "reported").Inc()
	r.log.WarnContext(ctx, "dry run: this would be rolled back", "cause", finding.Cause, "image", image, "reason",
		finding.Reason)
	r.announce(ctx, kube.Warning, "WouldRollBack", "dry run: "+finding.Reason)
}

// closeBook records the outcome of a rollback whose canary is gone: another image is on trial.
func (r *runner) closeBook(ctx context.Context, begun ledger.Entry) {
	if r.rolling || r.now().Sub(r.tried) < retryAfterFailure || r.config.DryRun {
		return
	}
	r.rolling, r.tried = true, r.now()
	recorder := r.recorder(begun.Image)
	recorder.Release = begun.Release
	go func() {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Minute)
		defer cancel()
		err := recorder.Finish(ctx, rollback.Outcome{Reason: begun.Reason +
			"; its pods were gone when the rollback was carried on"})
		r.post(func(ctx context.Context) {
			r.rolling, r.tried = false, r.now()
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
