package guard

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/vextrus/finance-rollout/internal/kube"
	"github.com/vextrus/finance-rollout/internal/ledger"
)

// judgePods acts on what the pods' states say.
func (r *runner) judgePods(ctx context.Context) {
	for name, since := range r.impostors {
		if r.now().Sub(since) < impostorFor {
			continue
		}
		r.consider(ctx, Finding{Action: Review, Cause: CauseImpostor, Subject: name,
			Reason: fmt.Sprintf("pod %s has the canary's labels and belongs to no ReplicaSet of %s; it is not counted", name,
				r.config.canaryDeployment())})
	}
	unready := false
	for _, finding := range r.pods.Findings() {
		if finding.Cause == CauseReadiness && finding.Action == RollBack {
			unready = true
			if r.unreadyAt.IsZero() {
				r.unreadyAt = r.now()
				time.AfterFunc(readinessFor, r.wake)
			}
			if r.now().Sub(r.unreadyAt) < readinessFor {
				continue
			}
		}
		r.consider(ctx, finding)
	}
	if !unready {
		r.unreadyAt = time.Time{}
	}
}

// keepOut finishes what was begun, and keeps out what is latched: somebody may have scaled the canary up by hand.
func (r *runner) keepOut(ctx context.Context) {
	if r.state == nil {
		return
	}
	image := imageOf(r.pods.Deployment)
	latch, latched := r.state.Latch(image)
	present := r.pods.Deployment != nil && r.pods.Deployment.Spec.Replicas != nil && *r.pods.Deployment.Spec.Replicas > 0
	begun := r.state.Unfinished
	if (!latched || !present) && begun == nil {
		r.latchSeen = time.Time{}
		return
	}
	if r.latchSeen.IsZero() {
		r.latchSeen = r.now()
	}
	if wait := r.patience(begun) - r.now().Sub(r.latchSeen); wait > 0 {
		time.AfterFunc(wait, r.wake)
		return
	}
	switch {
	case begun != nil && begun.Image != image:
		r.closeBook(ctx, *begun)
	case begun != nil:
		r.rollBack(ctx, Finding{Action: RollBack, Cause: CauseLatched, Subject: image, Reason: begun.Reason})
	default:
		r.rollBack(ctx, Finding{Action: RollBack, Cause: CauseLatched, Subject: image,
			Reason: fmt.Sprintf("the image is latched by entry %d: %s", latch.Seq, latch.Reason)})
	}
}

// patience is how long somebody else's rollback is left to him. A guard that began one and does not act any more is
// dead or cut off.
func (r *runner) patience(begun *ledger.Entry) time.Duration {
	switch {
	case begun == nil:
		return time.Second // the watches may lag behind a rollback that is just over
	case strings.HasPrefix(begun.Who, "guard/"):
		return 0
	case len(r.inTraffic()) > 0:
		return 3 * time.Second
	default:
		return 45 * time.Second
	}
}

// consider acts on a finding.
func (r *runner) consider(ctx context.Context, finding Finding) {
	if finding.Action == RollBack {
		r.rollBack(ctx, finding)
		return
	}
	r.report(ctx, finding)
}

// report tells of a finding once an hour.
func (r *runner) report(ctx context.Context, finding Finding) {
	key := finding.Cause + "/" + finding.Subject
	if at, told := r.reported[key]; told && r.now().Sub(at) < time.Hour {
		return
	}
	if len(r.reported) > 1000 {
		clear(r.reported)
	}
	r.reported[key] = r.now()
	r.guard.metrics.findings.WithLabelValues(r.name, finding.Cause, string(finding.Action)).Inc()
	r.log.WarnContext(ctx, "for review", "cause", finding.Cause, "reason", finding.Reason)
	r.announce(ctx, kube.Warning, "CanaryNeedsReview", finding.Reason)
}

// announce makes an Event, without waiting for it.
func (r *runner) announce(ctx context.Context, kind, reason, note string) {
	namespace, deployment := r.config.Spec.Namespace, r.config.canaryDeployment()
	go func() {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 10*time.Second)
		defer cancel()
		if err := r.guard.options.Cluster.Announce(ctx, namespace, deployment, kind, reason, note); err != nil {
			r.guard.metrics.errors.WithLabelValues(r.name, SourceAPI).Inc()
			r.log.WarnContext(ctx, "no event was made", "error", err)
		}
	}()
}

// failed notes that a source could not be seen; it is logged when it begins.
func (r *runner) failed(ctx context.Context, source string, err error) {
	r.guard.metrics.errors.WithLabelValues(r.name, source).Inc()
	if _, told := r.reported["source/"+source]; !told && !errors.Is(err, context.Canceled) {
		r.reported["source/"+source] = r.now()
		r.log.WarnContext(ctx, "cannot look", "source", source, "error", err)
	}
}

func (r *runner) recovered(ctx context.Context, source string) {
	r.guard.metrics.seen(r.name, source, r.now())
	if _, told := r.reported["source/"+source]; told {
		delete(r.reported, "source/"+source)
		r.log.InfoContext(ctx, "can look again", "source", source)
	}
}

// sight tells of a guard that sees nothing of a canary in traffic. It rolls nothing back for that.
func (r *runner) sight(ctx context.Context) {
	blind := r.tracker != nil && r.now().Sub(r.lastSight) > blindAfter
	if blind == r.blind {
		return
	}
	r.blind = blind
	r.guard.metrics.blind.WithLabelValues(r.name).Set(flag(blind))
	if blind {
		r.log.ErrorContext(ctx, "blind: nothing is seen of the canary; it stays as it is", "since", r.lastSight)
		r.announce(ctx, kube.Warning, "GuardBlind", "the guard sees nothing of the canary, neither its pods' metrics nor "+
			"Prometheus; it stays as it is")
		return
	}
	r.log.InfoContext(ctx, "the canary is seen again")
	r.announce(ctx, kube.Normal, "GuardSees", "the guard sees the canary again")
}
