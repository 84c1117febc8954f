package main

import (
	"context"

	"github.com/vextrus/finance-rollout/internal/podlabel"
	"github.com/vextrus/finance-rollout/internal/rollback"
)

// rollBack takes the canary out of traffic and latches its image.
func (s *shift) rollBack(ctx context.Context, image, release, reason string, evidence map[string]string) rollback.Outcome {
	app := s.settings.App
	var secrets []string
	for _, entries := range s.settings.Secrets {
		for _, value := range entries {
			secrets = append(secrets, value.Reveal())
		}
	}
	recorder := rollback.InLedger{
		Store: s.store(), Now: s.edges.now, Who: s.edges.who(), Image: image, Release: release, Released: s.settings.Latch.Release,
	}
	return rollback.Run(ctx, s.cluster, recorder, rollback.Options{
		Namespace: s.settings.Namespace, App: app, Service: s.settings.ServiceName,
		Canary:     map[string]string{podlabel.App: app, podlabel.Track: podlabel.Canary},
		Deployment: app + "-" + release, StableDeployment: app + "-stable", Capacity: s.settings.Replicas,
		LabelKey: podlabel.Traffic, LabelValue: podlabel.Isolated,
		Reason: reason, Numbers: evidence, Secrets: secrets, Now: s.edges.now,
	})
}
