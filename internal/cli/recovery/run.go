package recovery

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/vextrus/finance-rollout/internal/gate"
	"github.com/vextrus/finance-rollout/internal/notify"
	"github.com/vextrus/finance-rollout/internal/rollback"
)

// FollowUp is the work that follows a rollback. A nil function is skipped.
type FollowUp struct {
	// Settle brings the stack's configuration and state to the position of the rollback.
	Settle func(ctx context.Context) error
	// Smoke runs the smoke suite on the stable track.
	Smoke func(ctx context.Context) (text string, verdict gate.Verdict, err error)
	// Watch watches the stable track for a while.
	Watch func(ctx context.Context) gate.Evaluation
	// Events returns the events of both tracks since the rollback began.
	Events func(ctx context.Context) ([]string, error)
	// Progress reports the next step; it must not be nil.
	Progress func(text string)
	Now      func() time.Time
}

// Request is an operator's request to roll back.
type Request struct {
	Stack, Namespace, Who string
	Canary                Canary
	Choice                Choice
}

// rollbackLimit limits the rollback itself. Its steps have their own limits.
const rollbackLimit = 6 * time.Minute

// Run rolls back and does the follow-up. The end of the context ends the follow-up, but never the rollback itself.
func Run(ctx context.Context, request Request, rollBack func(context.Context) rollback.Outcome,
	after FollowUp) *Report {
	report := &Report{
		Stack: request.Stack, Namespace: request.Namespace, Who: request.Who, Canary: request.Canary,
		Option: request.Choice.Option,
		Began:  after.Now().UTC(),
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
		// Read the events even after an interrupt: that is quick, and the report needs them.
		late, cancel := context.WithTimeout(context.WithoutCancel(ctx), 10*time.Second)
		defer cancel()
		events, err := after.Events(late)
		report.Events = events
		report.missed("read the events: kubectl get events -n "+request.Namespace, err)
	}
	report.Ended = after.Now().UTC()
	report.Retry = notify.RetryOf(report.Ended, report.Stack)
	return report
}

func (r *Report) rolledBack(outcome rollback.Outcome) {
	r.Reason, r.Evidence = outcome.Reason, outcome.Evidence
	for _, step := range outcome.Steps {
		entry := Step{Name: step.Name, Done: step.Done, Milliseconds: step.Took.Milliseconds()}
		if step.Err != nil {
			entry.Error = step.Err.Error()
		}
		r.Steps = append(r.Steps, entry)
	}
	took, out := outcome.OutOfTraffic()
	r.OutOfTraffic, r.OutAfter = out, took
	if err := outcome.Err(); err != nil {
		r.failed = true
		r.missed(fmt.Sprintf("finish the rollback: rollout rollback -s %s --yes", r.Stack),
			errors.New("some of its steps failed"))
	}
}

func (r *Report) settle(ctx context.Context, request Request, after FollowUp) {
	if after.Settle == nil {
		return
	}
	after.Progress("bringing the stack's configuration and state to the same position")
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
	after.Progress("running the smoke suite on the stable track")
	text, verdict, err := after.Smoke(ctx)
	r.Smoke, r.SmokeVerdict = text, verdict
	switch {
	case err != nil:
		r.missed(again, err)
	case verdict == gate.Fail:
		r.failed = true
		r.Left = append(r.Left, "the stable track fails the smoke suite too: rollout diagnose -s "+r.Stack)
	case verdict != gate.Pass:
		r.missed(again, errors.New("the smoke suite could not run"))
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
	after.Progress("watching the stable track; Ctrl-C ends the watch and writes the report")
	began := after.Now()
	evaluation := after.Watch(ctx)
	r.Watched, r.Watch = after.Now().Sub(began).Round(time.Second), &evaluation
	switch verdict := evaluation.Verdict(); {
	case ctx.Err() != nil:
		r.missed(again, errInterrupted)
	case verdict == gate.Fail:
		r.failed = true
		r.Left = append(r.Left,
			"the stable track exceeds the limit even without the canary: rollout diagnose -s "+r.Stack)
	case verdict == gate.Error:
		r.missed(again, errors.New(evaluation.Reasons(gate.Error)))
	}
}

var errInterrupted = errors.New("interrupted")

// missed records a step that is left to do because of err, if err is not nil.
func (r *Report) missed(do string, err error) {
	if err == nil {
		return
	}
	r.Left = append(r.Left, fmt.Sprintf("%s (because: %s)", do, err))
}
