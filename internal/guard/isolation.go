package guard

import (
	"context"
	"errors"
	"fmt"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"github.com/vextrus/finance-rollout/internal/gate"
	"github.com/vextrus/finance-rollout/internal/kube"
	"github.com/vextrus/finance-rollout/internal/kube/podstate"
	"github.com/vextrus/finance-rollout/internal/ledger"
	"github.com/vextrus/finance-rollout/internal/names"
	"github.com/vextrus/finance-rollout/internal/quarantine"
)

// readmittedFor is how long after a readmission a guard that starts anew still takes the canary for one on trial.
const readmittedFor = 24 * time.Hour

// isolation is where a canary stands by its quarantines.
type isolation struct {
	policy quarantine.Policy
	// image is the canary that the state is about; empty until the ledger was read.
	image string
	state quarantine.State
	// opening is whether all pods return to traffic, until they are there.
	opening bool
	// busy is whether an entry or a label is being written.
	busy bool
	// refused is how often in a row the API server has refused to label a pod of a canary in quarantine.
	refused int
}

// mostRefused is how often in a row a label may be refused before a canary in quarantine is rolled back: it is still in
// traffic.
const mostRefused = 3

// mayQuarantine reports whether fast evidence isolates without a latch. During a shift the update under way judges, and
// a route's weights are not changed back and forth.
func (r *runner) mayQuarantine() bool {
	state := r.record.state
	return r.config.Quarantine && !r.config.DryRun && r.config.Route == nil && state != nil && state.Begun == nil &&
		state.Weight > 0 && state.Weight <= quarantine.MostWeight && state.Image == r.view.image()
}

// offend answers evidence against the canary, which stable's newest counts bear out: with a quarantine, or with a
// rollback where it has offended before or has never worked, or where no burst of errors explains the evidence.
func (r *runner) offend(ctx context.Context, finding Finding, proven bool) {
	if !r.mayQuarantine() {
		r.rollBack(ctx, finding)
		return
	}
	if r.isolation.busy {
		return
	}
	r.restore()
	now := r.now()
	served, _ := r.view.tracker.errors.Total()
	all := r.view.servedBefore().Plus(served)
	state, action := r.isolation.policy.Next(r.isolation.state, quarantine.Look{At: now, Served: served.N, Fast: true,
		Proven: proven, Total: quarantine.IsTotal(all.N, all.K)})
	switch action.Verb {
	case quarantine.RollBack:
		finding.Reason = fmt.Sprintf("%s (%s)", finding.Reason, action.Cause)
		r.rollBack(ctx, finding)
	case quarantine.Isolate:
		r.quarantine(ctx, state, action.Until, finding)
	}
}

// quarantine notes the quarantine and isolates the canary's pods. Without a note, a guard that starts anew would not
// know that they have to return: the canary is rolled back then.
func (r *runner) quarantine(ctx context.Context, state quarantine.State, until time.Time, finding Finding) {
	r.log.WarnContext(ctx, "quarantined", "offence", state.Offences, "until", until, "reason", finding.Reason)
	entry := ledger.Entry{Kind: ledger.Quarantined, Offence: state.Offences, Until: &until, Reason: finding.Reason}
	r.note(ctx, entry, func(current ledger.State) bool { return current.Quarantine == nil },
		func(ctx context.Context, noted bool, err error) {
			switch {
			case err != nil:
				r.failed(ctx, SourceLedger, err)
				r.rollBack(ctx, finding)
			case noted:
				r.isolation.state, r.isolation.opening = state, false
				r.guard.metrics.quarantines.WithLabelValues(r.name()).Inc()
				r.announce(ctx, kube.Warning, "CanaryQuarantined", fmt.Sprintf("%s is out of traffic until %s, offence %d: %s",
					r.config.Release, until.UTC().Format(time.RFC3339), state.Offences, finding.Reason))
				r.followQuarantine(ctx)
			}
		})
}

