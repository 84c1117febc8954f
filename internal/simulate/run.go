package simulate

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/vextrus/finance-rollout/internal/advance"
	"github.com/vextrus/finance-rollout/internal/gate"
	"github.com/vextrus/finance-rollout/internal/plan"
)

// Source is the gate that made a decision.
type Source string

// Sources.
const (
	ByBake  Source = "bake"
	BySoak  Source = "soak"
	ByGuard Source = "guard"
)

// Action is the decision of a gate.
type Action string

// Actions.
const (
	// Reached: the bake passed, and the soak begins.
	Reached Action = "reached"
	// Refused: the bake did not pass; the same update is repeated.
	Refused Action = "refused"
	// Watched: the soak continues.
	Watched Action = "watched"
	// Extended: the soak's time was over and its criteria were not met.
	Extended Action = "extended"
	// Passed: the advance gate admits the next stage.
	Passed Action = "passed"
	// Reviewed: the guard asks for a review.
	Reviewed Action = "review"
	// Quarantined: the guard takes the canary out of traffic for a pause. Readmitted: the pause is over.
	Quarantined Action = "quarantined"
	Readmitted  Action = "readmitted"
	// RolledBack: the canary is rolled back.
	RolledBack Action = "rolled back"
	// Ended: the record ends without a decision.
	Ended Action = "undecided"
)

// Event is one decision.
type Event struct {
	At time.Time `json:"at"`
	// After is the time since the start, in nanoseconds in JSON.
	After   time.Duration `json:"after"`
	By      Source        `json:"by"`
	Action  Action        `json:"action"`
	Verdict gate.Verdict  `json:"verdict"`
	Reason  string        `json:"reason"`
	// Evaluation is the evidence of bake and soak, Result that of the guard.
	Evaluation *gate.Evaluation `json:"evaluation,omitempty"`
	Result     *gate.Result     `json:"result,omitempty"`
}

// Result is the outcome of a simulation.
type Result struct {
	Start time.Time     `json:"start"`
	End   time.Time     `json:"end"`
	Step  time.Duration `json:"step"`
	// Canary and Stable are the total counts.
	Canary Counts `json:"canary"`
	Stable Counts `json:"stable"`
	// LeftOut names the criteria that do not apply to the record.
	LeftOut []string `json:"leftOut,omitempty"`
	// Events are all decisions in order of time. The last one is the outcome: passed, rolled back or undecided.
	Events []Event `json:"events"`
}

// Outcome returns the last event.
func (r Result) Outcome() Event { return r.Events[len(r.Events)-1] }

// errRecordEnds is the cause when the simulation reaches the end of its record.
var errRecordEnds = errors.New("the record ends")

// jump is a clock that jumps to the time somebody waits for, up to a horizon.
type jump struct {
	now, horizon time.Time
	end          context.CancelCauseFunc
}

// Now implements gate.Clock.
func (j *jump) Now() time.Time { return j.now }

// After implements gate.Clock.
func (j *jump) After(d time.Duration) <-chan time.Time {
	if !j.skip(d) {
		return nil
	}
	reached := make(chan time.Time, 1)
	reached <- j.now
	return reached
}

// skip advances the clock. It returns false if that leads beyond the horizon.
func (j *jump) skip(d time.Duration) bool {
	if j.now.Add(d).After(j.horizon) {
		j.now = j.horizon
		j.end(errRecordEnds)
		return false
	}
	j.now = j.now.Add(d)
	return true
}

// evidence is what the gates judge by.
type evidence interface {
	// bake judges the window as a bake does, soak as a soak does. Covered is the part of the window that was watched.
	bake(ctx context.Context, criteria []gate.Criterion, window gate.Window) gate.Evaluation
	soak(ctx context.Context, criteria []gate.Criterion, window gate.Window) (evaluation gate.Evaluation,
		covered time.Duration, err error)
}

// run is one simulation.
type run struct {
	evidence   evidence
	start, end time.Time
	step       time.Duration
	limits     Limits
	criteria   []gate.Criterion
	clock      *jump
	events     []Event
	// out are the times of quarantines.
	out []gate.Window
}

