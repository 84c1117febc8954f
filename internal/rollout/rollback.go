package rollout

import (
	"time"

	"github.com/vextrus/finance-rollout/internal/ledger"
	"github.com/vextrus/finance-rollout/internal/names"
	"github.com/vextrus/finance-rollout/internal/rollback"
	"github.com/vextrus/finance-rollout/internal/settings"
)

// Cluster is what a rollback needs of the cluster; internal/kube's Client.
type Cluster interface {
	rollback.Cluster
	rollback.Traffic
}

// RollbackSpec is what rolling a release back touches.
func RollbackSpec(s *settings.Settings, release string) rollback.Spec {
	spec := rollback.Spec{
		Namespace: s.Namespace, App: s.App, Release: release, Service: s.ServiceName,
		StableDeployment: StableDeployment(s), Capacity: s.Replicas,
	}
	if s.IsGateway() {
		spec.Service = names.TrackService(s.ServiceName, names.Canary)
		spec.Route = &rollback.Route{Name: s.ServiceName, Weights: names.TrackWeights(s.ServiceName, 0)}
	}
	return spec
}

// Rollback gives the rollback of a release for a reason. The numbers are kept with the evidence.
func Rollback(cluster Cluster, s *settings.Settings, release, reason string, numbers map[string]string,
	now func() time.Time) rollback.Options {
	options := RollbackSpec(s, release).Options(cluster, now, reason, numbers)
	options.Secrets = s.Revealed()
	return options
}

// Recorder notes a rollback in the ledger.
func Recorder(store ledger.Store, s *settings.Settings, who, image, release string,
	now func() time.Time) rollback.InLedger {
	return rollback.InLedger{Store: store, Now: now, Who: who, Image: image, Release: release, Released: s.Latch.Release}
}
