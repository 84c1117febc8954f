package rollout

import (
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

// Subject is the track that the gates judge: the canary where there is one, else the only track that gets requests.
type Subject struct {
	Track string
	// Version is the pods' version label.
	Version string
	// Release is true when Version sets the subject's pods apart from others of its track.
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
