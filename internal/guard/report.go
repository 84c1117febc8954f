package guard

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/vextrus/finance-rollout/internal/kube"
	"github.com/vextrus/finance-rollout/internal/redact"
)

// announceLimit bounds the making of an Event.
const announceLimit = 10 * time.Second

// judgePods acts on the pods' states.
func (r *runner) judgePods(ctx context.Context) {
	now := r.now()
	for name, since := range r.view.impostors {
		if now.Sub(since) < impostorFor {
			continue
		}
		r.consider(ctx, Finding{Action: Review, Cause: CauseImpostor, Subject: name,
			Reason: fmt.Sprintf("pod %s has the canary's labels and belongs to no ReplicaSet of %s; it is not counted", name,
				r.config.canaryDeployment())})
	}
	for _, finding := range r.view.pods.Findings() {
		r.consider(ctx, finding)
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

// report asks a person to look at a finding, once an hour.
func (r *runner) report(ctx context.Context, finding Finding) {
	if !r.actions.isNews(finding.Cause+"/"+finding.Subject, r.now()) {
		return
	}
	r.countFinding(finding)
	r.log.WarnContext(ctx, "review needed", "cause", finding.Cause, "reason", finding.Reason)
	r.announce(ctx, kube.Warning, "CanaryNeedsReview", finding.Reason)
	r.tellReview(finding, finding.Reason)
}

func (r *runner) countFinding(finding Finding) {
	r.guard.metrics.findings.WithLabelValues(r.name(), finding.Cause, string(finding.Action)).Inc()
}

// announce makes an Event in the background.
func (r *runner) announce(ctx context.Context, kind, reason, note string) {
	namespace, deployment := r.config.Spec.Namespace, r.config.canaryDeployment()
	note = redact.Text(note, nil)
	go func() {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), announceLimit)
		defer cancel()
		if err := r.guard.options.Cluster.Announce(ctx, namespace, deployment, kind, reason, note); err != nil {
			r.guard.metrics.errors.WithLabelValues(r.name(), SourceAPI).Inc()
			r.log.WarnContext(ctx, "cannot make an Event", "reason", reason, "error", err)
		}
	}()
}

// failed counts a failed look at a source and logs the first of a series.
func (r *runner) failed(ctx context.Context, source string, err error) {
	r.guard.metrics.errors.WithLabelValues(r.name(), source).Inc()
	if !errors.Is(err, context.Canceled) && r.actions.beginsToFail(source) {
		r.log.WarnContext(ctx, "cannot see a source", "source", source, "error", err)
	}
}

// recovered notes that a source was seen and logs the end of a series of failures.
func (r *runner) recovered(ctx context.Context, source string) {
	r.guard.metrics.seen(r.name(), source, r.now())
	if r.actions.recovers(source) {
		r.log.InfoContext(ctx, "sees the source again", "source", source)
	}
}
