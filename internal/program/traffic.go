package program

import (
	"slices"
	"time"

	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"github.com/vextrus/finance-rollout/components"
	"github.com/vextrus/finance-rollout/internal/shift"
)

// route is what moves the requests by weights; nil where the pods alone split them.
func (p *program) route() (*shift.Route, error) {
	served := false
	if !p.settings.IsGateway() && !p.settings.IsSingle() {
		kinds, err := p.cluster.Kinds(p.ctx.Context(), components.GatewayAPI)
		if err != nil {
			return nil, err
		}
		served = slices.Contains(kinds, p.settings.RouteKind())
	}
	exists, err := shift.HasRoute(p.ctx.Context(), p.settings, p.cluster, served)
	if err != nil || !exists {
		return nil, err
	}
	return shift.NewRoute(p.shift), nil
}

// makeTraffic makes the way of the requests to the tracks.
func (p *program) makeTraffic(stable, canary *components.Track) error {
	args := &components.TrafficArgs{
		App: p.environment.App, ServiceName: p.settings.ServiceName, Port: int(p.settings.Service.Port),
		Type: p.settings.Service.Type, NodePort: int(p.settings.Service.NodePort),
		SessionAffinity: p.settings.Service.SessionAffinity, MetricsPort: int(p.settings.Metrics.Port),
		Timeout: time.Duration(p.settings.ProgressLimit),
	}
	args.Track, args.Unscraped = shift.SelectedTrack(p.settings), p.settings.IsGateway()
	if args.Unscraped {
		args.MetricsPort = 0
	}
	args.Hooks = p.hooks.singleService
	if !p.settings.IsSingle() {
		args.Hooks, args.Protect = p.hooks.service, true
	}
	traffic, err := components.NewTraffic(p.ctx, p.scope.resource("traffic"), args, p.provider)
	if err != nil {
		return err
	}
	p.judged = append(p.judged, traffic)
	tracks := []pulumi.Resource{stable}
	if canary != nil {
		tracks = append(tracks, canary)
	}
	return p.makeRoute(tracks)
}

// makeRoute makes the route over the tracks, where one splits the requests.
func (p *program) makeRoute(tracks []pulumi.Resource) error {
	if !p.settings.IsGateway() {
		return nil
	}
	gateway := p.settings.Gateway
	position := p.settings.Position()
	route, err := components.NewRoute(p.ctx, p.scope.resource("route"), &components.RouteArgs{
		Kind: p.settings.RouteKind(), Existing: gateway.Route, Testers: gateway.Testers, HasCanary: position.Canary > 0,
		App: p.environment.App, ServiceName: p.settings.ServiceName, Port: int(p.settings.Service.Port),
		Weight: position.Weight, MetricsPort: int(p.settings.Metrics.Port),
		Gateway:   components.Gateway{Namespace: gateway.Namespace, Name: gateway.Name, SectionName: gateway.SectionName},
		Hostnames: gateway.Hostnames, Rules: gateway.Rules, Interruption: p.shift.Interruption(), DependsOn: tracks,
		Hooks: p.hooks.route,
	}, p.provider)
	p.judged = append(p.judged, route)
	return err
}
