package settings

import (
	"fmt"
	"strconv"
	"time"

	"github.com/prometheus/common/model"
	"k8s.io/apimachinery/pkg/util/validation"
)

// Guard configures the watcher in the cluster that takes a bad canary out of traffic. Without an image there is none.
type Guard struct {
	Enabled bool `json:"enabled"`
	// Image is that of the rollout command; a tag is resolved to a digest.
	Image    string `json:"image"`
	Replicas int    `json:"replicas"`
	// Interval is the time between two scrapes of a pod.
	Interval model.Duration `json:"interval"`
	// Confidence is that of a rollback for the error rate, over all looks together.
	Confidence float64 `json:"confidence"`
	// Quarantine isolates on fast evidence without a latch, and rolls back by repetition or burst-robust evidence; nil for
	// the default of the stack's traffic, see [Settings.Quarantines].
	Quarantine *bool `json:"quarantine"`
	// DryRun only reports.
	DryRun bool `json:"dryRun"`
	// Alertmanager gets an alert about every rollback: an http(s) address, or namespace/service:port; empty for none.
	Alertmanager string `json:"alertmanager"`
	// WebhookToken is the secret that a caller of the guard's webhook must know; empty for no webhook.
	WebhookToken SecretRef `json:"webhookToken"`
	// DashboardToken is the secret that a reader of the guard's page must know; empty for no page.
	DashboardToken SecretRef `json:"dashboardToken"`
	// Certificate is a Secret of the namespace, with tls.crt, tls.key and ca.crt, by which the guard serves its metrics,
	// its webhook and its page over TLS; empty for plain HTTP.
	Certificate string `json:"certificate"`
	// Smoke runs the smoke suite against the stable track after a rollback. The guard's pods hold the secrets that the
	// suite needs then: among them the key that signs the service's tokens, which is why nobody gets it without asking.
	Smoke bool `json:"smoke"`
	// Watch is how long the stable track is watched after a rollback.
	Watch model.Duration `json:"watch"`
}

func defaultGuard() Guard {
	return Guard{
		Enabled: true, Replicas: 2, Interval: model.Duration(time.Second), Confidence: 0.9999,
		Watch: model.Duration(30 * time.Minute),
	}
}

// IsGuarded reports whether a guard watches the stack's canaries.
func (s *Settings) IsGuarded() bool { return s.Guard.Enabled && s.Guard.Image != "" && !s.IsSingle() }

// Quarantines reports whether the guard isolates on fast evidence before it rolls back. It does unless the stack says
// otherwise, but for a Gateway: the guard cannot give a route's weights back.
func (s *Settings) Quarantines() bool {
	if chosen := s.Guard.Quarantine; chosen != nil {
		return *chosen
	}
	return !s.IsGateway()
}

func (s *Settings) validateGuard(errs *problems) {
	if s.Guard.Replicas < 1 || s.Guard.Replicas > 5 {
		errs.add("guard.replicas", strconv.Itoa(s.Guard.Replicas), errs.setPath("guard.replicas", "2"),
			"allowed are 1 to 5; one of them acts")
	}
	if s.Guard.Interval < model.Duration(200*time.Millisecond) || s.Guard.Interval > model.Duration(time.Minute) {
		errs.add("guard.interval", s.Guard.Interval.String(), errs.setPath("guard.interval", "1s"),
			"allowed are 200ms to 1m")
	}
	if s.Guard.Confidence <= 0.5 || s.Guard.Confidence >= 1 {
		errs.add("guard.confidence", fmt.Sprint(s.Guard.Confidence), errs.setPath("guard.confidence", "0.9999"),
			"allowed is more than 0.5 and less than 1")
	}
	if s.IsGateway() && s.Quarantines() {
		errs.add("guard.quarantine", "true", errs.setPath("guard.quarantine", "false"),
			"the guard cannot give a route's weights back: allowed is false where traffic is %s", TrafficGateway)
	}
	if name := s.Guard.Certificate; name != "" && len(validation.IsDNS1123Subdomain(name)) > 0 {
		errs.add("guard.certificate", name, errs.setPath("guard.certificate", "guard-tls"),
			"allowed is the name of a Secret in the stack's namespace, or nothing")
	}
	s.validateDashboardToken(errs)
	if s.Guard.Watch < 0 {
		errs.add("guard.watch", s.Guard.Watch.String(), errs.setPath("guard.watch", "30m"), "must not be negative")
	}
	if s.Guard.Alertmanager != "" {
		errs.server("guard.alertmanager", s.Guard.Alertmanager, "monitoring/alertmanager-operated:9093", alertmanagerAuth)
	}
}

// validateDashboardToken keeps the page's token apart: its readers know it.
func (s *Settings) validateDashboardToken(errs *problems) {
	token := s.Guard.DashboardToken
	if token == (SecretRef{}) {
		return
	}
	for _, use := range s.podSecretUses() {
		if use.ref == token && use.by != "guard.dashboardToken" {
			errs.add("guard.dashboardToken", token.Secret+"/"+token.Key,
				errs.setPath("guard.dashboardToken", "guard/dashboard"),
				"%s is the same secret, which every reader of the page would know: give the page one of its own", use.by)
		}
	}
}