// tendQuarantine lets a canary in again whose pause is over, and keeps its pods as the quarantine wants them.
func (r *runner) tendQuarantine(ctx context.Context) {
	state := r.record.state
	if !r.config.Quarantine || r.config.DryRun || r.isolation.busy || state == nil {
		return
	}
	if state.Unfinished != nil || r.record.isLatched(r.view.image(), r.view.identity()) {
		r.isolation.image = "" // it is convicted: whatever comes later begins anew
		return
	}
	r.restore()
	served := gate.Counts{}
	if r.view.tracker != nil {
		served, _ = r.view.tracker.errors.Total()
	}
	next, action := r.isolation.policy.Next(r.isolation.state, quarantine.Look{At: r.now(), Served: served.N})
	if action.Verb == quarantine.AdmitOne {
		r.readmit(ctx, next)
		return
	}
	r.isolation.state = next
	r.isolation.opening = r.isolation.opening || action.Verb == quarantine.AdmitAll
	r.guard.metrics.quarantined.WithLabelValues(r.name()).Set(flag(next.Phase == quarantine.Quarantined))
	r.followQuarantine(ctx)
}

// readmit notes the readmission and lets one pod in. The fast evidence begins anew with it.
func (r *runner) readmit(ctx context.Context, state quarantine.State) {
	entry := ledger.Entry{Kind: ledger.Readmitted, Offence: state.Offences,
		Reason: fmt.Sprintf("one pod first, all after %v", r.isolation.policy.Trial)}
	r.note(ctx, entry, func(current ledger.State) bool { return current.Quarantine != nil },
		func(ctx context.Context, noted bool, err error) {
			if err != nil {
				r.failed(ctx, SourceLedger, err)
				return
			}
			if !noted {
				r.isolation.image = "" // the ledger knows better
				return
			}
			r.isolation.state = state
			r.log.InfoContext(ctx, "readmitted", "offence", state.Offences)
			r.announce(ctx, kube.Normal, "CanaryReadmitted", r.config.Release+" is let into traffic again, one pod first")
			r.followQuarantine(ctx)
		})
}

// note writes an entry about the canary's quarantine in the background, where the ledger still stands at the stage that
// was seen and allows it.
func (r *runner) note(ctx context.Context, entry ledger.Entry, allows func(ledger.State) bool,
	then func(ctx context.Context, noted bool, err error)) {
	r.isolation.busy = true
	seen := *r.record.state
	entry.Who, entry.Release, entry.Image = r.guard.who(), r.config.Release, seen.Image
	entry.From, entry.To = seen.Weight, seen.Weight
	go func() {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), writeLimit)
		defer cancel()
		noted := false
		history, err := ledger.Append(ctx, r.store(), r.guard.options.Now, func(current *ledger.Ledger) ([]ledger.Entry,
			error) {
			state := current.State()
			_, latched := state.Latch(seen.Image)
			noted = !latched && state.Begun == nil && state.Image == seen.Image && state.Weight == seen.Weight && allows(state)
			if !noted {
				return nil, nil
			}
			return []ledger.Entry{entry}, nil
		})
		r.post(func(ctx context.Context) {
			r.isolation.busy = false
			if err == nil {
				state := history.State()
				r.record.state = &state
			}
			then(ctx, noted, err)
		})
	}()
}

// restore takes the state from the ledger when the canary is another one or the guard has just started.
func (r *runner) restore() {
	image := r.view.image()
	if r.isolation.image == image {
		return
	}
	r.isolation.image, r.isolation.state, r.isolation.opening = image, quarantine.State{}, false
	out, in := r.record.state.Quarantine, r.record.state.Readmission
	switch {
	case out != nil && out.Image == image:
		r.isolation.state = quarantine.State{Phase: quarantine.Quarantined, Since: out.Time, Offences: out.Offence}
	case in != nil && in.Image == image && r.now().Sub(in.Time) < readmittedFor:
		r.isolation.state = quarantine.State{Phase: quarantine.Trial, Since: in.Time, Readmitted: in.Time,
			Offences: in.Offence}
	}
}

