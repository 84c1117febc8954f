// Package live makes forecasts of a stack: it turns settings into a plan, and asks the stack's Prometheus and calendar.
// The command and the program share it.
package live

import (
	"context"
	"fmt"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/api/resource"

	"github.com/vextrus/finance-rollout/internal/calendar"
	"github.com/vextrus/finance-rollout/internal/forecast"
	"github.com/vextrus/finance-rollout/internal/gate"
	"github.com/vextrus/finance-rollout/internal/plan"
	"github.com/vextrus/finance-rollout/internal/quarantine"
	"github.com/vextrus/finance-rollout/internal/rollout"
	"github.com/vextrus/finance-rollout/internal/settings"
	"github.com/vextrus/finance-rollout/internal/simulate"
)

// Usual values of a forecast.
const (
	// Weeks is how many weeks of traffic are read.
	Weeks = 4
	// Extensions is how many extensions of a soak may follow each other until a stage counts as undecided.
	Extensions = 4
)

// Limits are the limits by which traffic is judged.
func Limits(s *settings.Settings, guarded bool) simulate.Limits {
	spec := rollout.SoakSpec(s)
	limits := simulate.Limits{
		Criteria: spec.Criteria, Soak: spec.Plan, Scrape: time.Duration(s.Metrics.Interval),
		Bake: gate.BakeConfig{Duration: time.Duration(s.Bake.Duration), Interval: time.Duration(s.Bake.Interval)},
	}
	if guarded {
		guard, review := gate.ErrorRate(min(s.Criteria.ErrorRate, s.Criteria.RollbackErrorRate),
			s.Criteria.RollbackErrorRate),
			gate.Latency(time.Duration(s.Criteria.Latency), 1-s.Criteria.SlowShare)
		guard.Alpha, review.Alpha = 1-s.Guard.Confidence, 1-s.Guard.Confidence
		limits.Guard = &guard
		if s.Criteria.Latency > 0 {
			limits.Review = &review
		}
		if s.Quarantines() {
			policy := quarantine.DefaultPolicy()
			limits.Quarantine = &policy
		}
	}
	return limits
}

// Plan is the release that the settings plan, without the calendar.
func Plan(s *settings.Settings, start time.Time, extensions int) forecast.Plan {
	cpu := func(track settings.TrackOverride) float64 {
		resources := s.Resources
		if track.Resources != nil {
			resources = *track.Resources
		}
		quantity, err := resource.ParseQuantity(string(resources.Requests.CPU))
		if err != nil {
			return 0 // none is requested: the settings have been validated
		}
		return quantity.AsApproximateFloat64()
	}
	return forecast.Plan{
		Stack: s.StackName(), Start: start, Stages: s.Stages, Limits: Limits(s, s.IsGuarded()),
		Extensions: extensions, Replicas: s.Replicas, CanaryCPU: cpu(s.Canary), StableCPU: cpu(s.Stable),
		Split: func(weight int) (plan.Position, error) { return s.PositionAt(weight) },
	}
}

// Openings are those of the stack's calendar, for a release that starts at that moment; nil for a stack without one.
func Openings(r *rollout.Rollout, start time.Time) (func(at, last time.Time) time.Time, error) {
	s := r.Settings
	if !s.HasCalendar() {
		return nil, nil
	}
	hours, err := r.OpenHours(start)
	if err != nil {
		return nil, fmt.Errorf("%w: correct the file, or its path with `pulumi config set --path calendar.freezeFile "+
			"FILE -s %s`", err, s.StackName())
	}
	overridden := s.CalendarOverride()
	if first := hours.Judge(start); first.Next.IsZero() && !start.Before(overridden) {
		return nil, fmt.Errorf("config calendar does not open within %d days of %s: %s: check it with `pulumi config get "+
			"calendar -s %s`, or give another start with --start", calendar.Horizon/(24*time.Hour),
			start.Format(time.RFC3339), strings.Join(first.Rules, "; "), s.StackName())
	}
	return func(at, last time.Time) time.Time {
		if at.Before(overridden) {
			return at
		}
		hours := hours
		hours.Last = last
		next := hours.Judge(at).Next
		if next.IsZero() {
			return at.Add(calendar.Horizon) // no opening is known: the release is not done before
		}
		return next.UTC()
	}, nil
}

// Observe reads the traffic of the last weeks.
func Observe(ctx context.Context, server forecast.Ranger, s *settings.Settings, weeks int,
	now time.Time) (forecast.Profile, error) {
	return forecast.Observe(ctx, server, forecast.Sought{Metrics: rollout.SoakSpec(s).Metrics,
		Latency: time.Duration(s.Criteria.Latency), Weeks: weeks, Now: now})
}
