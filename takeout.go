package main

import (
	"context"

	"github.com/vextrus/finance-rollout/components"
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
	options := rollback.Options{
		Namespace: s.settings.Namespace, App: app, Service: s.settings.ServiceName,
		Canary:     map[string]string{podlabel.App: app, podlabel.Track: podlabel.Canary},
		Deployment: app + "-" + release, StableDeployment: app + "-stable", Capacity: s.full(ctx),
		LabelKey: podlabel.Traffic, LabelValue: podlabel.Isolated,
		Reason: reason, Numbers: evidence, Secrets: secrets, Now: s.edges.now,
	}
	options.Divert = rollback.ByOpening(s.cluster, podlabel.Track, options)
	if s.settings.IsGateway() {
		service := s.settings.ServiceName
		options.Service = components.TrackService(service, podlabel.Canary)
		options.Divert = rollback.ByWeights(s.cluster, options.Namespace, service, components.TrackWeights(service, 0))
	}
	return rollback.Run(ctx, s.cluster, recorder, options)
}

// full is how many stable pods can take all requests. An autoscaler may have found that it takes more than the plan says; where
// the cluster does not tell, the plan counts.
func (s *shift) full(ctx context.Context) int {
	planned := s.settings.Replicas
	if s.settings.Stable.Autoscale == nil {
		return planned
	}
	live, err := s.cluster.Replicas(ctx, s.settings.Namespace, s.settings.App+"-stable")
	if err != nil {
		return planned
	}
	return max(planned, live)
}
