package program

import (
	"context"
	"errors"
	"fmt"

	"github.com/vextrus/finance-rollout/internal/forecast"
	"github.com/vextrus/finance-rollout/internal/forecast/live"
	"github.com/vextrus/finance-rollout/internal/ledger"
	"github.com/vextrus/finance-rollout/internal/names"
	"github.com/vextrus/finance-rollout/internal/rollout"
	"github.com/vextrus/finance-rollout/internal/settings"
)

// foreseen is a forecast under way; its channel is nil where there is none.
type foreseen struct {
	brief chan string
	err   error
}

// foresee begins the forecast of a release that this preview lets enter, beside the registration of the resources.
func (p *program) foresee(ctx context.Context, r *rollout.Rollout, image string) *foreseen {
	f := &foreseen{}
	if !p.ctx.DryRun() || !enters(ctx, r, image) {
		return f
	}
	f.brief = make(chan string, 1)
	go func() {
		defer close(f.brief)
		brief, err := live.Brief(ctx, r)
		f.err = err
		f.brief <- brief
	}()
	return f
}

// enters is true when a release of that image is to enter, and none is on trial.
func enters(ctx context.Context, r *rollout.Rollout, image string) bool {
	s := r.Settings
	if s.IsSingle() || image == "" || s.Position().Weight == 0 || image == names.Digest(s.StableImage) {
		return false
	}
	history, err := ledger.Read(ctx, r.Ledger())
	if err != nil {
		return false // the gate reports it
	}
	state := history.State()
	_, latched := state.Latch(image)
	return state.LivingImage() == "" && image != state.Stable && !latched
}

// say reports the forecast. Traffic that cannot decide the release is an error before the start, unless the override is
// for this move.
func (f *foreseen) say(log log, s *settings.Settings) error {
	if f.brief == nil {
		return nil
	}
	brief := <-f.brief
	undecided, ok := errors.AsType[*forecast.UndecidedError](f.err)
	switch {
	case !ok:
		return log.Info(brief)
	case s.Override.Weight.Set && s.Override.Weight.Percent == s.Position().Weight:
		return log.Warn(fmt.Sprintf("%s%s\noverridden: %s", forecast.BriefPrefix, undecided, s.Override.Reason))
	default:
		return fmt.Errorf("%s%w\nto enter all the same: `pulumi config set --path override.weight %d -s %s && "+
			"pulumi config set --path override.reason WHY -s %[4]s`", forecast.BriefPrefix, undecided, s.Position().Weight,
			s.StackName())
	}
}
