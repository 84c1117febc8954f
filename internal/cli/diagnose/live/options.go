package live

import (
	"slices"
	"time"

	"github.com/vextrus/finance-rollout/internal/names"
	"github.com/vextrus/finance-rollout/internal/redact"
	"github.com/vextrus/finance-rollout/internal/rollout"
	"github.com/vextrus/finance-rollout/internal/settings"
)

// OptionsOf returns the options for all Deployments of a stack at its configured position. An empty health path asks no
// pod for its report. Texts are redacted by their form alone, because the settings need not hold the stack's secrets.
func OptionsOf(s *settings.Settings, stack string, window time.Duration, healthPath string,
	now func() time.Time) Options {
	spec := rollout.SoakSpec(s)
	options := Options{
		Stack: stack, Environment: s.Environment, Namespace: s.Namespace, Port: int(s.Container), HealthPath: healthPath,
		Criteria: spec.Criteria, Window: window, Now: now,
		Redact: func(text string) string { return redact.Text(text, nil) },
	}
	position := s.Position()
	if !s.IsGateway() {
		options.Weight, options.Replicas = position.Weight, s.Replicas
	}
	add := func(name, track, version string, planned int, autoscale *settings.Autoscale) {
		metrics := spec.Series(track, version)
		if autoscale != nil {
			planned = 0
		}
		options.Targets = append(options.Targets, Target{Name: name, Metrics: &metrics, Planned: planned})
	}
	if s.HasCanary() {
		add(names.CanaryDeployment(s.App, s.Release), names.Canary, s.Release, position.Canary, s.Canary.Autoscale)
	}
	add(rollout.StableDeployment(s), names.Stable, "", position.Stable, s.Stable.Autoscale)
	return options
}

// Unplanned are the options without the numbers of the plan, for a rollout that does not stand where the configuration
// says.
func (o Options) Unplanned() Options {
	o.Weight, o.Replicas, o.Targets = 0, 0, slices.Clone(o.Targets)
	for i := range o.Targets {
		o.Targets[i].Planned = 0
	}
	return o
}
