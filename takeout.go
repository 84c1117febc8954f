package main

import (
	"context"

	"github.com/vextrus/finance-rollout/internal/rollback"
	"github.com/vextrus/finance-rollout/internal/rollout"
)

// rollBack takes the canary out of traffic and latches its image.
func (s *shift) rollBack(ctx context.Context, image, release, reason string,
	evidence map[string]string) rollback.Outcome {
	recorder := rollout.Recorder(s.store(), s.settings, s.edges.who(), image, release, s.edges.now)
	return rollback.Run(ctx, s.cluster, recorder, rollout.Rollback(s.cluster, s.settings, release, reason, evidence,
		s.edges.now))
}
