package cli

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/vextrus/finance-rollout/internal/cli/preflight"
	"github.com/vextrus/finance-rollout/internal/cli/stack"
	"github.com/vextrus/finance-rollout/internal/forecast/live"
	"github.com/vextrus/finance-rollout/internal/gate"
	"github.com/vextrus/finance-rollout/internal/names"
	"github.com/vextrus/finance-rollout/internal/rollout"
	"github.com/vextrus/finance-rollout/internal/settings"
	"github.com/vextrus/finance-rollout/internal/simulate"
	"github.com/vextrus/finance-rollout/internal/terminal"
)

const (
	// rehearseLimit bounds the reading of the past, which asks Prometheus hour by hour.
	rehearseLimit = 10 * time.Minute
	// usualDays and mostDays are the days of the past that are read.
	usualDays, mostDays = 7, 90
)

// bindPast adds the flags for the service's own past.
func (f *simulateFlags) bindPast(cmd *cobra.Command) {
	set := cmd.Flags()
	set.BoolVar(&f.rehearse, "rehearse", false,
		"let each stable pod play the canary over the stack's own past: the false alarms of these limits")
	set.IntVar(&f.days, "days", usualDays, "with --rehearse: days of the past to read from Prometheus")
}

// checkPast checks the flags of a rehearsal.
func (f *simulateFlags) checkPast(cmd *cobra.Command, files []string) error {
	switch {
	case !f.rehearse && cmd.Flags().Changed("days"):
		return errors.New("--days is for --rehearse: pass both, or none")
	case !f.rehearse:
		return nil
	case len(files) > 0 || cmd.Flags().Changed("rate") || f.save != "" || f.runs != 1:
		return errors.New("--rehearse takes the stack's own past: omit files, --rate, --save and --runs")
	case f.stack == "":
		return errors.New("--rehearse needs a stack: for example rollout simulate --rehearse -s production")
	case f.days < 1 || f.days > mostDays:
		return fmt.Errorf("--days %d: allowed are 1 to %d", f.days, mostDays)
	}
	return nil
}

// rehearsePast prints what the limits make of the stack's own past.
func (f *simulateFlags) rehearsePast(ctx context.Context, output *terminal.Output, stack *stack.Stack,
	s *settings.Settings, limits simulate.Limits) error {
	if s.Prometheus == "" {
		return terminal.Usage(fmt.Errorf("config prometheus is not set: set it with `pulumi config set prometheus "+
			"NAMESPACE/SERVICE:PORT -s %s`", stack.Name))
	}
	server, err := forecastServer(stack)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeoutCause(ctx, rehearseLimit, fmt.Errorf("no answer within %v", rehearseLimit))
	defer cancel()
	result, err := rehearsal(ctx, server, s, limits, f.days, time.Now())
	if err != nil {
		return terminal.Unknown(fmt.Errorf("rehearse on the last %d days: %w: check the names of the setting metrics with "+
			"`rollout preflight -s %s`, or give other --days", f.days, err, stack.Name))
	}
	return output.Print(result, func(terminal.Style) string { return result.String() })
}

// rehearsal reads the last days of the stable track, and lets its pods play the canary.
func rehearsal(ctx context.Context, querier gate.Querier, s *settings.Settings, limits simulate.Limits, days int,
	now time.Time) (simulate.Rehearsal, error) {
	spec := rollout.SoakSpec(s)
	end := now.UTC().Truncate(time.Hour)
	window := gate.Window{Start: end.Add(-time.Duration(days) * 24 * time.Hour), End: end}
	past, err := simulate.ReadPast(ctx, querier, spec.Series(names.Stable, ""), window,
		stepFor(time.Duration(s.Metrics.Interval)))
	if err != nil {
		return simulate.Rehearsal{}, err
	}
	return simulate.Rehearse(ctx, past, limits, spec.Relative)
}

// stepFor is the step of a past that was scraped that often: a divisor of an hour.
func stepFor(interval time.Duration) time.Duration {
	for _, step := range []time.Duration{15 * time.Second, 30 * time.Second, time.Minute, 2 * time.Minute} {
		if interval <= step {
			return step
		}
	}
	return 5 * time.Minute
}

// mostPast is the longest past that the checklist rehearses on.
const mostPast = 14

// pastOf is what the stack's limits make of as many last days as a soak needs.
func pastOf(ctx context.Context, querier gate.Querier, s *settings.Settings, now time.Time) (preflight.Past, error) {
	limits := live.Limits(s, s.Guard.Enabled)
	limits.Scrape = 0 // the past's own step is the time between scrapes
	const day = 24 * time.Hour
	days := min(int((limits.Soak.Duration+3*limits.Bake.Duration+time.Hour)/day)+1, mostPast)
	result, err := rehearsal(ctx, querier, s, limits, days, now)
	if err != nil && !simulate.LacksPast(err) {
		return preflight.Past{}, err
	}
	past := preflight.Past{Soaks: result.Trials, Upper: result.Upper, Dispersion: result.Bursts.Dispersion,
		Bursty: result.Bursts.IsBursty()}
	for _, count := range result.RolledBack {
		past.RolledBack += count
	}
	return past, nil
}
