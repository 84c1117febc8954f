package rollout

import (
	"github.com/vextrus/finance-rollout/internal/names"
	"github.com/vextrus/finance-rollout/internal/rollback"
	"github.com/vextrus/finance-rollout/internal/settings"
)

// RollbackSpec names all that rolling a release back touches.
func RollbackSpec(s *settings.Settings, release string) rollback.Spec {
	spec := rollback.Spec{
		Namespace: s.Namespace, App: s.App, Release: release, Service: s.ServiceName,
		StableDeployment: StableDeployment(s), Capacity: s.Replicas,
	}
	if s.IsGateway() {
		spec.Service = names.TrackService(s.ServiceName, names.Canary)
		spec.Route = &rollback.Route{Name: s.RouteName(), Weights: names.TrackWeights(s.ServiceName, 0)}
	}
	return spec
}

// Rollback says how a release is rolled back, and why. The numbers are kept with the evidence.
func (r *Rollout) Rollback(release, reason string, numbers map[string]string) rollback.Options {
	options := RollbackSpec(r.Settings, release).Options(r.Cluster, r.Clock.Now, reason, numbers)
	options.Secrets = r.Settings.Revealed()
	return options
}

// Recorder notes a rollback of the image in the ledger.
func (r *Rollout) Recorder(image, release string) rollback.InLedger {
	return rollback.InLedger{
		Store: r.Ledger(), Now: r.Clock.Now, Who: r.Who, Image: image, Release: release,
		Released: r.Settings.Latch.Release,
	}
}
