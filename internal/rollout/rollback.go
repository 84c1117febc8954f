package rollout

import (
	"time"

	"github.com/vextrus/finance-rollout/internal/ledger"
	"github.com/vextrus/finance-rollout/internal/podlabel"
	"github.com/vextrus/finance-rollout/internal/rollback"
	"github.com/vextrus/finance-rollout/internal/settings"
)

// Rollback says what rolling a release back takes out, and why. Numbers are kept with the evidence.
func Rollback(s *settings.Settings, release, reason string, numbers map[string]string, now func() time.Time) rollback.Options {
	return rollback.Options{
		Namespace: s.Namespace, App: s.App, Service: s.ServiceName, Canary: CanaryLabels(s),
		Deployment: CanaryDeployment(s, release), StableDeployment: StableDeployment(s), Capacity: s.Replicas,
		LabelKey: podlabel.Traffic, LabelValue: podlabel.Isolated,
		Reason: reason, Numbers: numbers, Secrets: s.Revealed(), Now: now,
	}
}

// Recorder notes a rollback in the ledger.
func Recorder(store ledger.Store, s *settings.Settings, who, image, release string, now func() time.Time) rollback.InLedger {
	return rollback.InLedger{Store: store, Now: now, Who: who, Image: image, Release: release, Released: s.Latch.Release}
}
