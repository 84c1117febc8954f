// Package drill drills a rollback for real: in a stack with one track, such as staging, it puts a canary of the same
// image and configuration beside the track, waits until it has requests, and takes it out by the same steps as a real
// rollback. What it made is taken away again, whatever happens, and the track itself is left as it was.
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
	"github.com/vextrus/finance-rollout/internal/ledger"
	"github.com/vextrus/finance-rollout/internal/names"
	"github.com/vextrus/finance-rollout/internal/rollback"
)

// Release is what the drill's canary is called.
const Release = "drill"

// Cluster is what a drill needs; internal/kube's Client.
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

// Options say where the drill takes place.
type Options struct {
	Namespace, App, Service string
	// Deployment is that of the track, and Track its labels.
	Deployment string
	Track      map[string]string
	// Ready is how long the drill's canary may take until it has requests.
	Ready time.Duration
	Who   string
	// Tell says what is done next, OnStep is told of the rollback's steps.
	Tell   func(text string)
	OnStep func(rollback.Step)
	Now    func() time.Time
}

// Result is what a drill found.
type Result struct {
	// OutAfter is how long it took until no endpoint of the canary was left.
	OutAfter time.Duration
	Outcome  rollback.Outcome
	// Unhurt tells that the track had all its pods among the endpoints afterwards.
	Unhurt bool
}

// Verdict is pass when every step was done, the canary was out of traffic and the track was left whole.
func (r Result) Verdict() gate.Verdict {
	if _, out := r.Outcome.OutOfTraffic(); !out || r.Outcome.Err() != nil || !r.Unhurt {
		return gate.Fail
	}
	return gate.Pass
}

// cleanLimit bounds the cleaning up, which happens after an interrupt too.
const cleanLimit = 30 * time.Second

// Run drills. The error says that the drill could not be held; what a drill that was held found is in the result.
func Run(ctx context.Context, cluster Cluster, options Options) (Result, error) {
	track, exists, err := cluster.Deployment(ctx, options.Namespace, options.Deployment)
	if err != nil {
		return Result{}, err
	}
	if !exists {
		return Result{}, fmt.Errorf("there is no Deployment %s/%s to drill beside", options.Namespace, options.Deployment)
	}
	replicas, err := cluster.Replicas(ctx, options.Namespace, options.Deployment)
	if err != nil {
		return Result{}, err
	}
	canary := canaryOf(track, options)
	book := options.App + "-drill-ledger"
	defer func() {
		late, cancel := context.WithTimeout(context.WithoutCancel(ctx), cleanLimit)
		defer cancel()
		err := errors.Join(cluster.DeleteDeployment(late, options.Namespace, canary.Name),
			cluster.DeleteConfigMap(late, options.Namespace, book))
		if err != nil {
			options.Tell(fmt.Sprintf("what the drill made is not gone: %s", err))
		}
	}()
	if err := begin(ctx, cluster, canary, options); err != nil {
		return Result{}, err
	}
	options.Tell("the canary has requests; rolling it back")
	store := ledger.InConfigMap{Cluster: cluster, Namespace: options.Namespace, Name: book}
	digest := "drill of " + canary.Spec.Template.Spec.Containers[0].Image
	outcome := rollback.Run(ctx, cluster, rollback.InLedger{Store: store, Now: options.Now, Who: options.Who,
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

// begin makes the canary and waits until it has requests. What an earlier drill left behind is replaced.
func begin(ctx context.Context, cluster Cluster, canary *appsv1.Deployment, options Options) error {
	ctx, cancel := context.WithTimeoutCause(ctx, options.Ready, fmt.Errorf("not within %v", options.Ready))
	defer cancel()
	options.Tell(fmt.Sprintf("making %s, a canary of the same image, in %s", canary.Name, options.Namespace))
	if err := cluster.DeleteDeployment(ctx, options.Namespace, canary.Name); err != nil {
		return err
	}
	if err := cluster.CreateDeployment(ctx, canary); err != nil {
		return err
	}
	return cluster.WaitEndpoints(ctx, options.Namespace, options.Service, canary.Spec.Selector.MatchLabels, 1)
}

// canaryOf is the drill's canary: one pod like those of the track, with labels of its own.
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
	own := maps.Clone(labels)
	maps.DeleteFunc(own, func(key, _ string) bool {
		return !slices.Contains([]string{names.App, names.Track, names.Version, names.Environment}, key)
	})
	return &appsv1.Deployment{ObjectMeta: metav1.ObjectMeta{Name: names.CanaryDeployment(options.App, Release),
		Namespace: options.Namespace, Labels: own}, Spec: spec}
}
