package main

import (
	"github.com/vextrus/finance-rollout/components"
	"github.com/vextrus/finance-rollout/internal/settings"
)

// subject is what the gates look at: the canary where there is one, else the only track that gets requests.
type subject struct {
	track string
	// version is the pods' version label.
	version string
	// release tells that version tells the subject's pods apart from others of its track.
	release bool
}

func subjectOf(s *settings.Settings) subject {
	switch {
	case s.HasCanary():
		return subject{track: components.TrackCanary, version: s.Release, release: true}
	case s.IsSingle():
		return subject{track: components.TrackStable, version: s.Release}
	default:
		return subject{track: components.TrackStable, version: s.StableLabel}
	}
}

// labels select the subject's pods.
func (s subject) labels(app string) map[string]string {
	labels := map[string]string{components.LabelApp: app, components.LabelTrack: s.track}
	if s.release {
		labels[components.LabelVersion] = s.version
	}
	return labels
}

// seriesVersion is the version that the subject's series carry, empty for any.
func (s subject) seriesVersion() string {
	if s.release {
		return s.version
	}
	return ""
}