// Run judges the record from its start, where the canary gets its first requests of a stage, until the canary is rolled
// back, the next stage is admitted, or the record ends.
//
// An update that the bake refuses is repeated at once. The soak is evaluated at its checkpoints and as soon as its time
// is over, as if an operator never slept: the outcome is the earliest possible one.
func Run(ctx context.Context, recording *Recording, limits Limits) (Result, error) {
	if err := limits.Validate(); err != nil {
		return Result{}, err
	}
	result := Result{Start: recording.Start, End: recording.End, Step: recording.Step}
	traffic := watched{start: recording.Start}
	var err error
	if limits.Guard != nil {
		if traffic.intervals, traffic.durations, err = recording.guarded(limits); err != nil {
			return Result{}, err
		}
	}
	if result.Canary, result.Stable, err = recording.totals(limits); err != nil {
		return Result{}, err
	}
	r := &run{evidence: recording, start: recording.Start, end: recording.End, step: recording.Step, limits: limits}
	if err := r.judge(ctx, &result, recording.Durations, traffic); err != nil {
		return Result{}, err
	}
	return result, nil
}

// judge fills in the result by what the guard sees and what bake and soak decide.
func (r *run) judge(ctx context.Context, result *Result, durations bool, traffic watched) error {
	r.criteria = r.limits.judged(durations)
	for _, criterion := range r.limits.Criteria {
		if criterion.Kind == gate.KindLatency && !durations {
			result.LeftOut = append(result.LeftOut, criterion.Name)
		}
	}
	if len(r.criteria) == 0 {
		return errors.New("the record has no durations, and all criteria are on latency")
	}
	guarded, err := r.limits.watch(traffic, time.Time{})
	if err != nil {
		return err
	}
	outer := ctx
	ctx, end := context.WithCancelCause(ctx)
	defer end(nil)
	r.clock = &jump{now: r.start, horizon: r.horizon(guarded), end: end}
	if r.bake(ctx) {
		if r.limits.Quarantine != nil {
			// During the shift, the update judges. From now on, fast evidence isolates.
			if guarded, err = r.limits.watch(traffic, r.clock.now); err != nil {
				return err
			}
			r.clock.horizon, r.out = r.horizon(guarded), outages(guarded, r.end)
		}
		r.soak(ctx)
	}
	if err := outer.Err(); err != nil {
		return err
	}
	result.Events = r.merge(guarded)
	return nil
}

// horizon is the end of what bake and soak see.
func (r *run) horizon(guarded []Event) time.Time {
	if last := len(guarded) - 1; last >= 0 && guarded[last].Action == RolledBack {
		return guarded[last].At
	}
	return r.end
}

// totals returns the total counts.
func (r *Recording) totals(limits Limits) (canary, stable Counts, err error) {
	latency := time.Duration(0)
	for _, criterion := range limits.Criteria {
		if criterion.Kind == gate.KindLatency {
			latency = criterion.Limit
		}
	}
	intervals, err := r.rises(latency)
	for _, interval := range intervals {
		canary, stable = canary.plus(*interval.Canary), stable.plus(*interval.Stable)
	}
	return canary, stable, err
}

// note adds an event at the current time.
func (r *run) note(by Source, action Action, evaluation gate.Evaluation, reason string) {
	r.events = append(r.events, Event{
		At: r.clock.now, After: r.clock.now.Sub(r.start), By: by, Action: action,
		Verdict: evaluation.Verdict(), Reason: reason, Evaluation: &evaluation,
	})
}

// bake repeats the update until its bake passes. It returns false if it never does.
func (r *run) bake(ctx context.Context) bool {
	if r.limits.Bake.Duration == 0 {
		return true
	}
	for {
		// The program waits as long, so that the bake does not count the smoke suite's requests.
		if !r.clock.skip(2 * max(r.step, r.limits.Scrape)) {
			return false
		}
		config := r.limits.Bake
		config.OnLook = nil
		evaluation := gate.Bake(ctx, r.clock, config, func(ctx context.Context, since time.Time) gate.Evaluation {
			return r.evidence.bake(ctx, r.criteria, gate.Window{Start: since, End: r.clock.now})
		})
		if ctx.Err() != nil {
			return false
		}
		switch evaluation.Verdict() {
		case gate.Pass:
			r.note(ByBake, Reached, evaluation, reasons(evaluation, gate.Pass))
			return true
		case gate.Fail:
			r.note(ByBake, RolledBack, evaluation, reasons(evaluation, gate.Fail))
			return false
		default:
			r.note(ByBake, Refused, evaluation, reasons(evaluation, evaluation.Verdict()))
		}
	}
}

