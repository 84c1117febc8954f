package recovery

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/vextrus/finance-rollout/internal/gate"
	"github.com/vextrus/finance-rollout/internal/names"
	"github.com/vextrus/finance-rollout/internal/redact"
	"github.com/vextrus/finance-rollout/internal/rollback"
	"github.com/vextrus/finance-rollout/internal/rollout"
	"github.com/vextrus/finance-rollout/internal/soak"
	"github.com/vextrus/finance-rollout/internal/verify"
)

// watchEvery is the time between two evaluations of the stable track.
const watchEvery = 15 * time.Second

// Run carries out the plan: the rollback with the same steps as the guard's, and everything that follows it. It watches
// the stable track for the given time; 0 skips the watch, less than 0 takes the time from the stack's guard.watch.
func (o *Operation) Run(ctx context.Context, plan Plan, reason string, watch time.Duration) *Report {
	request := Request{
		Stack: o.StackName, Namespace: o.Rollout.Settings.Namespace, Who: o.Rollout.Who, Canary: plan.Canary,
		Choice: plan.Choice,
	}
	return Run(ctx, request, func(ctx context.Context) rollback.Outcome {
		return o.rollBack(ctx, request, reason)
	}, o.followUp(request, watch))
}

func (o *Operation) rollBack(ctx context.Context, request Request, reason string) rollback.Outcome {
	options := o.Rollout.Rollback(request.Canary.Release, reason, map[string]string{"option": request.Choice.Option})
	options.Secrets = o.secrets.revealed()
	options.OnStep = func(step rollback.Step) { o.Progress(step.String()) }
	request.Choice.Apply(&options, o.Cluster)
	o.Progress(fmt.Sprintf("rolling back %s: %s", request.Canary.Release, reason))
	recorder := o.Rollout.Recorder(request.Canary.Image, request.Canary.Release)
	recorder.Identity = request.Canary.Identity
	return rollback.Run(ctx, o.Cluster, recorder, options)
}

func (o *Operation) followUp(request Request, watch time.Duration) FollowUp {
	if watch < 0 {
		watch = time.Duration(o.Rollout.Settings.Guard.Watch)
	}
	began := o.Rollout.Clock.Now()
	followUp := FollowUp{
		Settle:   func(ctx context.Context) error { return o.settle(ctx, request) },
		Smoke:    func(ctx context.Context) (string, gate.Verdict, error) { return o.smokeStable(ctx, began) },
		Events:   func(ctx context.Context) ([]string, error) { return o.events(ctx, request.Canary.Deployment) },
		Progress: o.Progress,
		Now:      o.Rollout.Clock.Now,
	}
	if watch > 0 {
		followUp.Watch = func(ctx context.Context) gate.Evaluation { return o.watchStable(ctx, watch) }
	}
	return followUp
}

// settle brings the stack to the position of the rollback.
func (o *Operation) settle(ctx context.Context, request Request) error {
	s := o.Rollout.Settings
	if err := o.Stack.Settle(ctx, request.Choice.Config(s.Build.Context != ""), o.Output); err != nil {
		return err
	}
	if request.Choice.Option != Undo {
		return nil
	}
	return o.Cluster.ForgetUndo(ctx, s.Namespace, request.Canary.Deployment)
}

// smokeStable returns the result of the update, which runs the same suite, and runs the suite itself only if the update
// did not: two suites in a row would exceed the service's rate limit.
func (o *Operation) smokeStable(ctx context.Context, since time.Time) (string, gate.Verdict, error) {
	s := o.Rollout.Settings
	recorded, _, err := o.Cluster.ConfigMap(ctx, s.Namespace, names.Verification(s.App))
	if err == nil && recorded["track"] == names.Stable {
		if at, err := time.Parse(time.RFC3339, recorded["time"]); err == nil && !at.Before(since.Truncate(time.Second)) {
			return "(by pulumi up)\n" + recorded["smoke"], gate.Verdict(recorded["verdict"]), nil
		}
	}
	withSecrets, err := o.secrets.wait(ctx)
	if err != nil {
		return "", gate.Error, fmt.Errorf("the suite needs the stack's secrets: %w", err)
	}
	options, err := o.Rollout.With(withSecrets).Verification(
		rollout.Subject{Track: names.Stable, Version: withSecrets.StableLabel}, "")
	if err != nil {
		return "", gate.Error, err
	}
	report, err := verify.Smoke(ctx, o.Cluster, options)
	if err != nil {
		return "", gate.Error, err
	}
	return report.Smoke.String(), report.Verdict, nil
}

// watchStable evaluates the requests of the stable track until the watch ends. The last part of it decides whether
// stable is well again.
func (o *Operation) watchStable(ctx context.Context, length time.Duration) gate.Evaluation {
	spec := rollout.SoakSpec(o.Rollout.Settings)
	watch := rollback.NewWatch(o.Rollout.Clock.Now(), length, spec.Criteria)
	return watch.Run(ctx, o.Rollout.Clock, watchEvery, func(ctx context.Context, now time.Time) gate.Evaluation {
		var evaluation gate.Evaluation
		question := watch.Question(spec.Series(names.Stable, ""), now)
		if server, err := o.Rollout.Prometheus(); err != nil {
			evaluation = soak.Unseen(question.Window, err)
		} else {
			evaluation = gate.Evaluate(ctx, server, question)
		}
		o.Progress(fmt.Sprintf("  %s of %s: %s", now.Sub(watch.Began).Round(time.Second), length, oneLine(evaluation)))
		return evaluation
	})
}

// oneLine formats an evaluation in one line.
func oneLine(evaluation gate.Evaluation) string {
	text := string(evaluation.Verdict())
	for _, result := range evaluation.Results {
		text += fmt.Sprintf("; %s: %s", result.Name, result.Reason)
	}
	const longest = 200
	if runes := []rune(text); len(runes) > longest {
		return string(runes[:longest]) + "…"
	}
	return text
}

// events returns the last events of both tracks.
func (o *Operation) events(ctx context.Context, canary string) ([]string, error) {
	s := o.Rollout.Settings
	ofCanary, err := o.Cluster.EventTexts(ctx, s.Namespace, canary)
	if err != nil {
		return nil, err
	}
	ofStable, err := o.Cluster.EventTexts(ctx, s.Namespace, rollout.StableDeployment(s))
	const most = 40
	all := slices.Concat(ofCanary, ofStable)
	slices.Sort(all) // each line begins with its time
	all = all[max(0, len(all)-most):]
	for i := range all {
		all[i] = redact.Text(all[i], nil)
	}
	return all, err
}
