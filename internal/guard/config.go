package guard

import (
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/prometheus/common/model"

	"github.com/vextrus/finance-rollout/internal/gate"
	"github.com/vextrus/finance-rollout/internal/names"
	"github.com/vextrus/finance-rollout/internal/notify"
	"github.com/vextrus/finance-rollout/internal/rollback"
	"github.com/vextrus/finance-rollout/internal/signature"
	"github.com/vextrus/finance-rollout/internal/soak"
)

const (
	// Format is the version of the configuration.
	Format = 1
	// ConfigKey is the key of the ConfigMap that holds the configuration.
	ConfigKey = names.GuardKey
	// ConfigLabel is the label by which a guard finds the ConfigMap, with ConfigValue as its value.
	ConfigLabel = "finance-rollout/purpose"
	// ConfigValue is the value of ConfigLabel.
	ConfigValue = "guard"
	// DefaultAlpha bounds the probability that the counts ever roll back a canary that stays below its limit.
	DefaultAlpha = 1e-4
)

// Config describes one guarded rollout. The program writes it into a ConfigMap; it holds no secret.
type Config struct {
	Format int `json:"format"`
	// Spec is the evidence that the soak looks at; it names the service and its metrics.
	Spec soak.Spec `json:"spec"`
	// Environment and Release name the rollout to people; Service sends requests to the pods.
	Environment string `json:"environment"`
	Release     string `json:"release"`
	Service     string `json:"service"`
	// Stack names the stack to those who read the guard's page; empty where there is no page.
	Stack string `json:"stack,omitempty"`
	// Route diverts the requests from the canary where a route splits them by weight, and Service is the canary's alone
	// then. It is nil where the number of pods splits the requests.
	Route *rollback.Route `json:"route,omitempty"`
	// Capacity is the planned number of stable pods that take all requests.
	Capacity int `json:"capacity"`
	// Port and Path are where the pods serve their metrics; Selector holds the labels that their series must carry.
	Port     int               `json:"port"`
	Path     string            `json:"path"`
	Selector map[string]string `json:"selector,omitempty"`
	// TLS is what a scrape expects of a pod's certificate; nil for a scrape by http.
	TLS *ScrapeTLS `json:"tls,omitempty"`
	// Interval is the time between two scrapes of a pod; Alpha, in (0, 0.5], is the level of the sequential test.
	Interval model.Duration `json:"interval"`
	Alpha    float64        `json:"alpha"`
	// ErrorRate and SlowShare are the test's limits, as shares; Latency is the time above which a request is slow, 0
	// where latency is not judged.
	ErrorRate float64        `json:"errorRate"`
	SlowShare float64        `json:"slowShare"`
	Latency   model.Duration `json:"latency"`
	// Ledger is the ConfigMap of the rollout's ledger.
	Ledger string `json:"ledger"`
	// LedgerKeys are the public keys whose signature of the ledger counts; empty for a ledger that is not signed.
	LedgerKeys []string `json:"ledgerKeys,omitempty"`
	// Prometheus and Alertmanager are URLs or namespace/service:port; empty for none.
	Prometheus   string `json:"prometheus,omitempty"`
	Alertmanager string `json:"alertmanager,omitempty"`
	// DashboardURL and RunbookURL are linked in the alert about a rollback.
	DashboardURL string `json:"dashboardURL,omitempty"`
	RunbookURL   string `json:"runbookURL,omitempty"`
	// Watch is how long the stable track is watched after a rollback; 0 for no watch.
	Watch model.Duration `json:"watch"`
	// SmokeSuite is the smoke suite that runs against stable after a rollback: its name, or the whole suite as YAML;
	// empty for none.
	SmokeSuite string `json:"smokeSuite,omitempty"`
	// SmokeOrigin is the origin that CORS must allow, unless a secret holds it.
	SmokeOrigin string `json:"smokeOrigin,omitempty"`
	// Quarantine isolates on fast evidence without a latch, and rolls back by repetition or burst-robust evidence.
	Quarantine bool `json:"quarantine,omitempty"`
	// DryRun reports rollbacks and carries none out.
	DryRun bool `json:"dryRun,omitempty"`
	// Notify names the webhooks that are told of the rollout's events; nil for none.
	Notify *Notify `json:"notify,omitempty"`
}

