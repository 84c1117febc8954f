package main

import (
	"context"
	"fmt"
	"time"

	"github.com/pulumi/pulumi/sdk/v3/go/common/resource"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"github.com/vextrus/finance-rollout/components"
	"github.com/vextrus/finance-rollout/internal/gate"
	"github.com/vextrus/finance-rollout/internal/settings"
	"github.com/vextrus/finance-rollout/internal/verify"
)

// hooks makes the resource hooks of the stack. They call plain functions and hold no decision themselves.
type hooks struct {
	ctx      *pulumi.Context
	settings *settings.Settings
	cluster  cluster
	edges    edges
}

// capacity makes the hook of a track: when the track shrinks, it waits until the other one is ready at its target size, so
// that at every moment the ready pods are at least those of the plan. Both tracks are updated at the same time, therefore
// the wait ends. When it does not, the track stays as it is and the update fails with what it waited for.
func (h *hooks) capacity(track, other string, otherReplicas int) (*pulumi.ResourceHookBinding, error) {
	hook, err := h.ctx.RegisterResourceHook("capacity-"+track, func(args *pulumi.ResourceHookArgs) error {
		return h.awaitOther(h.ctx.Context(), args, other, otherReplicas)
	}, nil)
	if err != nil {
		return nil, fmt.Errorf("register hook: %w", err)
	}
	return &pulumi.ResourceHookBinding{BeforeUpdate: []*pulumi.ResourceHook{hook}}, nil
}

// awaitOther waits for the other track when the Deployment of the hook is about to shrink.
func (h *hooks) awaitOther(ctx context.Context, args *pulumi.ResourceHookArgs, other string, otherReplicas int) error {
	before, after := replicas(args.OldInputs), replicas(args.NewInputs)
	if after >= before || otherReplicas == 0 {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, time.Duration(h.settings.ProgressLimit))
	defer cancel()
	if err := h.cluster.WaitDeploymentReady(ctx, h.settings.Namespace, other, otherReplicas); err != nil {
		return fmt.Errorf("%s stays at %d pods, because %s is not ready to take over: %w", args.Name, before, other, err)
	}
	return nil
}

// replicas reads spec.replicas of a Deployment; 0 when it is not known.
func replicas(deployment resource.PropertyMap) int {
	spec, ok := deployment["spec"]
	if !ok || !spec.IsObject() {
		return 0
	}
	count, ok := spec.ObjectValue()["replicas"]
	if !ok || !count.IsNumber() {
		return 0
	}
	return int(count.NumberValue())
}

// verify makes the hook of the release record: smoke suite, then bake. It runs before the record is written, so that a
// release that did not pass is not recorded and an unchanged update runs the gate again.
func (h *hooks) verify() (*pulumi.ResourceHookBinding, error) {
	hook, err := h.ctx.RegisterResourceHook("verify", func(args *pulumi.ResourceHookArgs) error {
		options, err := h.verifyOptions(recorded(args.NewInputs, "image"))
		if err != nil {
			return err
		}
		report, err := verify.Run(h.ctx.Context(), h.cluster, options)
		if err != nil {
			return err
		}
		return h.ctx.Log.Info(fmt.Sprintf("%s %s passed its gate\n%s", options.Track, options.Release, report), nil)
	}, nil)
	if err != nil {
		return nil, fmt.Errorf("register hook: %w", err)
	}
	once := []*pulumi.ResourceHook{hook}
	return &pulumi.ResourceHookBinding{BeforeCreate: once, BeforeUpdate: once}, nil
}

// recorded reads an entry of the release record; empty when it is not known.
func recorded(configMap resource.PropertyMap, key resource.PropertyKey) string {
	data, ok := configMap["data"]
	if !ok || !data.IsObject() {
		return ""
	}
	if value := data.ObjectValue()[key]; value.IsString() {
		return value.StringValue()
	}
	return ""
}

func (h *hooks) verifyOptions(image string) (verify.Options, error) {
	s := h.settings
	suite, values, err := smokeSuite(s, h.edges)
	if err != nil {
		return verify.Options{}, err
	}
	options := verify.Options{
		Namespace: s.Namespace, Labels: releaseLabels(s), Port: int(s.Container),
		Release: releaseVersion(s), Image: image, Track: releaseTrack(s), RecordName: s.App + "-verification",
		Suite: suite, Values: values, SmokeTimeout: time.Duration(s.Smoke.Timeout),
		Now: h.edges.now,
	}
	// Going back to no canary must not need requests: only a release that takes them is baked.
	if s.Bake.Duration > 0 && (s.HasCanary() || s.IsSingle()) {
		prometheus, err := h.edges.prometheus(h.cluster, s.Prometheus)
		if err != nil {
			return verify.Options{}, err
		}
		options.Bake = func(ctx context.Context) gate.Evaluation { return bake(ctx, s, prometheus) }
	}
	return options, nil
}

// releaseTrack is the track that the release runs on: the canary's, or the only one there is.
func releaseTrack(s *settings.Settings) string {
	if s.HasCanary() {
		return components.TrackCanary
	}
	return components.TrackStable
}

// releaseVersion is the version label of the pods that are verified.
func releaseVersion(s *settings.Settings) string {
	if s.HasCanary() || s.IsSingle() {
		return s.Release
	}
	return s.StableLabel
}

// releaseLabels select the pods of the release.
func releaseLabels(s *settings.Settings) map[string]string {
	labels := map[string]string{components.LabelApp: s.App, components.LabelTrack: releaseTrack(s)}
	if s.HasCanary() {
		labels[components.LabelVersion] = s.Release
	}
	return labels
}
