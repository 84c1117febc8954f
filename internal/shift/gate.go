package shift

import (
	"context"
	"errors"
	"fmt"

	"github.com/vextrus/finance-rollout/internal/gate"
	"github.com/vextrus/finance-rollout/internal/names"
	"github.com/vextrus/finance-rollout/internal/rollout"
	"github.com/vextrus/finance-rollout/internal/settings"
	"github.com/vextrus/finance-rollout/internal/verify"
)

// Gate verifies the release before its record is written: smoke suite, then bake. A release that did not pass is not
// recorded, so that an unchanged update runs the gate again. A canary that fails is rolled back at once.
type Gate struct {
	shift    *Shift
	route    *Route
	capacity *Capacity
	settings *settings.Settings
}

// NewGate takes the move and its route; nil where the pods alone split the requests.
func NewGate(shift *Shift, route *Route) *Gate {
	return &Gate{shift: shift, route: route, capacity: NewCapacity(shift, route), settings: shift.rollout.Settings}
}

// Pass verifies the image of the record that is about to be written.
func (g *Gate) Pass(ctx context.Context, image string) error {
	// A position whose other resources did not change comes here unjudged: after a rollback, for example.
	if err := g.shift.Judge(ctx); err != nil {
		return err
	}
	if err := g.checkPods(ctx); err != nil {
		return err
	}
	if !g.settings.IsSingle() {
		if err := g.capacity.SettleSelection(ctx); err != nil {
			return err
		}
	}
	if g.settings.IsGateway() {
		// The requests that are judged come by the weights that the Gateway has accepted.
		if err := g.route.settle(ctx); err != nil {
			return err
		}
	}
	options, err := g.options(image)
	if err != nil {
		return err
	}
	report, err := verify.Run(ctx, g.shift.cluster, options)
	if noteErr := g.noteSmokeTest(ctx, report); noteErr != nil {
		return errors.Join(err, noteErr)
	}
	if err != nil {
		return g.refused(ctx, err, image)
	}
	if err := g.shift.reached(ctx); err != nil {
		return err
	}
	return g.shift.log.Info(fmt.Sprintf("%s %s passed its gate\n%s", options.Track, options.Release, report))
}

// noteSmokeTest notes when the suite sent its requests to a canary, whatever their outcome. Without the note they would
// count in its soak, which stops no update.
func (g *Gate) noteSmokeTest(ctx context.Context, report verify.Report) error {
	if !g.settings.HasCanary() {
		return nil
	}
	if err := g.shift.rollout.NoteSmokeTest(ctx, report.Sent); err != nil {
		return g.shift.log.Warn(err.Error())
	}
	return nil
}

// refused rolls back a canary that failed. One that could not be judged stays.
func (g *Gate) refused(ctx context.Context, refused error, image string) error {
	// Another update that removes the pods during the check may well make them fail: that says nothing about the canary.
	if moved, ok := errors.AsType[*OvertakenError](g.shift.Latest(ctx)); ok {
		return errors.Join(moved, refused)
	}
	failure, ok := errors.AsType[*verify.RefusedError](refused)
	if !ok || failure.Report.Verdict != gate.Fail || !g.settings.HasCanary() {
		return refused
	}
	outcome := g.shift.rollBack(ctx, names.Digest(image), g.settings.Release, failure.Summary(),
		map[string]string{"report": failure.Report.String()})
	return fmt.Errorf("%w\n%s", refused, outcome)
}

// options say how the release is verified.
func (g *Gate) options(image string) (verify.Options, error) {
	s, r := g.settings, g.shift.rollout
	options, err := r.Verification(rollout.SubjectOf(s), image)
	if err != nil {
		return verify.Options{}, err
	}
	// The way back to no canary must not need requests: only a release that takes them is baked.
	if s.Bake.Duration > 0 && (s.HasCanary() || s.IsSingle()) {
		server, err := r.Prometheus()
		if err != nil {
			return verify.Options{}, err
		}
		options.Bake = func(ctx context.Context) gate.Evaluation {
			ctx, stop := context.WithCancelCause(ctx)
			defer stop(nil)
			return r.Bake(ctx, server, func(gate.Evaluation) {
				if moved, ok := errors.AsType[*OvertakenError](g.shift.Latest(ctx)); ok {
					stop(moved)
				}
			})
		}
	}
	return options, nil
}
