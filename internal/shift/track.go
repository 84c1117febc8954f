package shift

import (
	"github.com/vextrus/finance-rollout/internal/names"
	"github.com/vextrus/finance-rollout/internal/settings"
)

// Track is a track at the position that the update aims for.
type Track struct {
	Deployment string
	// Labels select the track's pods.
	Labels   map[string]string
	Replicas int
}

// StableTrack is the stable track of a stack with two tracks.
func StableTrack(s *settings.Settings) Track {
	return Track{
		Deployment: names.StableDeployment(s.App), Labels: names.StableLabels(s.App), Replicas: s.Position().Stable,
	}
}

// CanaryTrack is the track of the configured release.
func CanaryTrack(s *settings.Settings) Track {
	return Track{
		Deployment: names.CanaryDeployment(s.App, s.Release), Labels: names.ReleaseLabels(s.App, s.Release),
		Replicas: s.Position().Canary,
	}
}
