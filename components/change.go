package components

import (
	"fmt"
	"strconv"

	"github.com/pulumi/pulumi/sdk/v3/go/common/resource"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"github.com/vextrus/finance-rollout/internal/identity"
	"github.com/vextrus/finance-rollout/internal/names"
)

// TrackChange is the change of a track's Deployment or autoscaler that a hook is called before.
type TrackChange struct {
	// Resource is the name of the resource in the stack, Deployment that of the object in the cluster.
	Resource, Deployment string
	// PodsBefore and PodsAfter are the replicas of a Deployment or the least of an autoscaler; 0 when they are not known.
	PodsBefore, PodsAfter int
	// ChecksumBefore and ChecksumAfter cover the secrets and the configuration of the pods; empty when they are not known.
	ChecksumBefore, ChecksumAfter string
	// OfPods is true for a change of the Deployment, and Identity is what its pods are made of after it; empty when they
	// do not say.
	OfPods   bool
	Identity string
}

// ReadTrackChange reads the change from the arguments of a hook of [Track].
func ReadTrackChange(args *pulumi.ResourceHookArgs) TrackChange {
	_, ofPods := property(args.NewInputs, "spec", "template")
	return TrackChange{
		OfPods: ofPods, Identity: text(args.NewInputs, "spec", "template", "metadata", "annotations", names.Identity),
		Resource: args.Name, Deployment: text(args.NewInputs, "metadata", "name"),
		PodsBefore: pods(args.OldInputs), PodsAfter: pods(args.NewInputs),
		ChecksumBefore: text(args.OldInputs, "spec", "template", "metadata", "annotations", names.Checksum),
		ChecksumAfter:  text(args.NewInputs, "spec", "template", "metadata", "annotations", names.Checksum),
	}
}

// pods are the replicas of a Deployment, or the least of an autoscaler; 0 when they are not known.
func pods(inputs resource.PropertyMap) int {
	for _, key := range []string{"replicas", "minReplicas"} {
		if count, ok := property(inputs, "spec", key); ok && count.IsNumber() {
			return int(count.NumberValue())
		}
	}
	return 0
}

// SelectionChange is the change of the Service that a hook is called before: the track that it selects, empty for both.
type SelectionChange struct{ TrackBefore, TrackAfter string }

// ReadSelectionChange reads the change from the arguments of a hook of [Traffic].
func ReadSelectionChange(args *pulumi.ResourceHookArgs) SelectionChange {
	return SelectionChange{
		TrackBefore: text(args.OldInputs, "spec", "selector", names.Track),
		TrackAfter:  text(args.NewInputs, "spec", "selector", names.Track),
	}
}

// RouteChange is the change of a route that a hook is called before.
type RouteChange struct {
	// Reattached is true when the route gets other Gateways or hosts.
	Reattached bool
	// Rules says for people how the rules change, apart from their backends; empty where they do not.
	Rules string
}

// ReadRouteChange reads the change from the arguments of a hook of [Route].
func ReadRouteChange(args *pulumi.ResourceHookArgs) RouteChange {
	before, after := ruleParts(args.OldInputs), ruleParts(args.NewInputs)
	return RouteChange{Reattached: attachment(args.OldInputs) != attachment(args.NewInputs),
		Rules: identity.Describe(identity.Changes(before, after))}
}

// ruleParts are the rules of a route that split requests or answer them, part by part; nil where they are not known.
// Rules for testers come and go with the canary.
func ruleParts(route resource.PropertyMap) identity.Identity {
	rules, known := property(route, "spec", "rules")
	if !known || !rules.IsArray() {
		return nil
	}
	builder, count := identity.NewBuilder(nil), 0
	for _, item := range rules.ArrayValue() {
		rule, ok := item.Mappable().(map[string]any)
		if !ok {
			return nil
		}
		backends, _ := rule["backendRefs"].([]any)
		delete(rule, "backendRefs")
		if len(backends) == 1 {
			continue
		}
		count++
		builder.Fields(fmt.Sprintf("rule %d", count), rule)
	}
	builder.Plain("rules", strconv.Itoa(count))
	parts, err := builder.Identity()
	if err != nil {
		return nil
	}
	return parts
}

// attachment is the Gateways and hosts of a route, as a text to compare.
func attachment(route resource.PropertyMap) string {
	parents, _ := property(route, "spec", "parentRefs")
	hosts, _ := property(route, "spec", "hostnames")
	return fmt.Sprint(parents.Mappable(), hosts.Mappable())
}

// RecordChange is the change of the release record that a hook is called before.
type RecordChange struct {
	// Image is the image of the release, by digest; empty when it is not known.
	Image string
}

// ReadRecordChange reads the change from the arguments of a hook of [Release].
func ReadRecordChange(args *pulumi.ResourceHookArgs) RecordChange {
	return RecordChange{Image: text(args.NewInputs, "data", "image")}
}

// GuardChange is the change of the guard's configuration that a hook is called before.
type GuardChange struct {
	// Configuration is the text that the guard gets; empty when it is not known.
	Configuration string
}

// ReadGuardChange reads the change from the arguments of a hook of [Guard]; key is that of the configuration.
func ReadGuardChange(args *pulumi.ResourceHookArgs, key string) GuardChange {
	return GuardChange{Configuration: text(args.NewInputs, "data", key)}
}

// property reads a value of a resource's inputs. Nothing is read of what is computed later.
func property(inputs resource.PropertyMap, path ...string) (resource.PropertyValue, bool) {
	at := make(resource.PropertyPath, len(path))
	for i, key := range path {
		at[i] = key
	}
	return at.Get(resource.NewObjectProperty(inputs))
}

// text reads a text of a resource's inputs; empty when it is not known.
func text(inputs resource.PropertyMap, path ...string) string {
	if value, ok := property(inputs, path...); ok && value.IsString() {
		return value.StringValue()
	}
	return ""
}