// soak watches the stage until there is a decision.
func (r *run) soak(ctx context.Context) {
	since, extensions := r.clock.now, 0
	soaked := time.Duration(0)
	for {
		elapsed := r.clock.now.Sub(since)
		wait := r.limits.Soak.Checkpoint(elapsed) - elapsed
		if missing := r.limits.Soak.Required(extensions) - soaked; missing > 0 {
			wait = min(wait, missing)
		}
		// During a gap in the record the missing time does not shrink. Do not evaluate without a pause then.
		if !r.clock.skip(max(wait, r.step, elapsed/200, time.Second)) {
			return
		}
		reading, err := r.read(ctx, since, extensions)
		if err != nil {
			return
		}
		soaked = reading.Soaked
		switch action, reason := r.decide(reading); action {
		case Extended:
			extensions++
			r.note(BySoak, action, reading.Evaluation, reason)
		default:
			r.note(BySoak, action, reading.Evaluation, reason)
			if action == Passed || action == RolledBack {
				return
			}
		}
	}
}

// read reads the evidence of the soak. What is counted of a canary in quarantine is no soaking.
func (r *run) read(ctx context.Context, since time.Time, extensions int) (advance.Soak, error) {
	window := gate.Window{Start: since, End: r.clock.now}
	var missing time.Duration
	under := false
	for _, out := range r.out {
		if !out.Start.Before(window.End) {
			break
		}
		under = window.End.Before(out.End)
		if under {
			out.End = window.End
		}
		missing += out.End.Sub(out.Start)
		window.Except = append(window.Except, out)
	}
	evaluation, covered, err := r.evidence.soak(ctx, r.criteria, window)
	if under {
		evaluation.Results = append(evaluation.Results, gate.Result{Name: "quarantine", Verdict: gate.Error,
			Reason: "the canary is out of traffic"})
	}
	return advance.Soak{
		Plan: r.limits.Soak, Extensions: extensions, Since: since, Soaked: max(covered-missing, 0), Evaluation: evaluation,
	}, err
}

// outages are the times in which the guard keeps the canary out of traffic.
func outages(guarded []Event, end time.Time) []gate.Window {
	var list []gate.Window
	for _, event := range guarded {
		switch event.Action {
		case Quarantined:
			list = append(list, gate.Window{Start: event.At, End: end})
		case Readmitted:
			list[len(list)-1].End = event.At
		}
	}
	return list
}

// decide asks the advance gate for the next stage. The weights of the stages do not matter.
func (r *run) decide(reading advance.Soak) (action Action, reason string) {
	const image, stable = "the canary's", "stable's"
	stages := plan.DefaultStages()
	decision := advance.Decide(advance.Facts{
		Now: r.clock.now, Stages: stages, Soak: &reading,
		Standing: plan.Standing{Weight: stages[0], Canary: image, Stable: stable},
		Target:   plan.Target{Weight: stages[1], Canary: image, Stable: stable},
	})
	verdict := reading.Evaluation.Verdict()
	reason = reasons(reading.Evaluation, verdict)
	switch {
	case decision.RollBack:
		return RolledBack, reason
	case decision.Allowed():
		return Passed, reason
	case decision.Extend:
		return Extended, fmt.Sprintf("by %v: %s", r.limits.Soak.Extension, reason)
	default:
		return Watched, fmt.Sprintf("%v of %v soaked; %s", reading.Soaked, r.limits.Soak.Required(reading.Extensions), reason)
	}
}

// reasons joins the reasons of all results with a verdict.
func reasons(evaluation gate.Evaluation, verdict gate.Verdict) string {
	text := ""
	for _, result := range evaluation.Results {
		if result.Verdict == verdict {
			if text != "" {
				text += "; "
			}
			text += result.Name + ": " + result.Reason
		}
	}
	return text
}

// merge merges the guard's events with those of bake and soak, up to the decisive one. If there is none, it adds the
// end of the record.
func (r *run) merge(guarded []Event) []Event {
	events := slices.Concat(r.events, guarded)
	slices.SortStableFunc(events, func(a, b Event) int { return a.At.Compare(b.At) })
	for i, event := range events {
		if event.Action == Passed || event.Action == RolledBack {
			return events[:i+1]
		}
	}
	return append(events, Event{
		At: r.end, After: r.end.Sub(r.start), By: BySoak, Action: Ended,
		Verdict: gate.Inconclusive,
		Reason:  "the record ends without a decision",
	})
}