// ScrapeTLS says what a scrape by https expects of a pod's certificate.
type ScrapeTLS struct {
	// CAFile is a file with the certificates that a pod's own is checked by; empty for the public ones.
	CAFile string `json:"caFile,omitempty"`
	// ServerName is the name in the certificate; empty for the pod's address.
	ServerName string `json:"serverName,omitempty"`
	// InsecureSkipVerify takes any certificate.
	InsecureSkipVerify bool `json:"insecureSkipVerify,omitempty"`
}

// Notify says who is told of the rollout's events. It holds no key: each webhook names the file with its own.
type Notify struct {
	// Stack names the stack to people.
	Stack string `json:"stack"`
	// Rollout names the rollout in commands; empty where the stack has one.
	Rollout  string           `json:"rollout,omitempty"`
	Webhooks []notify.Webhook `json:"webhooks"`
}

// ParseConfig reads a configuration and returns an error that names all its faults.
func ParseConfig(text string) (Config, error) {
	var c Config
	if err := json.Unmarshal([]byte(text), &c); err != nil {
		return Config{}, fmt.Errorf("the guard's configuration is not valid: %w", err)
	}
	return c, c.Validate()
}

// Validate returns an error that names all faults of the configuration.
func (c Config) Validate() error {
	if c.Format != Format {
		return fmt.Errorf("the guard's configuration has format %d, this guard reads format %d: use the guard image of the "+
			"same version as the program", c.Format, Format)
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
	if c.Port < 1 || c.Port > 65535 {
		problems = append(problems, fmt.Errorf("port is %d: must be 1 to 65535", c.Port))
	}
	if c.Capacity < 1 {
		problems = append(problems, fmt.Errorf("capacity is %d: must be at least 1", c.Capacity))
	}
	if c.Route != nil && (c.Route.Name == "" || len(c.Route.Weights) == 0) {
		problems = append(problems, errors.New("route lacks a name or weights"))
	}
	if c.Interval < model.Duration(100*time.Millisecond) {
		problems = append(problems, fmt.Errorf("interval is %s: must be at least 100ms", c.Interval))
	}
	if err := c.errorRate().Validate(); err != nil {
		problems = append(problems, err)
	}
	if c.Latency != 0 {
		problems = append(problems, c.latency().Validate())
	}
	if _, err := signature.ParsePublics(c.LedgerKeys); err != nil {
		problems = append(problems, fmt.Errorf("ledgerKeys: %w", err))
	}
	if err := c.Spec.Plan.Validate(); err != nil {
		problems = append(problems, err)
	}
	return errors.Join(problems...)
}

// errorRate is the criterion that rolls the canary back.
func (c Config) errorRate() gate.Criterion {
	criterion := gate.ErrorRate(min(c.ErrorRate, 0.005), c.ErrorRate)
	criterion.Alpha = c.Alpha
	return criterion
}

// latency is the criterion that asks for a review.
func (c Config) latency() gate.Criterion {
	criterion := gate.Latency(time.Duration(c.Latency), 1-c.SlowShare)
	criterion.Alpha = c.Alpha
	return criterion
}

// Names of the rollout's parts.
func (c Config) canaryDeployment() string        { return c.Spec.Deployment(c.Release) }
func (c Config) stableDeployment() string        { return names.StableDeployment(c.Spec.App) }
func (c Config) canaryLabels() map[string]string { return names.CanaryLabels(c.Spec.App) }
func (c Config) stableLabels() map[string]string { return names.StableLabels(c.Spec.App) }

// rollback specifies the rollback of the canary.
func (c Config) rollback() rollback.Spec {
	return rollback.Spec{
		Namespace: c.Spec.Namespace, App: c.Spec.App, Release: c.Release, Service: c.Service, Route: c.Route,
		StableDeployment: c.stableDeployment(), Capacity: c.Capacity,
	}
}
