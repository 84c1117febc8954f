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
	if g.shift.express != nil {
		// A rollback explains the pods that are missing.
		if err := g.shift.expressStands(ctx); err != nil {
			return err
		}
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
	if express := g.shift.express; express != nil {
		if err := g.capacity.awaitStable(ctx); err != nil {
			return err
		}
		if express.passed && g.settings.HasCanary() {
			// The canary's pods have passed with the change already.
			return g.shift.reached(ctx)
		}
	}
	options, err := g.options(ctx, image)
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
func (g *Gate) options(ctx context.Context, image string) (verify.Options, error) {
	s := g.settings
	r, err := g.shift.verifier(ctx)
	if err != nil {
		return verify.Options{}, err
	}
	options, err := r.Verification(rollout.SubjectOf(s), image)
	if err != nil {
		return verify.Options{}, err
	}
	// The way back to no canary must not need requests: only a release that takes them is baked.
	if s.HasCanary() || s.IsSingle() {
		err = g.bake(&options, r, rollout.SubjectOf(s))
	}
	return options, err
}

// bake adds the bake of the subject to its verification, where the stack asks for one.
func (g *Gate) bake(options *verify.Options, r *rollout.Rollout, subject rollout.Subject) error {
	if g.settings.Bake.Duration == 0 {
		return nil
	}
	server, err := r.Prometheus()
	if err != nil {
		return err
	}
	options.Bake = func(ctx context.Context) gate.Evaluation {
		ctx, stop := context.WithCancelCause(ctx)
		defer stop(nil)
		return r.Bake(ctx, server, subject, func(gate.Evaluation) {
			if moved, ok := errors.AsType[*OvertakenError](g.shift.Latest(ctx)); ok {
				stop(moved)
			}
		})
	}
	return nil
}
