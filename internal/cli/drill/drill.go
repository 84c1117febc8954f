// Package drill rehearses a rollback with a real canary. In a stack with one track, such as staging, it starts a canary
// with the track's image and configuration, waits until it serves requests, and rolls it back by the steps of a real
// rollback. It always removes what it created, and leaves the track itself untouched.
//
// It imports no Pulumi and reaches the cluster only through the Cluster interface.
package drill

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/vextrus/finance-rollout/internal/gate"
	"github.com/vextrus/finance-rollout/internal/kube/podstate"
	"github.com/vextrus/finance-rollout/internal/ledger"
	"github.com/vextrus/finance-rollout/internal/names"
	"github.com/vextrus/finance-rollout/internal/rollback"
)

// Release names the drill's canary.
const Release = "drill"

// Cluster is the part of internal/kube's Client that a drill needs.
type Cluster interface {
	rollback.Cluster
	ledger.ConfigMaps
	Deployment(ctx context.Context, namespace, name string) (*appsv1.Deployment, bool, error)
	CreateDeployment(ctx context.Context, deployment *appsv1.Deployment) error
	DeleteDeployment(ctx context.Context, namespace, name string) error
	DeleteConfigMap(ctx context.Context, namespace, name string) error
	WaitEndpoints(ctx context.Context, namespace, service string, selector map[string]string, atLeast int) error
	Replicas(ctx context.Context, namespace, name string) (int, error)
}

// Options describe a drill.
type Options struct {
	Namespace, App, Service string
	// Deployment is the track's Deployment, Track the labels of its pods.
	Deployment string
	Track      map[string]string
	// Ready limits the time until the drill's canary serves requests.
	Ready time.Duration
	Who   string
	// Progress reports the next step of the drill, OnStep each step of the rollback.
	Progress func(text string)
	OnStep   func(rollback.Step)
	Now      func() time.Time
}

// Result is the outcome of a drill.
type Result struct {
	// OutAfter is the time until the Service had no endpoint of the canary.
	OutAfter time.Duration
	Outcome  rollback.Outcome
	// Unhurt is true when all pods of the track were endpoints of the Service afterwards.
	Unhurt bool
}

// Verdict is pass when every step succeeded, the canary was out of traffic and the track was unhurt.
func (r Result) Verdict() gate.Verdict {
	if _, out := r.Outcome.OutOfTraffic(); !out || r.Outcome.Err() != nil || !r.Unhurt {
		return gate.Fail
	}
	return gate.Pass
}

// cleanLimit limits the cleanup, which runs after an interrupt too.
const cleanLimit = 30 * time.Second

// Run holds a drill. It returns an error only if the drill could not start; the outcome of one that did is in the
// result.
func Run(ctx context.Context, cluster Cluster, options Options) (Result, error) {
	track, exists, err := cluster.Deployment(ctx, options.Namespace, options.Deployment)
	if err != nil {
		return Result{}, err
	}
	if !exists {
		return Result{}, fmt.Errorf("there is no Deployment %s/%s: the drill needs the track of its stack; roll it out first",
			options.Namespace, options.Deployment)
	}
	replicas, err := cluster.Replicas(ctx, options.Namespace, options.Deployment)
	if err != nil {
		return Result{}, err
	}
	canary := canaryOf(track, options)
	book := options.App + "-drill-ledger"
	var outcome rollback.Outcome
	defer func() {
		late, cancel := context.WithTimeout(context.WithoutCancel(ctx), cleanLimit)
		defer cancel()
		err := errors.Join(cluster.DeleteDeployment(late, options.Namespace, canary.Name),
			cluster.DeleteConfigMap(late, options.Namespace, book))
		if outcome.Evidence != "" {
			err = errors.Join(err, cluster.DeleteConfigMap(late, options.Namespace, outcome.Evidence))
		}
		if err != nil {
			options.Progress(fmt.Sprintf("the drill's canary, ledger or evidence was not removed: %s", err))
		}
	}()
	if err := begin(ctx, cluster, canary, options); err != nil {
		return Result{}, err
	}
	options.Progress("the canary serves requests; rolling it back")
	store := ledger.InConfigMap{Cluster: cluster, Namespace: options.Namespace, Name: book}
	template := &canary.Spec.Template
	digest := "drill of " + podstate.ImageOf(&template.Spec, template.Labels[names.App])
	outcome = rollback.Run(ctx, cluster, rollback.InLedger{Store: store, Now: options.Now, Who: options.Who,
		Image: digest, Release: Release}, rollback.Options{
		Namespace: options.Namespace, App: canary.Name, Service: options.Service, Canary: canary.Spec.Selector.MatchLabels,
		Deployment: canary.Name, StableDeployment: options.Deployment, Capacity: replicas,
		LabelKey: names.Traffic, LabelValue: names.Isolated,
		Reason: "rehearsal of a rollback", OnStep: options.OnStep, Now: options.Now,
	})
	result := Result{Outcome: outcome}
	result.OutAfter, _ = outcome.OutOfTraffic()
	whole, cancel := context.WithTimeout(ctx, cleanLimit)
	defer cancel()
	result.Unhurt = cluster.WaitEndpoints(whole, options.Namespace, options.Service, options.Track, replicas) == nil
	return result, nil
}

// begin starts the canary and waits until it serves requests. It replaces the remains of an earlier drill.
func begin(ctx context.Context, cluster Cluster, canary *appsv1.Deployment, options Options) error {
	ctx, cancel := context.WithTimeoutCause(ctx, options.Ready, fmt.Errorf("not ready within %v", options.Ready))
	defer cancel()
	options.Progress(fmt.Sprintf("starting %s, a canary with the track's image, in %s", canary.Name, options.Namespace))
	if err := cluster.DeleteDeployment(ctx, options.Namespace, canary.Name); err != nil {
		return err
	}
	if err := cluster.CreateDeployment(ctx, canary); err != nil {
		return err
	}
	return cluster.WaitEndpoints(ctx, options.Namespace, options.Service, canary.Spec.Selector.MatchLabels, 1)
}

// canaryOf is the drill's canary: one pod like those of the track, with the labels of a canary.
func canaryOf(track *appsv1.Deployment, options Options) *appsv1.Deployment {
	selector := map[string]string{names.App: options.App, names.Track: names.Canary, names.Version: Release}
	spec := *track.Spec.DeepCopy()
	one := int32(1)
	spec.Replicas, spec.Selector = &one, &metav1.LabelSelector{MatchLabels: selector}
	labels := maps.Clone(spec.Template.Labels)
	maps.Copy(labels, selector)
	labels[names.Traffic] = names.Enabled
	spec.Template.Labels = labels
	for i := range spec.Template.Spec.TopologySpreadConstraints {
		spec.Template.Spec.TopologySpreadConstraints[i].LabelSelector = spec.Selector
	}
	identity := maps.Clone(labels)
	maps.DeleteFunc(identity, func(key, _ string) bool {
		return !slices.Contains([]string{names.App, names.Track, names.Version, names.Environment}, key)
	})
	return &appsv1.Deployment{ObjectMeta: metav1.ObjectMeta{Name: names.CanaryDeployment(options.App, Release),
		Namespace: options.Namespace, Labels: identity}, Spec: spec}
}
