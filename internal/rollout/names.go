package rollout

import (
	"os/user"
	"strings"

	"github.com/vextrus/finance-rollout/internal/ledger"
	"github.com/vextrus/finance-rollout/internal/podlabel"
	"github.com/vextrus/finance-rollout/internal/settings"
)

// LedgerName is the name of the ConfigMap that holds the ledger.
func LedgerName(s *settings.Settings) string { return s.App + "-ledger" }

// RecordName is the name of the ConfigMap that holds the position which passed its gate last.
func RecordName(s *settings.Settings) string { return s.App + "-release" }

// VerificationName is the name of the ConfigMap that holds what the verify gate found last.
func VerificationName(s *settings.Settings) string { return s.App + "-verification" }

// StableDeployment is the name of the stable track's Deployment; that of the only track on a stack without a canary.
func StableDeployment(s *settings.Settings) string {
	if s.IsSingle() {
		return s.ServiceName
	}
	return s.App + "-stable"
}

// CanaryDeployment is the name of a release's Deployment.
func CanaryDeployment(s *settings.Settings, release string) string { return s.App + "-" + release }

// StableLabels select the stable track's pods.
func StableLabels(s *settings.Settings) map[string]string {
	return map[string]string{podlabel.App: s.App, podlabel.Track: podlabel.Stable}
}

// CanaryLabels select the canary's pods, of whatever release.
func CanaryLabels(s *settings.Settings) map[string]string {
	return map[string]string{podlabel.App: s.App, podlabel.Track: podlabel.Canary}
}

// Ledger is where the stack's ledger is kept.
func Ledger(cluster ledger.ConfigMaps, s *settings.Settings) ledger.Store {
	return ledger.InConfigMap{Cluster: cluster, Namespace: s.Namespace, Name: LedgerName(s)}
}

// Digest is the digest of an image's reference; empty when it names none.
func Digest(reference string) string {
	_, digest, _ := strings.Cut(reference, "@")
	return digest
}

// Subject is what the gates look at: the canary where there is one, else the only track that gets requests.
type Subject struct {
	Track string
	// Version is the pods' version label.
	Version string
	// Release tells that Version tells the subject's pods apart from others of its track.
	Release bool
}

// SubjectOf is the subject of the stack's target position.
func SubjectOf(s *settings.Settings) Subject {
	switch {
	case s.HasCanary():
		return Subject{Track: podlabel.Canary, Version: s.Release, Release: true}
	case s.IsSingle():
		return Subject{Track: podlabel.Stable, Version: s.Release}
	default:
		return Subject{Track: podlabel.Stable, Version: s.StableLabel}
	}
}

// Deployment is the subject's.
func (s Subject) Deployment(known *settings.Settings) string {
	if s.Track == podlabel.Canary {
		return CanaryDeployment(known, s.Version)
	}
	return StableDeployment(known)
}

// SeriesVersion is the version that the subject's series carry, empty for any.
func (s Subject) SeriesVersion() string {
	if s.Release {
		return s.Version
	}
	return ""
}

// Who is the person or the pipeline that acts, for the ledger.
func Who(getenv func(string) string) string {
	for _, name := range []string{"ROLLOUT_USER", "GITHUB_ACTOR", "GITLAB_USER_LOGIN", "USER", "LOGNAME"} {
		if value := getenv(name); value != "" {
			return value
		}
	}
	if current, err := user.Current(); err == nil {
		return current.Username
	}
	return "unknown"
}
