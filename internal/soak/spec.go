package soak

import (
	"github.com/vextrus/finance-rollout/internal/gate"
	"github.com/vextrus/finance-rollout/internal/names"
	"github.com/vextrus/finance-rollout/internal/plan"
)

// Spec says what a service's soak looks at. It is plain data without secrets: the program makes it from the stack's
// settings, and the guard reads it as JSON.
type Spec struct {
	Namespace string `json:"namespace"`
	// App is the service's name, the value of its pods' app label.
	App string `json:"app"`
	// Metrics are the names of the service's metrics and the labels that all its series carry, whatever their track.
	Metrics gate.Metrics `json:"metrics"`
	// Criteria are the conditions on requests, Own those of the stack's own.
	Criteria []gate.Criterion      `json:"criteria"`
	Own      []gate.QueryCriterion `json:"own,omitempty"`
	// Alerts tells that critical alerts count.
	Alerts bool `json:"alerts"`
	// Plan is how long a stage is soaked.
	Plan plan.Soak `json:"plan"`
}

// Series select those of a track and, unless it is empty, of a version.
func (s Spec) Series(track, version string) gate.Metrics { return s.Metrics.For(track, version) }

// Beside are the series of the stable track that a canary with this weight is compared with, nil where that has no
// requests.
func (s Spec) Beside(weight int) *gate.Metrics {
	if weight >= 100 {
		return nil
	}
	stable := s.Series(names.Stable, "")
	return &stable
}

// Deployment is the name of a release's Deployment.
func (s Spec) Deployment(release string) string { return names.CanaryDeployment(s.App, release) }

// Canary are the labels of a release's canary pods.
func (s Spec) Canary(release string) map[string]string {
	return map[string]string{names.App: s.App, names.Track: names.Canary, names.Version: release}
}
