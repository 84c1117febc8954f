package guard

import (
	"context"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"

	"github.com/vextrus/finance-rollout/internal/ledger"
	"github.com/vextrus/finance-rollout/internal/names"
)

// Seen is what a guard sees of a rollout, for those who look at it. It must not be changed: the guard goes by the same
// objects.
type Seen struct {
	// Name is that of the ConfigMap with the configuration, and of the guard's Deployment.
	Name   string
	Config Config
	// Deployments and Pods are those of each track, by the track's name; a track without a Deployment has none. The pods
	// are those that the Deployment owns.
	Deployments map[string]*appsv1.Deployment
	Pods        map[string][]*corev1.Pod
	// LedgerVersion is that of the ledger's ConfigMap; empty when there is none.
	LedgerVersion string
	// Ready are the guard's pods that are ready.
	Ready int
}

// Rollouts are the rollouts that this guard was started for, by name, whether it is the leader or not. The list is
// empty until the cluster was listed; a configuration that cannot be used is left out.
func (g *Guard) Rollouts() []Seen {
	if !g.synced.Load() {
		return nil
	}
	var list []Seen
	for _, source := range g.objects.ConfigMaps(ConfigLabel, ConfigValue) {
		config, err := ParseConfig(source.Data[ConfigKey])
		if err != nil || config.Spec.Namespace != source.Namespace || !g.isStartedFor(source.Name) {
			continue
		}
		config.DryRun = config.DryRun || g.options.DryRun
		seen := Seen{Name: source.Name, Config: config, Deployments: map[string]*appsv1.Deployment{},
			Pods: map[string][]*corev1.Pod{}, LedgerVersion: g.objects.ConfigMapVersion(source.Namespace, config.Ledger)}
		seen.track(g.objects, names.Stable, config.stableDeployment(), config.stableLabels())
		seen.track(g.objects, names.Canary, config.canaryDeployment(), config.canaryLabels())
		if deployment, exists := g.objects.Deployment(source.Namespace, source.Name); exists {
			seen.Ready = int(deployment.Status.ReadyReplicas)
		}
		list = append(list, seen)
	}
	return list
}

func (s *Seen) track(objects Objects, track, deployment string, labels map[string]string) {
	if live, exists := objects.Deployment(s.Config.Spec.Namespace, deployment); exists {
		s.Deployments[track] = live
	}
	for _, pod := range objects.Pods(labels) {
		if objects.OwnedBy(pod, deployment) {
			s.Pods[track] = append(s.Pods[track], pod)
		}
	}
}

// History is the ledger of a rollout, with the errors of [ledger.Read].
func (g *Guard) History(ctx context.Context, config Config) (*ledger.Ledger, error) {
	return ledger.Read(ctx, g.store(config))
}
