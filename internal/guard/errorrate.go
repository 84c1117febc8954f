package guard

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/vextrus/finance-rollout/internal/gate"
	"github.com/vextrus/finance-rollout/internal/names"
)

// confirmation waits for stable's counts up to now.
type confirmation struct {
	waiting map[string]bool
}

// take takes a scrape.
func (r *runner) take(ctx context.Context, result scraped) {
	target := result.target
	r.guard.metrics.interval.WithLabelValues(r.name, target.track).Set(result.interval.Seconds())
	if result.err != nil {
		r.notScraped(ctx, target, result.err)
	} else {
		r.lastSight = result.at
		r.recovered(ctx, SourceTargets)
	}
	if r.aftercare != nil && target.track == names.Stable {
		r.aftercare.count(result.at, result.rise)
	}
	if r.tracker == nil {
		return
	}
	if target.track == names.Stable {
		r.tracker.stable(result.at, result.rise)
		r.confirmed(ctx, target)
		return
	}
	if result.err != nil {
		return
	}
	if err := r.tracker.canary(result.at, result.rise); err != nil {
		r.failed(ctx, SourceTargets, err)
		return
	}
	r.look(ctx)
	if r.tracker.warm() && result.interval <= time.Duration(r.config.Interval) {
		time.AfterFunc(time.Duration(r.config.Interval)/5, target.wake)
	}
}

func (r *runner) notScraped(ctx context.Context, target *target, err error) {
	r.failed(ctx, SourceTargets, fmt.Errorf("pod %s: %w", target.pod, err))
	if limited, ok := errors.AsType[*limitedError](err); ok {
		r.report(ctx, Finding{Action: Review, Cause: CauseLimited, Subject: target.track,
			Reason: fmt.Sprintf("the fast path is slower: pod %s %s", target.pod,
				strings.TrimPrefix(limited.Error(), "the pod "))})
	}
}

// look judges the counts. A canary that seems bad is blamed only after stable's counts up to now are known.
func (r *runner) look(ctx context.Context) {
	now := r.now()
	found := r.tracker.look(now)
	canary, stable := r.tracker.errors.Total()
	r.guard.metrics.look(r.name, found, canary, stable)
	if found.Shared {
		r.report(ctx, Finding{Action: Review, Cause: CauseShared, Subject: "errors", Reason: found.Reason})
	}
	if slow := r.tracker.slowness(); slow.Verdict == gate.Fail {
		r.report(ctx, Finding{Action: Review, Cause: CauseLatency, Subject: r.subject, Reason: slow.Reason})
	}
	if found.Verdict != gate.Fail || r.confirm != nil {
		return
	}
	r.confirm = &confirmation{waiting: map[string]bool{}}
	for uid, target := range r.targets {
		if target.track == names.Stable && !target.isSlow() {
			r.confirm.waiting[uid] = true
			target.wake()
		}
	}
	asked := r.confirm
	time.AfterFunc(confirmFor, func() {
		r.post(func(ctx context.Context) {
			if r.confirm == asked {
				r.conclude(ctx)
			}
		})
	})
	r.confirmed(ctx, nil)
}

// confirmed notes that stable's counts came in.
func (r *runner) confirmed(ctx context.Context, target *target) {
	if r.confirm == nil {
		return
	}
	if target != nil {
		delete(r.confirm.waiting, target.uid)
	}
	if len(r.confirm.waiting) == 0 {
		r.conclude(ctx)
	}
}

func (r *runner) conclude(ctx context.Context) {
	r.confirm = nil
	if r.tracker == nil {
		return
	}
	now := r.now()
	if err := r.tracker.canary(now, Rise{}); err != nil {
		r.failed(ctx, SourceTargets, err)
		return
	}
	found := r.tracker.look(now)
	switch {
	case found.Shared:
		r.report(ctx, Finding{Action: Review, Cause: CauseShared, Subject: "errors", Reason: found.Reason})
	case found.Verdict == gate.Fail:
		r.rollBack(ctx, Finding{Action: RollBack, Cause: CauseErrors, Subject: r.subject, Reason: found.Reason})
	}
}
