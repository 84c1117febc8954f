package main

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"github.com/vextrus/finance-rollout/components"
	"github.com/vextrus/finance-rollout/internal/names"
	"github.com/vextrus/finance-rollout/internal/settings"
)

// checkGateway tells whether requests can come through the Gateway that the stack names.
func checkGateway(ctx context.Context, s *settings.Settings, cluster cluster) error {
	const without = "or split the requests by pod count: `pulumi config set traffic " + settings.TrafficReplicas + "`"
	kinds, err := cluster.Kinds(ctx, components.GatewayAPI)
	if err != nil {
		return err
	}
	if !slices.Contains(kinds, "HTTPRoute") {
		return fmt.Errorf("the cluster has no HTTPRoute of %s: install the Gateway API and a controller for it, %s",
			components.GatewayAPI, without)
	}
	gateway := s.Gateway.Namespace + "/" + s.Gateway.Name
	listeners, exists, err := cluster.Listeners(ctx, s.Gateway.Namespace, s.Gateway.Name)
	if err != nil {
		return err
	}
	if !exists {
		return fmt.Errorf("the cluster has no Gateway %s: look with `kubectl get gateways -A`, and name one with "+
			"`pulumi config set --path gateway.namespace NAME` and `pulumi config set --path gateway.name NAME`; %s", gateway,
			without)
	}
	if section := s.Gateway.SectionName; section != "" && !slices.Contains(listeners, section) {
		return fmt.Errorf("gateway %s has no listener %q; it has %s: `pulumi config set --path gateway.sectionName NAME`",
			gateway, section, strings.Join(listeners, ", "))
	}
	return nil
}

// routed tells whether a route moves requests to the tracks: where traffic is gateway, and until the first update
// after it was, which removes the route at its end. Who may not look at routes has none.
func routed(ctx context.Context, s *settings.Settings, cluster cluster) (bool, error) {
	if s.IsGateway() || s.IsSingle() {
		return s.IsGateway(), nil
	}
	kinds, err := cluster.Kinds(ctx, components.GatewayAPI)
	if err != nil || !slices.Contains(kinds, "HTTPRoute") {
		return false, err
	}
	live, err := cluster.RouteWeights(ctx, s.Namespace, s.ServiceName)
	if apierrors.IsForbidden(err) {
		return false, nil
	}
	_, ours := live[names.TrackService(s.ServiceName, names.Canary)]
	return ours, err
}

// router makes what moves the requests by the weights of the route.
func (s *stack) router() *router {
	service := s.settings.ServiceName
	return &router{settings: s.settings, cluster: s.hooks.cluster, shift: s.hooks.shift, tracks: map[string]other{
		names.TrackService(service, names.Stable): s.stablePods(),
		names.TrackService(service, names.Canary): s.canaryPods(),
	}}
}

// traffic makes the way of the requests to the tracks.
func (s *stack) traffic(stable, canary *components.Track, advance *pulumi.ResourceHook) error {
	args := &components.TrafficArgs{
		App: s.environment.App, ServiceName: s.settings.ServiceName, Port: int(s.settings.Service.Port),
		Type: s.settings.Service.Type, NodePort: int(s.settings.Service.NodePort),
		SessionAffinity: s.settings.Service.SessionAffinity,
	}
	takes := s.stablePods()
	switch {
	case s.settings.IsGateway():
		// Whoever does not come through the Gateway takes no part in the trial.
		args.Track = names.Stable
	case s.settings.Position().Warm:
		args.Track, takes = names.Canary, s.canaryPods()
	}
	if !s.settings.IsSingle() {
		hooks, err := s.hooks.selection(takes, advance)
		if err != nil {
			return err
		}
		args.Hooks = hooks
	}
	traffic, err := components.NewTraffic(s.ctx, "traffic", args, s.provider)
	if err != nil {
		return err
	}
	s.gated = append(s.gated, traffic)
	tracks := []*components.Track{stable}
	if canary != nil {
		tracks = append(tracks, canary)
	}
	return s.route(tracks, advance)
}

// route makes the route over the tracks, where one splits the requests.
func (s *stack) route(tracks []*components.Track, advance *pulumi.ResourceHook) error {
	if !s.settings.IsGateway() {
		return nil
	}
	hooks, err := s.hooks.route(advance)
	if err != nil {
		return err
	}
	gateway := s.settings.Gateway
	args := &components.RouteArgs{
		App: s.environment.App, ServiceName: s.settings.ServiceName, Port: int(s.settings.Service.Port),
		Weight:    s.settings.Position().Weight,
		Gateway:   components.Gateway{Namespace: gateway.Namespace, Name: gateway.Name, SectionName: gateway.SectionName},
		Hostnames: gateway.Hostnames, Interruption: s.hooks.shift.interruption, Hooks: hooks,
	}
	for _, track := range tracks {
		args.DependsOn = append(args.DependsOn, track)
	}
	route, err := components.NewRoute(s.ctx, "route", args, s.provider)
	s.gated = append(s.gated, route)
	return err
}

// autoscale is the autoscaler of a track; nil where there is none. The second result tells that it has pods to choose
// from.
func (s *stack) autoscale(track, deployment string) (*settings.Autoscale, bool, error) {
	wanted := s.settings.Stable.Autoscale
	if track == names.Canary {
		wanted = s.settings.Canary.Autoscale
	}
	if wanted == nil {
		return nil, false, nil
	}
	live, err := s.hooks.cluster.Replicas(s.ctx.Context(), s.settings.Namespace, deployment)
	return wanted, live > 0, err
}
