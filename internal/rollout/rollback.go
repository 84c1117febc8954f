package rollout

import (
	"context"
	"time"

	"github.com/vextrus/finance-rollout/internal/ledger"
	"github.com/vextrus/finance-rollout/internal/names"
	"github.com/vextrus/finance-rollout/internal/rollback"
	"github.com/vextrus/finance-rollout/internal/settings"
)

// Cluster is what a rollback needs of the cluster; internal/kube's Client.
type Cluster interface {
	rollback.Cluster
	rollback.Opener
	rollback.Route
	// Replicas is how many pods a Deployment shall have now.
	Replicas(ctx context.Context, namespace, name string) (int, error)
}

// Rollback says what rolling a release back takes out, and why. Numbers are kept with the evidence.
func Rollback(ctx context.Context, cluster Cluster, s *settings.Settings, release, reason string,
	numbers map[string]string, now func() time.Time) rollback.Options {
	options := rollback.Options{
		Namespace: s.Namespace, App: s.App, Service: s.ServiceName, Canary: names.CanaryLabels(s.App),
		Deployment: names.CanaryDeployment(s.App, release), StableDeployment: StableDeployment(s),
		Capacity: capacity(ctx, cluster, s),
		LabelKey: names.Traffic, LabelValue: names.Isolated,
		Reason: reason, Numbers: numbers, Secrets: s.Revealed(), Now: now,
	}
	options.Divert = rollback.ByOpening(cluster, names.Track, options)
	if s.IsGateway() {
		options.Service = names.TrackService(s.ServiceName, names.Canary)
		options.Divert = rollback.ByWeights(cluster, options.Namespace, s.ServiceName, names.TrackWeights(s.ServiceName, 0))
	}
	return options
}

// capacity is how many stable pods can take all requests. An autoscaler may have found that it takes more than the
// plan says; where the cluster does not tell, the plan counts.
func capacity(ctx context.Context, cluster Cluster, s *settings.Settings) int {
	if s.Stable.Autoscale == nil {
		return s.Replicas
	}
	live, err := cluster.Replicas(ctx, s.Namespace, StableDeployment(s))
	if err != nil {
		return s.Replicas
	}
	return max(s.Replicas, live)
}

// Recorder notes a rollback in the ledger.
func Recorder(store ledger.Store, s *settings.Settings, who, image, release string,
	now func() time.Time) rollback.InLedger {
	return rollback.InLedger{Store: store, Now: now, Who: who, Image: image, Release: release, Released: s.Latch.Release}
}
