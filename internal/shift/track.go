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

// SelectedTrack is the only track that the Service selects at the position that the update aims for, empty for both.
func SelectedTrack(s *settings.Settings) string {
	switch {
	case s.IsGateway():
		// Requests that do not come through the Gateway take no part in the trial.
		return names.Stable
	case s.Position().Warm:
		return names.Canary
	default:
		return ""
	}
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
