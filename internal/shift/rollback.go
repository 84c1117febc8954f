package shift

import (
	"context"

	"github.com/vextrus/finance-rollout/internal/names"
	"github.com/vextrus/finance-rollout/internal/rollback"
)

// rollBack takes the canary out of traffic and latches its image.
func (s *Shift) rollBack(ctx context.Context, image, release, reason string,
	evidence map[string]string) rollback.Outcome {
	recorder := s.rollout.Recorder(image, release)
	live, exists, err := s.cluster.Deployment(ctx, s.rollout.Settings.Namespace,
		names.CanaryDeployment(s.rollout.Settings.App, release))
	if err == nil && exists {
		recorder.Identity = live.Spec.Template.Annotations[names.Identity]
	}
	return rollback.Run(ctx, s.cluster, recorder, s.rollout.Rollback(release, reason, evidence))
}
