package guard

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/vextrus/finance-rollout/internal/gate"
	"github.com/vextrus/finance-rollout/internal/guard/blame"
	"github.com/vextrus/finance-rollout/internal/names"
)

// farWorse is the share of failing requests from which on a canary is blamed without stable's word.
const farWorse = 0.5

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
	if result.err == nil {
		if target.track == names.Stable {
			tracker.stable(result.at, result.rise)
		} else if err := tracker.canary(result.at, result.rise); err != nil {
			r.failed(ctx, SourceTargets, err)
			return
		}
	}
	step, err := r.view.court.Scraped(target.uid, blame.Scrape{Began: result.began, Ended: result.at,
		Requests: result.rise.Requests, Held: result.rise.Held, Failed: target.isMute(result), Slow: target.isSlow(),
		Interval: result.interval})
	if err != nil {
		r.failed(ctx, SourceTargets, err)
		return
	}
	if result.err == nil && target.track == names.Canary {
		r.noteCounts(ctx)
		if tracker.isWarm() && result.interval <= time.Duration(r.config.Interval) {
			time.AfterFunc(time.Duration(r.config.Interval)/5, target.wake)
		}
	}
	r.follow(ctx, step)
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

// noteCounts exports the evidence, and asks a person to look at slow requests.
func (r *runner) noteCounts(ctx context.Context) gate.Detection {
	tracker := r.view.tracker
	detection := tracker.look()
	canary, stable := tracker.errors.Total()
	r.guard.metrics.look(r.name(), detection, canary, stable)
	if slow := tracker.slowness(); slow.Verdict == gate.Fail {
		r.report(ctx, Finding{Action: Review, Cause: CauseLatency, Subject: r.view.subject.String(), Reason: slow.Reason})
	}
	return detection
}

// follow does what the court asks for: it scrapes stable at once, and acts on a verdict.
func (r *runner) follow(ctx context.Context, step blame.Step) {
	for _, uid := range step.Ask {
		if target := r.view.targets[uid]; target != nil {
			target.wake()
		}
	}
	if step.Tick > 0 {
		time.AfterFunc(step.Tick, func() {
			r.post(func(ctx context.Context) { r.follow(ctx, r.view.court.Tick(r.now())) })
		})
	}
	if r.view.tracker == nil {
		return
	}
	finding := Finding{Action: RollBack, Cause: CauseErrors, Subject: r.view.subject.String(), Reason: step.Reason()}
	switch step.Verdict {
	case blame.Shared:
		r.report(ctx, Finding{Action: Review, Cause: CauseShared, Subject: "errors", Reason: step.Reason()})
	case blame.Silent:
		r.judgeAlone(ctx, step)
	case blame.Canary:
		r.offend(ctx, finding, step.Proven)
	}
}

// judgeAlone acts on evidence against the canary while no stable pod answers. Silence is no word: the cause that keeps
// stable from answering may make the canary fail as well. The next look asks stable again.
func (r *runner) judgeAlone(ctx context.Context, step blame.Step) {
	reason := fmt.Sprintf("%s; no stable pod has answered for %v", step.Detection.Reason, step.Quiet.Round(time.Second))
	switch {
	case step.Quiet >= blame.SilentLimit && r.view.tracker.failing(r.now()) >= farWorse:
		r.rollBack(ctx, Finding{Action: RollBack, Cause: CauseErrors, Subject: r.view.subject.String(), Reason: reason})
	case step.Quiet >= blame.SilentFor:
		r.report(ctx, Finding{Action: Review, Cause: CauseSilent, Subject: "stable", Reason: reason})
	}
}
