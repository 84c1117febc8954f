package main

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/pulumi/pulumi/sdk/v3/go/common/resource"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"github.com/vextrus/finance-rollout/components"
	"github.com/vextrus/finance-rollout/internal/gate"
	"github.com/vextrus/finance-rollout/internal/names"
	"github.com/vextrus/finance-rollout/internal/rollout"
	"github.com/vextrus/finance-rollout/internal/settings"
	"github.com/vextrus/finance-rollout/internal/verify"
)

// hooks makes the resource hooks of the stack. They call plain functions and hold no decision themselves.
type hooks struct {
	ctx      *pulumi.Context
	settings *settings.Settings
	cluster  cluster
	edges    edges
	shift    *shift
	// router moves the requests where a route splits them; nil where only the pods do.
	router *router
}

// info implements speaker.
func (h *hooks) info(text string) error { return h.ctx.Log.Info(text, nil) }

// warn implements speaker.
func (h *hooks) warn(text string) error { return h.ctx.Log.Warn(text, nil) }

// advance makes the hook in front of whatever moves requests. It runs on preview too, so that a pull request shows
// what an update would be told.
func (h *hooks) advance() (*pulumi.ResourceHook, error) {
	hook, err := h.ctx.RegisterResourceHook("advance", func(*pulumi.ResourceHookArgs) error {
		return h.shift.judge(h.ctx.Context())
	}, &pulumi.ResourceHookOptions{OnDryRun: true})
	if err != nil {
		return nil, fmt.Errorf("register hook: %w", err)
	}
	return hook, nil
}

// other is the track that takes over when one shrinks.
type other struct {
	deployment string
	labels     map[string]string
	replicas   int
}

// capacity makes the hooks of a track. The advance gate comes first. When the track shrinks, the next hook waits
// until the requests that it takes are taken elsewhere, so that at every moment the pods that take requests are at
// least those of the plan. When that does not come about, the track stays as it is and the update fails with what it
// waited for.
func (h *hooks) capacity(track string, other other, advance *pulumi.ResourceHook) (*pulumi.ResourceHookBinding, error) {
	hook, err := h.ctx.RegisterResourceHook("capacity-"+track, func(args *pulumi.ResourceHookArgs) error {
		if track == names.Stable {
			if err := h.beforeRoll(h.ctx.Context(), args, other); err != nil {
				return err
			}
		}
		return h.beforeShrink(h.ctx.Context(), args, track, other)
	}, nil)
	if err != nil {
		return nil, fmt.Errorf("register hook: %w", err)
	}
	return &pulumi.ResourceHookBinding{
		BeforeCreate: []*pulumi.ResourceHook{advance}, BeforeUpdate: []*pulumi.ResourceHook{advance, hook},
	}, nil
}

// beforeRoll stands in front of the stable track when a changed secret or configuration replaces its pods: the
// canary's are replaced first, so that what a pod cannot start with stops at the few of them. A stable track that
// grows does not wait, because the canary that shrinks then waits for it.
func (h *hooks) beforeRoll(ctx context.Context, args *pulumi.ResourceHookArgs, canary other) error {
	before, after := rolledBy(args.OldInputs), rolledBy(args.NewInputs)
	if before == "" || after == "" || before == after || canary.replicas == 0 ||
		podsOf(args.NewInputs) > podsOf(args.OldInputs) {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, time.Duration(h.settings.ProgressLimit))
	defer cancel()
	err := h.cluster.WaitDeploymentAnnotated(ctx, h.settings.Namespace, canary.deployment, components.AnnotationChecksum,
		after, canary.replicas)
	if err != nil {
		return fmt.Errorf("%s keeps its pods, because the canary is not ready with the changed secrets or configuration: %w",
			args.Name, err)
	}
	return nil
}

// rolledBy reads the checksum of the secrets and configuration that a Deployment's pods are made with; empty when it
// is not known.
func rolledBy(deployment resource.PropertyMap) string {
	path := resource.PropertyPath{"spec", "template", "metadata", "annotations", components.AnnotationChecksum}
	value, ok := path.Get(resource.NewObjectProperty(deployment))
	if !ok || !value.IsString() {
		return ""
	}
	return value.StringValue()
}

// beforeShrink looks whether the Deployment or the autoscaler of the hook is about to have fewer pods. What counts is
// how many there are in the cluster: after a rollback those are others than the stack's state tells.
func (h *hooks) beforeShrink(ctx context.Context, args *pulumi.ResourceHookArgs, track string, other other) error {
	live, err := h.cluster.Replicas(ctx, h.settings.Namespace, objectName(args.NewInputs))
	if err != nil {
		return err
	}
	before := max(podsOf(args.OldInputs), live)
	if podsOf(args.NewInputs) >= before {
		return nil
	}
	routed := false
	if h.router != nil {
		routed, err = h.router.beforeShrink(ctx, track)
	}
	// Without a route, or where it is about to go, the requests come through the Service.
	if err == nil && (!routed || !h.settings.IsGateway()) {
		err = h.awaitOther(ctx, other)
	}
	if err == nil {
		err = h.shift.latest(ctx)
	}
	if err != nil {
		return fmt.Errorf("%s stays at %d pods, because %w", args.Name, before, err)
	}
	return nil
}

