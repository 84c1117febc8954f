package main

import (
	"context"
	"fmt"

	"github.com/vextrus/finance-rollout/components"
	"github.com/vextrus/finance-rollout/internal/ledger"
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
	options := rollback.Options{
		Namespace: s.settings.Namespace, App: app, Service: s.settings.ServiceName,
		Canary:     map[string]string{podlabel.App: app, podlabel.Track: podlabel.Canary},
		Deployment: app + "-" + release, StableDeployment: app + "-stable", Capacity: s.full(ctx),
		LabelKey: podlabel.Traffic, LabelValue: podlabel.Isolated,
		Reason: reason, Numbers: evidence, Secrets: secrets, Now: s.edges.now,
	}
	if s.settings.IsGateway() {
		service := s.settings.ServiceName
		options.Service = components.TrackService(service, podlabel.Canary)
		options.Divert = rollback.ByWeights(s.cluster, options.Namespace, service, components.TrackWeights(service, 0))
	}
	return rollback.Run(ctx, s.cluster, &recorder{shift: s, image: image, release: release}, options)
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

// recorder notes a rollback in the ledger.
type recorder struct {
	shift          *shift
	image, release string
}

// Begin implements rollback.Recorder. An image that is latched is not latched again, so that a repeated rollback is one.
func (r *recorder) Begin(ctx context.Context, reason string) error {
	_, err := ledger.Append(ctx, r.shift.store(), r.shift.edges.now, func(current *ledger.Ledger) ([]ledger.Entry, error) {
		state := current.State()
		if latch, latched := state.Latch(r.image); latched && latch.Seq != r.shift.settings.Latch.Release {
			return nil, nil
		}
		return []ledger.Entry{{
			Kind: ledger.RollbackBegun, Who: r.shift.edges.who(), Release: r.release, Image: r.image, From: state.Weight, Reason: reason,
		}}, nil
	})
	return err
}

// Finish implements rollback.Recorder.
func (r *recorder) Finish(ctx context.Context, outcome rollback.Outcome) error {
	entry := ledger.Entry{Kind: ledger.RolledBack, Who: r.shift.edges.who(), Release: r.release, Image: r.image, Reason: outcome.Reason}
	if outcome.Evidence != "" {
		entry.Reason += "; evidence in " + outcome.Evidence
	}
	if err := outcome.Err(); err != nil {
		entry.Reason += fmt.Sprintf("; incomplete: %s", err)
	}
	_, err := ledger.Write(ctx, r.shift.store(), r.shift.edges.now, entry)
	return err
}
