package soak

import (
	"github.com/vextrus/finance-rollout/internal/gate"
	"github.com/vextrus/finance-rollout/internal/names"
	"github.com/vextrus/finance-rollout/internal/plan"
	"github.com/vextrus/finance-rollout/internal/relative"
)

// Spec describes the evidence of a service's soak. It is plain data without secrets: the program makes it from the
// stack's settings, and the guard reads it as JSON.
type Spec struct {
	Namespace string `json:"namespace"`
	// App is the service's name, the value of its pods' app label.
	App string `json:"app"`
	// Metrics are the names of the service's metrics, and the labels that its series carry on both tracks.
	Metrics gate.Metrics `json:"metrics"`
	// Criteria are the conditions on requests, Queries the stack's additional conditions on PromQL queries.
	Criteria []gate.Criterion      `json:"criteria"`
	Queries  []gate.QueryCriterion `json:"own,omitempty"`
	// Relative compares the canary with stable; nil for no comparison.
	Relative *relative.Limits `json:"relative,omitempty"`
	// Alerts is whether critical alerts count.
	Alerts bool `json:"alerts"`
	// Plan is the required soak of a stage.
	Plan plan.Soak `json:"plan"`
}

// Series select the series of a track and, unless it is empty, of a version.
func (s Spec) Series(track, version string) gate.Metrics { return s.Metrics.For(track, version) }

// Beside are the series of the stable track that a canary of this weight, in percent, is compared with; nil where
// stable takes no requests.
func (s Spec) Beside(weight int) *gate.Metrics {
	if weight >= 100 {
		return nil
	}
	stable := s.Series(names.Stable, "")
	return &stable
}

// Deployment is the name of a release's canary Deployment.
func (s Spec) Deployment(release string) string { return names.CanaryDeployment(s.App, release) }

// Canary are the labels of a release's canary pods.
func (s Spec) Canary(release string) map[string]string {
	return map[string]string{names.App: s.App, names.Track: names.Canary, names.Version: release}
}
