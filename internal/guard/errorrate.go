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

// confirmation is a verdict against the canary that waits for stable's counts up to now.
type confirmation struct {
	// waiting are the UIDs of the stable pods that have not been scraped since.
	waiting map[string]bool
	// heard is whether any of them answered; true where there is no stable pod to ask.
	heard bool
}

const (
	// silentFor is how long stable must not have answered before its silence is reported.
	silentFor = 5 * time.Second
	// silentLimit is how long a canary that fails most of its requests stays while stable does not answer.
	silentLimit = 30 * time.Second
	// farWorse is the share of failing requests from which on a canary is blamed without stable's word.
	farWorse = 0.5
)

// receive adds the result of a scrape to the evidence.
func (r *runner) receive(ctx context.Context, result scraped) {
	target := result.target
	r.guard.metrics.interval.WithLabelValues(r.name(), target.track).Set(result.interval.Seconds())
	if result.err != nil {
		r.notScraped(ctx, target, result.err)
	} else {
		if result.shown && target.track == names.Canary {
			// A pod that limits its scrapes is asked more seldom.
			r.view.sight.saw(SourceTargets, result.at, 2*result.interval)
		}
		r.recovered(ctx, SourceTargets)
		r.reportUncounted(ctx, target, result.rise)
	}
	if r.actions.aftercare != nil && target.track == names.Stable {
		r.actions.aftercare.count(result.at, result.rise)
	}
	tracker := r.view.tracker
	if tracker == nil {
		return
	}
	if target.track == names.Stable {
		if result.err == nil {
			tracker.stable(result.at, result.rise)
			r.view.heard(target.uid, result)
		}
		r.confirmed(ctx, target, result.err == nil)
		return
	}
	if result.err != nil {
		return
	}
	if err := tracker.canary(result.at, result.rise); err != nil {
		r.failed(ctx, SourceTargets, err)
		return
	}
	r.judgeCounts(ctx)
	if tracker.isWarm() && result.interval <= time.Duration(r.config.Interval) {
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

// reportUncounted asks a person to look at what a pod's page does not let the guard count.
func (r *runner) reportUncounted(ctx context.Context, target *target, rise Rise) {
	if rise.Odd != "" {
		r.report(ctx, Finding{Action: Review, Cause: CauseUncounted, Subject: target.track + " requests",
			Reason: fmt.Sprintf("the guard cannot count pod %s as it should: %s", target.pod, clean(rise.Odd))})
	}
	if rise.SlowErr != nil {
		r.report(ctx, Finding{Action: Review, Cause: CauseUncounted, Subject: target.track + " latency",
			Reason: fmt.Sprintf("the guard does not see slow requests of pod %s: %s", target.pod, clean(rise.SlowErr.Error()))})
	}
}

// judgeCounts looks at the counts and acts on them. A canary that looks bad is blamed only once stable's counts up to
// now are known.
func (r *runner) judgeCounts(ctx context.Context) gate.Detection {
	tracker := r.view.tracker
	detection := tracker.look(r.now())
	canary, stable := tracker.errors.Total()
	r.guard.metrics.look(r.name(), detection, canary, stable)
	r.reportShared(ctx, detection)
	if slow := tracker.slowness(); slow.Verdict == gate.Fail {
		r.report(ctx, Finding{Action: Review, Cause: CauseLatency, Subject: r.view.subject.String(), Reason: slow.Reason})
	}
	convicted := tracker.convicts(r.now()).Verdict == gate.Fail
	if (convicted || detection.Verdict == gate.Fail) && r.view.confirm == nil {
		r.confirm(ctx)
	}
	return detection
}

// confirm scrapes stable at once and concludes when all of it has answered, or after confirmFor.
func (r *runner) confirm(ctx context.Context) {
	pending := &confirmation{waiting: map[string]bool{}, heard: true}
	r.view.confirm = pending
	for uid, target := range r.view.targets {
		if target.track != names.Stable {
			continue
		}
		pending.heard = false
		if !target.isSlow() {
			pending.waiting[uid] = true
			target.wake()
		}
	}
	// A pod that limits its scrapes is not asked: its last answer holds until the next one is due.
	pending.heard = pending.heard || r.view.hasWord(r.now())
	time.AfterFunc(confirmFor, func() {
		r.post(func(ctx context.Context) {
			if r.view.confirm == pending {
				r.conclude(ctx)
			}
		})
	})
	r.confirmed(ctx, nil, false)
}

// confirmed notes that a stable pod was scraped, and whether it answered; nil notes none.
func (r *runner) confirmed(ctx context.Context, target *target, answered bool) {
	if r.view.confirm == nil {
		return
	}
	if target != nil {
		delete(r.view.confirm.waiting, target.uid)
		r.view.confirm.heard = r.view.confirm.heard || answered
	}
	if len(r.view.confirm.waiting) == 0 {
		r.conclude(ctx)
	}
}

// conclude blames the canary or does not, with stable's newest counts.
func (r *runner) conclude(ctx context.Context) {
	heard := r.view.confirm.heard
	r.view.confirm = nil
	tracker := r.view.tracker
	if tracker == nil {
		return
	}
	now := r.now()
	if err := tracker.canary(now, Rise{}); err != nil {
		r.failed(ctx, SourceTargets, err)
		return
	}
	detection := tracker.look(now)
	r.reportShared(ctx, detection)
	if !heard && detection.Verdict == gate.Fail {
		r.judgeAlone(ctx, detection)
		return
	}
	finding := Finding{Action: RollBack, Cause: CauseErrors, Subject: r.view.subject.String(), Reason: detection.Reason}
	if proof := tracker.convicts(now); proof.Verdict == gate.Fail && heard {
		finding.Reason = proof.Reason + "; no burst of errors explains it"
		r.rollBack(ctx, finding)
	} else if detection.Verdict == gate.Fail {
		r.offend(ctx, finding)
	}
}

// judgeAlone acts on a verdict against the canary while no stable pod answers. Silence is no word: the cause
// that keeps stable from answering may make the canary fail as well. The next look asks stable again.
func (r *runner) judgeAlone(ctx context.Context, detection gate.Detection) {
	now := r.now()
	silent, failing := r.view.silence(now), r.view.tracker.failing(now)
	reason := fmt.Sprintf("%s; no stable pod has answered for %v", detection.Reason, silent.Round(time.Second))
	switch {
	case silent >= silentLimit && failing >= farWorse:
		r.rollBack(ctx, Finding{Action: RollBack, Cause: CauseErrors, Subject: r.view.subject.String(), Reason: reason})
	case silent >= silentFor:
		r.report(ctx, Finding{Action: Review, Cause: CauseSilent, Subject: "stable", Reason: reason})
	}
}

// reportShared reports an outage that stable shares.
func (r *runner) reportShared(ctx context.Context, detection gate.Detection) {
	if detection.Shared {
		r.report(ctx, Finding{Action: Review, Cause: CauseShared, Subject: "errors", Reason: detection.Reason})
	}
}
