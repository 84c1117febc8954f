package recovery

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/vextrus/finance-rollout/internal/gate"
	"github.com/vextrus/finance-rollout/internal/rollback"
)

// FollowUp is the work that follows a rollback. A nil function is skipped.
type FollowUp struct {
	// Settle brings the stack's configuration and state to the position of the rollback.
	Settle func(ctx context.Context) error
	// Smoke runs the smoke suite against the stable track.
	Smoke func(ctx context.Context) (text string, verdict gate.Verdict, err error)
	// Watch looks at the stable track for a while.
	Watch func(ctx context.Context) gate.Evaluation
	// Events are those of the time since the rollback began.
	Events func(ctx context.Context) ([]string, error)
	// Tell says what is done next; it must not be nil.
	Tell func(text string)
	Now  func() time.Time
}

// Request is an operator's request to roll back.
type Request struct {
	Stack, Namespace, Who string
	Canary                Canary
	Choice                Choice
}

// rollbackLimit bounds the rollback itself; its steps have limits of their own.
const rollbackLimit = 6 * time.Minute

// Run rolls back and does what follows. The rollback itself is carried through even when the context ends; what
// follows it is not.
func Run(ctx context.Context, request Request, rollBack func(context.Context) rollback.Outcome,
	after FollowUp) *Report {
	report := &Report{
		Stack: request.Stack, Namespace: request.Namespace, Who: request.Who, Canary: request.Canary, Option: request.Choice.Option,
		Began: after.Now().UTC(),
	}
	through, cancel := context.WithTimeout(context.WithoutCancel(ctx), rollbackLimit)
	defer cancel()
	outcome := rollBack(through)
	report.rolledBack(outcome)
	if request.Choice.Option == Undo {
		report.Revision, report.RevisionImage = request.Choice.Revision.Number, request.Choice.Revision.Image
	}
	report.settle(ctx, request, after)
	report.smoke(ctx, after)
	report.watch(ctx, after)
	if after.Events != nil {
		// The events are short to read, and the report is worth little without them.
		late, cancel := context.WithTimeout(context.WithoutCancel(ctx), 10*time.Second)
		defer cancel()
		events, err := after.Events(late)
		report.Events = events
		report.missed("look at the events: kubectl get events -n "+request.Namespace, err)
	}
	report.Ended = after.Now().UTC()
	return report
}

func (r *Report) rolledBack(outcome rollback.Outcome) {
	r.Reason, r.Evidence = outcome.Reason, outcome.Evidence
	for _, step := range outcome.Steps {
		made := Step{Name: step.Name, Done: step.Done, Milliseconds: step.Took.Milliseconds()}
		if step.Err != nil {
			made.Error = step.Err.Error()
		}
		r.Steps = append(r.Steps, made)
	}
	took, out := outcome.OutOfTraffic()
	r.OutOfTraffic, r.OutAfter = out, took
	if err := outcome.Err(); err != nil {
		r.failed = true
		r.missed(fmt.Sprintf("carry the rollback through: rollout rollback -s %s --yes", r.Stack),
			errors.New("some of its steps failed"))
	}
}

func (r *Report) settle(ctx context.Context, request Request, after FollowUp) {
	if after.Settle == nil {
		return
	}
	after.Tell("bring the stack's configuration and state to the same position")
	err := after.Settle(ctx)
	r.Settled = err == nil
	if err == nil {
		return
	}
	r.failed = true
	config := request.Choice.Config(false)
	for _, key := range slices.Sorted(maps.Keys(config)) {
		value := config[key]
		if value == "" {
			r.Left = append(r.Left, fmt.Sprintf("pulumi config rm %s -s %s", key, r.Stack))
			continue
		}
		r.Left = append(r.Left, fmt.Sprintf("pulumi config set %s %s -s %s", key, value, r.Stack))
	}
	r.missed(fmt.Sprintf("pulumi up --refresh -s %s", r.Stack), err)
}

func (r *Report) smoke(ctx context.Context, after FollowUp) {
	if after.Smoke == nil {
		return
	}
	again := "rollout smoke -s " + r.Stack
	if ctx.Err() != nil {
		r.missed(again, errInterrupted)
		return
	}
	after.Tell("run the smoke suite against the stable track")
	text, verdict, err := after.Smoke(ctx)
	r.Smoke, r.SmokeVerdict = text, verdict
	switch {
	case err != nil:
		r.missed(again, err)
	case verdict == gate.Fail:
		r.failed = true
		r.Left = append(r.Left, "the stable track fails the smoke suite too: rollout diagnose -s "+r.Stack)
	case verdict != gate.Pass:
		r.missed(again, errors.New("the smoke suite could not look"))
	}
}

func (r *Report) watch(ctx context.Context, after FollowUp) {
	if after.Watch == nil {
		return
	}
	again := "watch the stable track: rollout status --watch -s " + r.Stack
	if ctx.Err() != nil {
		r.missed(again, errInterrupted)
		return
	}
	after.Tell("watch the stable track; Ctrl-C ends the watch and writes the report")
	began := after.Now()
	evaluation := after.Watch(ctx)
	r.Watched, r.Watch = after.Now().Sub(began).Round(time.Second), &evaluation
	switch verdict := evaluation.Verdict(); {
	case ctx.Err() != nil:
		r.missed(again, errInterrupted)
	case verdict == gate.Fail:
		r.failed = true
		r.Left = append(r.Left,
			"the stable track is worse than the limit without the canary too: rollout diagnose -s "+r.Stack)
	case verdict == gate.Error:
		r.missed(again, errors.New(evaluation.Reasons(gate.Error)))
	}
}

var errInterrupted = errors.New("interrupted")

// missed notes what is left to do because something failed.
func (r *Report) missed(do string, err error) {
	if err == nil {
		return
	}
	r.Left = append(r.Left, fmt.Sprintf("%s (because: %s)", do, err))
}