// awaitOther waits until the other track is ready at its target size and has its place among the Service's endpoints.
// Both tracks are updated at the same time, therefore the wait ends.
func (h *hooks) awaitOther(ctx context.Context, other other) error {
	if other.replicas == 0 {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, time.Duration(h.settings.ProgressLimit))
	defer cancel()
	err := h.cluster.WaitDeploymentReady(ctx, h.settings.Namespace, other.deployment, other.replicas)
	if err == nil {
		err = h.cluster.WaitEndpoints(ctx, h.settings.Namespace, h.settings.ServiceName, other.labels, other.replicas)
	}
	if err != nil {
		return fmt.Errorf("%s is not ready to take over: %w", other.deployment, err)
	}
	return nil
}

// selection makes the hooks of the Service. Before it selects other tracks, those must be ready at their target size.
func (h *hooks) selection(takes other, advance *pulumi.ResourceHook) (*pulumi.ResourceHookBinding, error) {
	hook, err := h.ctx.RegisterResourceHook("selection", func(args *pulumi.ResourceHookArgs) error {
		if selectedTrack(args.OldInputs) == selectedTrack(args.NewInputs) || takes.replicas == 0 {
			return nil
		}
		ctx, cancel := context.WithTimeout(h.ctx.Context(), time.Duration(h.settings.ProgressLimit))
		defer cancel()
		if err := h.cluster.WaitDeploymentReady(ctx, h.settings.Namespace, takes.deployment, takes.replicas); err != nil {
			return fmt.Errorf("service %s keeps its selector, because %s is not ready to take requests: %w",
				h.settings.ServiceName, takes.deployment, err)
		}
		if err := h.shift.latest(ctx); err != nil {
			return fmt.Errorf("service %s keeps its selector: %w", h.settings.ServiceName, err)
		}
		return nil
	}, nil)
	if err != nil {
		return nil, fmt.Errorf("register hook: %w", err)
	}
	return &pulumi.ResourceHookBinding{BeforeUpdate: []*pulumi.ResourceHook{advance, hook}}, nil
}

// selectedTrack reads the track that a Service selects; empty for both.
func selectedTrack(service resource.PropertyMap) string {
	spec, ok := service["spec"]
	if !ok || !spec.IsObject() {
		return ""
	}
	selector, ok := spec.ObjectValue()["selector"]
	if !ok || !selector.IsObject() {
		return ""
	}
	if track := selector.ObjectValue()[names.Track]; track.IsString() {
		return track.StringValue()
	}
	return ""
}

// route makes the hooks of the route: the tracks are ready and the weights are in force before the provider notes them.
func (h *hooks) route(advance *pulumi.ResourceHook) (*pulumi.ResourceHookBinding, error) {
	hook, err := h.ctx.RegisterResourceHook("route", func(args *pulumi.ResourceHookArgs) error {
		return h.router.beforeRoute(h.ctx.Context(), attached(args.OldInputs) != attached(args.NewInputs))
	}, nil)
	if err != nil {
		return nil, fmt.Errorf("register hook: %w", err)
	}
	both := []*pulumi.ResourceHook{advance, hook}
	return &pulumi.ResourceHookBinding{BeforeCreate: both, BeforeUpdate: both}, nil
}

// attached is where a route is attached: its Gateways and hosts, as a text to compare.
func attached(route resource.PropertyMap) string {
	spec, ok := route["spec"]
	if !ok || !spec.IsObject() {
		return ""
	}
	return fmt.Sprint(spec.ObjectValue()["parentRefs"].Mappable(), spec.ObjectValue()["hostnames"].Mappable())
}

// objectName reads metadata.name; empty when it is not known.
func objectName(object resource.PropertyMap) string {
	if metadata, ok := object["metadata"]; ok && metadata.IsObject() {
		if name := metadata.ObjectValue()["name"]; name.IsString() {
			return name.StringValue()
		}
	}
	return ""
}

// podsOf reads the replicas of a Deployment, or the least of an autoscaler; 0 when it is not known.
func podsOf(object resource.PropertyMap) int {
	spec, ok := object["spec"]
	if !ok || !spec.IsObject() {
		return 0
	}
	for _, key := range []resource.PropertyKey{"replicas", "minReplicas"} {
		if count, ok := spec.ObjectValue()[key]; ok && count.IsNumber() {
			return int(count.NumberValue())
		}
	}
	return 0
}

