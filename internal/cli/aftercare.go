package cli

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/vextrus/finance-rollout/internal/cli/recovery"
	"github.com/vextrus/finance-rollout/internal/cli/stack"
	"github.com/vextrus/finance-rollout/internal/gate"
	"github.com/vextrus/finance-rollout/internal/names"
	"github.com/vextrus/finance-rollout/internal/rollback"
	"github.com/vextrus/finance-rollout/internal/rollout"
	"github.com/vextrus/finance-rollout/internal/soak"
	"github.com/vextrus/finance-rollout/internal/verify"
)

const (
	// lockWait is how long another update of the stack is waited for.
	lockWait  = 10 * time.Minute
	lockRetry = 5 * time.Second
	// watchEvery is the distance of two looks at the stable track.
	watchEvery = 15 * time.Second
)

// afterwards is what follows a rollback.
func (s *session) afterwards(request recovery.Request, secrets *secretSettings, watch time.Duration) recovery.FollowUp {
	if watch < 0 {
		watch = time.Duration(s.settings.Guard.Watch)
	}
	began := s.now()
	after := recovery.FollowUp{
		Settle: func(ctx context.Context) error { return s.follow(ctx, request) },
		Smoke:  func(ctx context.Context) (string, gate.Verdict, error) { return s.smokeStable(ctx, secrets, began) },
		Events: func(ctx context.Context) ([]string, error) { return s.events(ctx, request.Canary.Deployment) },
		Tell:   func(text string) { s.tell("%s", text) },
		Now:    s.now,
	}
	if watch > 0 {
		after.Watch = func(ctx context.Context) gate.Evaluation { return s.watchStable(ctx, watch) }
	}
	return after
}

// follow brings the stack to the position of the rollback.
func (s *session) follow(ctx context.Context, request recovery.Request) error {
	if err := s.settle(ctx, request.Choice.Config(s.settings.Build.Context != "")); err != nil {
		return err
	}
	if request.Choice.Option != recovery.Undo {
		return nil
	}
	return s.cluster.ForgetUndo(ctx, s.settings.Namespace, request.Canary.Deployment)
}

// settle sets the configuration and runs the update. Another update that runs is waited for.
func (s *session) settle(ctx context.Context, config map[string]string) error {
	if err := s.stack.Set(ctx, config); err != nil {
		return err
	}
	deadline := s.now().Add(lockWait)
	for {
		err := s.stack.Up(ctx, s.progress, true)
		if !errors.Is(err, stack.ErrLocked) || s.now().After(deadline) {
			return err
		}
		s.tell("another update of the stack is running; it is waited for")
		select {
		case <-ctx.Done():
			return errors.Join(err, context.Cause(ctx))
		case <-time.After(lockRetry):
		}
	}
}

// smokeStable gives what the update found, which runs the same suite, and runs it where the update did not: two
// suites in a row would meet the service's limit of requests.
func (s *session) smokeStable(ctx context.Context, secrets *secretSettings, since time.Time) (string, gate.Verdict,
	error) {
	recorded, _, err := s.cluster.ConfigMap(ctx, s.settings.Namespace, names.Verification(s.settings.App))
	if err == nil && recorded["track"] == names.Stable {
		if at, err := time.Parse(time.RFC3339, recorded["time"]); err == nil && !at.Before(since.Truncate(time.Second)) {
			return "(by pulumi up)\n" + recorded["smoke"], gate.Verdict(recorded["verdict"]), nil
		}
	}
	known, err := secrets.wait(ctx)
	if err != nil {
		return "", gate.Error, fmt.Errorf("the suite needs the stack's secrets: %w", err)
	}
	options, err := s.rollout().With(known).Verification(
		rollout.Subject{Track: names.Stable, Version: known.StableLabel}, "")
	if err != nil {
		return "", gate.Error, err
	}
	report, err := verify.Smoke(ctx, s.cluster, options)
	if err != nil {
		return "", gate.Error, err
	}
	return report.Smoke.String(), report.Verdict, nil
}

// watchStable looks at the requests of the stable track until the watch is over. Its end decides whether stable is
// well again.
func (s *session) watchStable(ctx context.Context, length time.Duration) gate.Evaluation {
	spec := rollout.SoakSpec(s.settings)
	clock := gate.SystemClock{}
	watch := rollback.NewWatch(clock.Now(), length, spec.Criteria)
	return watch.Run(ctx, clock, watchEvery, func(ctx context.Context, now time.Time) gate.Evaluation {
		var evaluation gate.Evaluation
		question := watch.Question(spec.Series(names.Stable, ""), now)
		if server, err := s.prometheus(); err != nil {
			evaluation = soak.Unseen(question.Window, err)
		} else {
			evaluation = gate.Evaluate(ctx, server, question)
		}
		s.tell("  %s of %s: %s", now.Sub(watch.Began).Round(time.Second), length, oneLine(evaluation))
		return evaluation
	})
}

// oneLine is an evaluation in a line.
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

// events are those of both tracks.
func (s *session) events(ctx context.Context, canary string) ([]string, error) {
	ofCanary, err := s.cluster.EventTexts(ctx, s.settings.Namespace, canary)
	if err != nil {
		return nil, err
	}
	ofStable, err := s.cluster.EventTexts(ctx, s.settings.Namespace, rollout.StableDeployment(s.settings))
	const most = 40
	all := slices.Concat(ofCanary, ofStable)
	slices.Sort(all) // each begins with its time
	return all[max(0, len(all)-most):], err
}
