package live

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/vextrus/finance-rollout/internal/forecast"
	"github.com/vextrus/finance-rollout/internal/rollout"
	"github.com/vextrus/finance-rollout/internal/sanitize"
)

// Bounds of the forecast in a preview: a preview neither waits for a Prometheus that does not answer nor for all the
// runs of `rollout forecast`.
const (
	askLimit   = 3 * time.Second
	briefLimit = 10 * time.Second
	briefRuns  = 40
	briefSeed  = 1
)

// Brief is the forecast of a release that is about to enter, in a few lines for a preview. A forecast that cannot be
// made is one line that says why; the only error is a *forecast.UndecidedError.
func Brief(ctx context.Context, r *rollout.Rollout) (string, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, briefLimit, fmt.Errorf("not done within %v", briefLimit))
	defer cancel()
	result, err := brief(ctx, r)
	if undecided, ok := errors.AsType[*forecast.UndecidedError](err); ok {
		return "", undecided
	}
	if err != nil {
		if ctx.Err() != nil {
			err = context.Cause(ctx)
		}
		return fmt.Sprintf("%snone, because %s; try `rollout forecast -s %s`", forecast.BriefPrefix,
			strings.Join(strings.Fields(sanitize.Line(err.Error())), " "), r.Settings.StackName()), nil
	}
	return result.Brief(), nil
}

func brief(ctx context.Context, r *rollout.Rollout) (forecast.Forecast, error) {
	now := r.Clock.Now()
	start := now.UTC().Truncate(time.Minute)
	future := Plan(r.Settings, start, Extensions)
	opens, err := Openings(r, start)
	if err != nil {
		return forecast.Forecast{}, err
	}
	future.Opens = opens
	server, err := r.Prometheus()
	if err != nil {
		return forecast.Forecast{}, err
	}
	ranger, ok := server.(forecast.Ranger)
	if !ok {
		return forecast.Forecast{}, errors.New("the server answers no range queries")
	}
	asked, cancel := context.WithTimeoutCause(ctx, askLimit, fmt.Errorf("prometheus did not answer within %v", askLimit))
	defer cancel()
	profile, err := Observe(asked, ranger, r.Settings, Weeks, now)
	if err != nil {
		if asked.Err() != nil {
			err = context.Cause(asked)
		}
		return forecast.Forecast{}, err
	}
	return forecast.Compute(ctx, profile, future, briefSeed, briefRuns)
}