// followQuarantine labels the canary's pods as its phase wants them: none of them takes requests in quarantine, at
// least one in a trial, and all afterwards. What fails, and pods that appear meanwhile, follow with the next look.
func (r *runner) followQuarantine(ctx context.Context) {
	var pods []string
	value, isolated := names.Enabled, podNames(r.view.isolated())
	switch phase := r.isolation.state.Phase; {
	case phase == quarantine.Quarantined:
		value, pods = names.Isolated, podNames(r.view.inTraffic())
	case r.isolation.opening:
		pods, r.isolation.opening = isolated, len(isolated) > 0
	case phase == quarantine.Trial && len(r.view.inTraffic()) == 0:
		pods = isolated[:min(len(isolated), 1)]
	}
	if len(pods) == 0 || r.isolation.busy {
		return
	}
	r.isolation.busy = true
	isQuarantined := value == names.Isolated
	go func() {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), announceLimit)
		defer cancel()
		var failed error
		for _, pod := range pods {
			if err := r.guard.options.Cluster.LabelPod(ctx, r.config.Spec.Namespace, pod, names.Traffic, value); err != nil {
				failed = err
			}
		}
		r.post(func(ctx context.Context) {
			r.isolation.busy = false
			if failed != nil {
				r.failed(ctx, SourceAPI, failed) // the next look tries again
			}
			r.noteRefusal(ctx, isQuarantined, failed)
		})
	}()
}

// noteRefusal rolls a canary back that cannot be isolated, because an admission webhook or the guard's rights forbid
// its label: the rollback removes its pods. An API server that does not answer refuses nothing.
func (r *runner) noteRefusal(ctx context.Context, isQuarantined bool, failed error) {
	var answer apierrors.APIStatus
	if !isQuarantined || !errors.As(failed, &answer) {
		r.isolation.refused = 0
		return
	}
	state := r.record.state
	if r.isolation.refused++; r.isolation.refused < mostRefused || state == nil || state.Quarantine == nil {
		return
	}
	r.rollBack(ctx, Finding{Action: RollBack, Cause: CauseErrors, Subject: r.view.subject.String(),
		Reason: fmt.Sprintf("%s (its pods cannot be isolated: %v)", state.Quarantine.Reason, failed)})
}

func podNames(pods []*corev1.Pod) []string {
	var list []string
	for _, pod := range pods {
		list = append(list, pod.Name)
	}
	return list
}

// isolated are the canary's own pods that are out of traffic, those that are ready first.
func (v *view) isolated() []*corev1.Pod {
	var ready, unready []*corev1.Pod
	for _, pod := range v.pods.Canary {
		switch {
		case pod.Labels[names.Traffic] != names.Isolated || pod.DeletionTimestamp != nil:
		case podstate.IsReady(pod):
			ready = append(ready, pod)
		default:
			unready = append(unready, pod)
		}
	}
	return append(ready, unready...)
}

// kept is the evidence that outlasts a quarantine.
type kept struct {
	subject subject
	at      time.Time
	proven  *gate.Detector
	served  gate.Counts
}

// keep puts the evidence aside that outlasts a quarantine.
func (v *view) keep(now time.Time) {
	if v.tracker == nil || v.tracker.proven == nil {
		return
	}
	served, _ := v.tracker.errors.Total()
	v.kept = &kept{subject: v.subject, at: now, proven: v.tracker.proven, served: v.servedBefore().Plus(served)}
}

// servedBefore is what the subject served before its last quarantine.
func (v *view) servedBefore() gate.Counts {
	if v.kept == nil || v.kept.subject != v.subject {
		return gate.Counts{}
	}
	return v.kept.served
}

// proven is the burst-robust evidence on the subject. Its clock goes on in a quarantine, which ends a block.
func (v *view) proven(criterion gate.Criterion, now time.Time) *gate.Detector {
	if v.kept != nil && v.kept.subject == v.subject && v.kept.proven.Observe(max(now.Sub(v.kept.at), 0), gate.Counts{},
		gate.Counts{}) == nil {
		return v.kept.proven
	}
	v.kept = nil
	return gate.NewCappedDetector(criterion.Rollback, quarantine.Proof())
}
