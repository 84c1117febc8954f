package names

import (
	"regexp"
	"strings"
)

// Ledger is the name of the ConfigMap that holds an app's ledger.
func Ledger(app string) string { return app + "-ledger" }

// Notified is the name of the ConfigMap that holds how far each webhook was told of an app's ledger.
func Notified(app string) string { return app + "-notified" }

// Record is the name of the ConfigMap that holds the position which passed its gate last.
func Record(app string) string { return app + "-release" }

// Verification is the name of the ConfigMap that holds the last result of the verify gate.
func Verification(app string) string { return app + "-verification" }

// Configuration begins the name of the ConfigMap that holds the configuration of a release; the hash of its content
// follows.
func Configuration(app string) string { return app + "-config" }

// IdentityKey is the name of the Secret that holds the key by which secrets are hashed into identities.
func IdentityKey(app string) string { return app + "-identity" }

// Dashboard is the name of the ConfigMap that holds the Grafana dashboard.
func Dashboard(app string) string { return app + "-dashboard" }

// Guard is the name of everything that the guard consists of.
func Guard(app string) string { return app + "-guard" }

// GuardWebhook is the name of the Service that leads to the guard's webhook.
func GuardWebhook(app string) string { return Guard(app) + "-webhook" }

// OperatorLease is the name of the Lease that one operator's command holds at a time.
func OperatorLease(app string) string { return app + "-operator" }

// Rules is the name of the rule groups of an app in an environment.
func Rules(app, environment string) string { return app + "-" + environment }

// StableDeployment is the name of the stable track's Deployment on a stack with two tracks.
func StableDeployment(app string) string { return app + "-" + Stable }

// CanaryDeployment is the name of a release's Deployment.
func CanaryDeployment(app, release string) string { return app + "-" + release }

// StableLabels select the stable track's pods.
func StableLabels(app string) map[string]string {
	return map[string]string{App: app, Track: Stable}
}

// CanaryLabels select the canary's pods, of any release.
func CanaryLabels(app string) map[string]string {
	return map[string]string{App: app, Track: Canary}
}

// ReleaseLabels select the canary's pods of one release.
func ReleaseLabels(app, release string) map[string]string {
	return map[string]string{App: app, Track: Canary, Version: release}
}

// TrackService is the name of the Service that selects the pods of one track alone.
func TrackService(service, track string) string { return service + "-" + track }

// TrackWeights are the weights of the tracks' Services in a route that gives the canary this percentage.
func TrackWeights(service string, weight int) map[string]int {
	return map[string]int{TrackService(service, Stable): 100 - weight, TrackService(service, Canary): weight}
}

// Digest is the digest of an image's reference, empty when the reference has none.
func Digest(reference string) string {
	_, digest, _ := strings.Cut(reference, "@")
	return digest
}

// Repository is an image's reference without its tag and its digest.
func Repository(reference string) string {
	base, _, _ := strings.Cut(reference, "@")
	if colon := strings.LastIndex(base, ":"); colon > strings.LastIndex(base, "/") {
		return base[:colon]
	}
	return base
}

var attestation = regexp.MustCompile(`^[a-z][a-z0-9-]{0,62}$`)

// IsAttestation reports whether an attestation may have the name: lower-case letters, digits and -, starting with a
// letter.
func IsAttestation(name string) bool { return attestation.MatchString(name) }

// LedgerCut is the reason of the Events about a ledger that has lost entries.
const LedgerCut = "LedgerCut"

// GuardDisarmed is the reason of the Event about a guard that carries no rollback out.
const GuardDisarmed = "GuardDisarmed"

// GuardMisconfigured is the reason of the Event about a guard whose configuration no update has given it.
const GuardMisconfigured = "GuardMisconfigured"

// GuardKey is the key of the guard's ConfigMap that holds its description of the rollout.
const GuardKey = "rollout.json"
