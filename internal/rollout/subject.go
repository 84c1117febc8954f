package rollout

import (
	"os/user"

	"github.com/vextrus/finance-rollout/internal/ledger"
	"github.com/vextrus/finance-rollout/internal/names"
	"github.com/vextrus/finance-rollout/internal/settings"
)

// StableDeployment is the name of the stable track's Deployment; that of the only track on a stack without a canary.
func StableDeployment(s *settings.Settings) string {
	if s.IsSingle() {
		return s.ServiceName
	}
	return names.StableDeployment(s.App)
}

// Ledger is where the stack's ledger is kept.
func Ledger(cluster ledger.ConfigMaps, s *settings.Settings) ledger.Store {
	return ledger.InConfigMap{Cluster: cluster, Namespace: s.Namespace, Name: names.Ledger(s.App)}
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
		return Subject{Track: names.Canary, Version: s.Release, Release: true}
	case s.IsSingle():
		return Subject{Track: names.Stable, Version: s.Release}
	default:
		return Subject{Track: names.Stable, Version: s.StableLabel}
	}
}

// Deployment is the subject's.
func (s Subject) Deployment(known *settings.Settings) string {
	if s.Track == names.Canary {
		return names.CanaryDeployment(known.App, s.Version)
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
