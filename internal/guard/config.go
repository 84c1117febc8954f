package guard

import (
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/prometheus/common/model"

	"github.com/vextrus/finance-rollout/internal/gate"
	"github.com/vextrus/finance-rollout/internal/names"
	"github.com/vextrus/finance-rollout/internal/rollback"
	"github.com/vextrus/finance-rollout/internal/soak"
)

const (
	// Format is the version of the configuration.
	Format = 1
	// ConfigKey is the key of a ConfigMap that holds a configuration.
	ConfigKey = "rollout.json"
	// ConfigLabel is, with ConfigValue, the label by which a guard finds it.
	ConfigLabel = "finance-rollout/purpose"
	// ConfigValue is that label's value.
	ConfigValue = "guard"
	// DefaultAlpha bounds the probability that the counts ever roll back a canary that keeps its limit.
	DefaultAlpha = 1e-4
)

// Config is one rollout that is guarded. The program writes it, without any secret, into a ConfigMap.
type Config struct {
	Format int `json:"format"`
	// Spec is what the soak looks at, and with it the names of the service and its metrics.
	Spec soak.Spec `json:"spec"`
	// Environment and Release name the rollout to people; Service is what sends requests to the pods.
	Environment string `json:"environment"`
	Release     string `json:"release"`
	Service     string `json:"service"`
	// Route takes the requests away from the canary where a route splits them by weight; nil where its pods alone
	// decide. Service is the canary's own then.
	Route *rollback.Route `json:"route,omitempty"`
	// Capacity is how many stable pods take all requests.
	Capacity int `json:"capacity"`
	// Port is the pods' port and Path where they serve their metrics; Selector has the labels that their own series carry.
	Port     int               `json:"port"`
	Path     string            `json:"path"`
	Selector map[string]string `json:"selector,omitempty"`
	// Interval is the time between two scrapes of a pod, and Alpha the level of the sequential test.
	Interval model.Duration `json:"interval"`
	Alpha    float64        `json:"alpha"`
	// ErrorRate and SlowShare are the limits of the test, Latency what makes a request slow.
	ErrorRate float64        `json:"errorRate"`
	SlowShare float64        `json:"slowShare"`
	Latency   model.Duration `json:"latency"`
	// Ledger is the ConfigMap of the rollout's ledger.
	Ledger string `json:"ledger"`
	// Prometheus and Alertmanager are addresses, or namespace/service:port; empty does without.
	Prometheus   string `json:"prometheus,omitempty"`
	Alertmanager string `json:"alertmanager,omitempty"`
	// DashboardURL and RunbookURL are linked in what is announced.
	DashboardURL string `json:"dashboardURL,omitempty"`
	RunbookURL   string `json:"runbookURL,omitempty"`
	// Watch is how long the stable track is watched after a rollback.
	Watch model.Duration `json:"watch"`
	// SmokeSuite is the smoke suite that is run against stable after a rollback: its name, or the whole of it as YAML;
	// empty for none.
	SmokeSuite string `json:"smokeSuite,omitempty"`
	// SmokeOrigin is an origin that CORS must allow, where no secret holds it.
	SmokeOrigin string `json:"smokeOrigin,omitempty"`
	// DryRun only reports.
	DryRun bool `json:"dryRun,omitempty"`
}

// ParseConfig reads a configuration and says what is wrong with it.
func ParseConfig(text string) (Config, error) {
	var c Config
	if err := json.Unmarshal([]byte(text), &c); err != nil {
		return Config{}, fmt.Errorf("the guard's configuration is not valid: %w", err)
	}
	return c, c.Validate()
}

// Validate says what is wrong.
func (c Config) Validate() error {
	if c.Format != Format {
		return fmt.Errorf("the guard's configuration has format %d, this guard reads %d: use the guard that belongs to "+
			"the program", c.Format, Format)
	}
	var problems []error
	for name, value := range map[string]string{
		"spec.namespace": c.Spec.Namespace, "spec.app": c.Spec.App, "release": c.Release, "service": c.Service,
		"path": c.Path, "ledger": c.Ledger,
	} {
		if value == "" {
			problems = append(problems, fmt.Errorf("%s is missing", name))
		}
	}
	if c.Port < 1 || c.Port > 65535 || c.Capacity < 1 {
		problems = append(problems, errors.New("port must be 1 to 65535 and capacity at least 1"))
	}
	if c.Route != nil && (c.Route.Name == "" || len(c.Route.Weights) == 0) {
		problems = append(problems, errors.New("route needs a name and weights"))
	}
	if c.Interval < model.Duration(100*time.Millisecond) {
		problems = append(problems, fmt.Errorf("interval is %s: at least 100ms", c.Interval))
	}
	if err := errors.Join(c.errorRate().Validate(), c.latency().Validate()); err != nil {
		problems = append(problems, err)
	}
	if err := c.Spec.Plan.Validate(); err != nil {
		problems = append(problems, err)
	}
	return errors.Join(problems...)
}

// errorRate is the criterion that rolls back.
func (c Config) errorRate() gate.Criterion {
	criterion := gate.ErrorRate(min(c.ErrorRate, 0.005), c.ErrorRate)
	criterion.Alpha = c.Alpha
	return criterion
}

// latency is the criterion that asks for review.
func (c Config) latency() gate.Criterion {
	criterion := gate.Latency(time.Duration(c.Latency), 1-c.SlowShare)
	criterion.Alpha = c.Alpha
	return criterion
}

// Names of the rollout's parts.
func (c Config) canaryDeployment() string        { return c.Spec.Deployment(c.Release) }
func (c Config) stableDeployment() string        { return names.StableDeployment(c.Spec.App) }
func (c Config) canaryLabels() map[string]string { return names.CanaryLabels(c.Spec.App) }

// rollback is what rolling the canary back touches.
func (c Config) rollback() rollback.Spec {
	return rollback.Spec{
		Namespace: c.Spec.Namespace, App: c.Spec.App, Release: c.Release, Service: c.Service, Route: c.Route,
		StableDeployment: c.stableDeployment(), Capacity: c.Capacity,
	}
}