// verify makes the hook of the release record: smoke suite, then bake. It runs before the record is written, so that
// a release that did not pass is not recorded and an unchanged update runs the gate again. A canary that is shown to
// be bad is taken out of traffic at once.
func (h *hooks) verify() (*pulumi.ResourceHookBinding, error) {
	hook, err := h.ctx.RegisterResourceHook("verify", func(args *pulumi.ResourceHookArgs) error {
		return h.verifyRelease(h.ctx.Context(), recorded(args.NewInputs, "image"))
	}, nil)
	if err != nil {
		return nil, fmt.Errorf("register hook: %w", err)
	}
	once := []*pulumi.ResourceHook{hook}
	return &pulumi.ResourceHookBinding{BeforeCreate: once, BeforeUpdate: once}, nil
}

func (h *hooks) verifyRelease(ctx context.Context, image string) error {
	if !h.settings.IsSingle() {
		// A position whose other resources did not change comes here without having been judged: after a rollback, say.
		if err := h.shift.judge(ctx); err != nil {
			return err
		}
	}
	if err := h.asPlanned(ctx); err != nil {
		return err
	}
	if h.settings.IsGateway() {
		// What is looked at are requests by the weights that the Gateway has accepted, and nothing earlier.
		if err := h.router.settled(ctx); err != nil {
			return err
		}
	}
	options, err := h.verifyOptions(image)
	if err != nil {
		return err
	}
	report, err := verify.Run(ctx, h.cluster, options)
	if err != nil {
		return h.refused(ctx, err, image)
	}
	if !h.settings.IsSingle() {
		if err := h.shift.reached(ctx); err != nil {
			return err
		}
	}
	return h.info(fmt.Sprintf("%s %s passed its gate\n%s", options.Track, options.Release, report))
}

// asPlanned checks that the tracks have the pods of the position: where the pod count is the weight, another count is
// another weight than the one that would be recorded. The stack's state does not tell what a rollback or somebody
// else has scaled. How many pods an autoscaler has is its own affair.
func (h *hooks) asPlanned(ctx context.Context) error {
	s := h.settings
	if s.IsSingle() {
		return nil
	}
	planned := map[string]int{}
	if s.Stable.Autoscale == nil {
		planned[names.StableDeployment(s.App)] = s.Position().Stable
	}
	if s.Canary.Autoscale == nil {
		planned[names.CanaryDeployment(s.App, s.Release)] = s.Position().Canary
	}
	for _, deployment := range slices.Sorted(maps.Keys(planned)) {
		live, err := h.cluster.Replicas(ctx, s.Namespace, deployment)
		if err != nil {
			return err
		}
		// By weights, more pods change no share; an autoscaler that this update takes away may still have them.
		if live < planned[deployment] || live > planned[deployment] && !s.IsGateway() {
			return fmt.Errorf("deployment %s/%s has %d pods and shall have %d: somebody else has scaled it; to resolve: "+
				"pulumi up --refresh",
				s.Namespace, deployment, live, planned[deployment])
		}
	}
	return nil
}

// refused rolls back a canary that is shown to be bad. Whoever could not be looked at stays.
func (h *hooks) refused(ctx context.Context, refused error, image string) error {
	// Who takes the pods away while they are looked at may well make them fail: that says nothing about the canary.
	if moved, ok := errors.AsType[*overtakenError](h.shift.latest(ctx)); ok {
		return errors.Join(moved, refused)
	}
	failure, ok := errors.AsType[*verify.RefusedError](refused)
	if !ok || failure.Report.Verdict != gate.Fail || !h.settings.HasCanary() {
		return refused
	}
	outcome := h.shift.rollBack(ctx, names.Digest(image), h.settings.Release, failure.Summary(),
		map[string]string{"report": failure.Report.String()})
	return fmt.Errorf("%w\n%s", refused, outcome)
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
	options, err := rollout.Verification(s, rollout.SubjectOf(s), image, h.edges.getenv, h.edges.now)
	if err != nil {
		return verify.Options{}, err
	}
	// Going back to no canary must not need requests: only a release that takes them is baked.
	if s.Bake.Duration > 0 && (s.HasCanary() || s.IsSingle()) {
		prometheus, err := h.edges.prometheus(h.cluster, s.Prometheus)
		if err != nil {
			return verify.Options{}, err
		}
		options.Bake = func(ctx context.Context) gate.Evaluation {
			ctx, stop := context.WithCancelCause(ctx)
			defer stop(nil)
			found := bake(ctx, s, prometheus, h.edges, func(gate.Evaluation) {
				if moved, ok := errors.AsType[*overtakenError](h.shift.latest(ctx)); ok {
					stop(moved)
				}
			})
			return own(ctx, s, h.cluster, found)
		}
	}
	return options, nil
}
