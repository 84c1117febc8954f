package live

import (
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
	add := func(name, track, version string) {
		metrics := spec.Series(track, version)
		options.Targets = append(options.Targets, Target{Name: name, Metrics: &metrics})
	}
	if s.HasCanary() {
		add(names.CanaryDeployment(s.App, s.Release), names.Canary, s.Release)
	}
	add(rollout.StableDeployment(s), names.Stable, "")
	return options
}
