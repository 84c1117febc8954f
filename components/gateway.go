package components

import (
	"encoding/json"
	"errors"
	"fmt"

	"github.com/pulumi/pulumi-kubernetes/sdk/v4/go/kubernetes"
	"github.com/pulumi/pulumi-kubernetes/sdk/v4/go/kubernetes/apiextensions"
	corev1 "github.com/pulumi/pulumi-kubernetes/sdk/v4/go/kubernetes/core/v1"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"github.com/vextrus/finance-rollout/internal/names"
	"github.com/vextrus/finance-rollout/internal/settings"
)

// GatewayAPI is the group version of the Gateway API's kinds.
const GatewayAPI = "gateway.networking.k8s.io/v1"

// Gateway names the Gateway that requests come through.
type Gateway struct {
	// Namespace and Name are the Gateway's. Its listener must allow routes from the service's namespace.
	Namespace, Name string
	// SectionName is the name of one listener; empty means all that allow the route.
	SectionName string
}

// RouteArgs are the arguments of NewRoute.
type RouteArgs struct {
	App App
	// ServiceName is the name of the route; the Services of the tracks are named after it, see names.TrackService.
	ServiceName string
	// Port is the Services' port.
	Port int
	// MetricsPort is the pods' port for scrapes; 0 for that of the requests.
	MetricsPort int
	// Weight is the canary's share of the requests in percent, 0 to 100. The stable track gets the rest.
	Weight int
	// Kind is that of the route, HTTPRoute or GRPCRoute.
	Kind string
	// Existing is the name of a route that somebody else makes: only the Services of the tracks are made then. Empty for
	// a route of the stack's own.
	Existing string
	// Gateway is where the requests come from.
	Gateway Gateway
	// Testers reach the canary whatever its weight is, while it has pods; nil for nobody.
	Testers *settings.Testers
	// HasCanary is false while the canary has no pods.
	HasCanary bool
	// Hostnames are the hosts that the route is for; none means all of the listener's.
	Hostnames []string
	// Rules are those of the route without their backends, as the Gateway API has them; none means one for all requests.
	Rules []settings.RouteRule
	// Interruption is that of the tracks: with another number the route is written anew, and so are weights that a
	// rollback took.
	Interruption int
	// DependsOn are the tracks: the weight changes when they are ready, and not before.
	DependsOn []pulumi.Resource
	// Hooks run before the weights change.
	Hooks *pulumi.ResourceHookBinding
}

func (a *RouteArgs) validate() error {
	switch {
	case a.ServiceName == "" || a.Port == 0 || a.Kind == "":
		return errors.New("route: ServiceName, Port and Kind are required")
	case a.Existing == "" && (a.Gateway.Name == "" || a.Gateway.Namespace == ""):
		return errors.New("route: Gateway.Name and Gateway.Namespace are required")
	case a.Weight < 0 || a.Weight > 100:
		return fmt.Errorf("route: Weight is %d: allowed is 0 to 100", a.Weight)
	}
	for i := range a.Rules {
		if len(a.Rules[i].BackendRefs) > 0 {
			return fmt.Errorf("route: Rules[%d] has backends: those are the tracks'", i)
		}
	}
	return nil
}

// Route is how requests reach the tracks by exact weights: a Service for each track and a route of the Gateway API over
// both, so that the share of a track does not depend on its pods.
type Route struct {
	pulumi.ResourceState

	// Name is the name of the route.
	Name pulumi.StringOutput
	// StableService and CanaryService are the names of the tracks' Services.
	StableService, CanaryService pulumi.StringOutput
}

// NewRoute makes the Services and the route.
func NewRoute(ctx *pulumi.Context, name string, args *RouteArgs, opts ...pulumi.ResourceOption) (*Route, error) {
	if err := args.validate(); err != nil {
		return nil, err
	}
	route := &Route{}
	if err := ctx.RegisterComponentResourceV2("finance-rollout:index:Route", name, args.inputs(), route,
		opts...); err != nil {
		return nil, err
	}
	parent := pulumi.Parent(route)
	stable, err := args.service(ctx, name, names.Stable, parent)
	if err != nil {
		return nil, err
	}
	canary, err := args.service(ctx, name, names.Canary, parent)
	if err != nil {
		return nil, err
	}
	route.StableService, route.CanaryService = stable.Metadata.Name().Elem(), canary.Metadata.Name().Elem()
	route.Name = pulumi.String(args.Existing).ToStringOutput()
	if args.Existing == "" {
		resource, err := args.route(ctx, name, parent, pulumi.ResourceHooks(args.Hooks),
			pulumi.DependsOn(append([]pulumi.Resource{stable, canary}, args.DependsOn...)))
		if err != nil {
			return nil, err
		}
		route.Name = resource.Metadata.Name().Elem()
	}
	return route, ctx.RegisterResourceOutputs(route, pulumi.Map{
		"name": route.Name, "stableService": route.StableService, "canaryService": route.CanaryService,
	})
}

// route makes the route itself.
func (a *RouteArgs) route(ctx *pulumi.Context, name string, opts ...pulumi.ResourceOption) (
	*apiextensions.CustomResource, error) {
	spec, err := a.spec()
	if err != nil {
		return nil, err
	}
	metadata := a.App.metadata(a.ServiceName)
	annotations := takenBack()
	if a.Interruption > 0 {
		annotations[names.Interruption] = number(a.Interruption)
	}
	metadata.Annotations = annotations
	return apiextensions.NewCustomResource(ctx, name, &apiextensions.CustomResourceArgs{
		ApiVersion:  pulumi.String(GatewayAPI),
		Kind:        pulumi.String(a.Kind),
		Metadata:    metadata,
		OtherFields: kubernetes.UntypedArgs{"spec": spec},
	}, opts...)
}

// service makes the Service of one track. It selects by the track and not by the release, so that it need not change
// with the release's name.
func (a *RouteArgs) service(ctx *pulumi.Context, name, track string, parent pulumi.ResourceOption) (*corev1.Service,
	error) {
	metadata := a.App.metadata(names.TrackService(a.ServiceName, track))
	metadata.Labels = a.App.labelsWith(map[string]string{names.Track: track, names.Scraped: names.Enabled})
	// The tracks wait for their own pods. A canary may have none, and one that is isolated has none that count: neither
	// is a reason to wait here.
	metadata.Annotations = pulumi.StringMap{"pulumi.com/skipAwait": pulumi.String("true")}
	opts := []pulumi.ResourceOption{parent}
	if a.Existing != "" {
		// A route that stays would lead to nothing.
		opts = append(opts, pulumi.RetainOnDelete(true))
	}
	return corev1.NewService(ctx, names.TrackService(name, track), &corev1.ServiceArgs{
		Metadata: metadata,
		Spec: corev1.ServiceSpecArgs{
			Type: pulumi.String("ClusterIP"),
			Selector: pulumi.StringMap{
				names.App: pulumi.String(a.App.Name), names.Track: pulumi.String(track),
				names.Traffic: pulumi.String(names.Enabled),
			},
			Ports: servicePorts(corev1.ServicePortArgs{
				Name: pulumi.String(PortName), Port: pulumi.Int(a.Port), TargetPort: pulumi.String(PortName),
			}, a.MetricsPort),
		},
	}, opts...)
}

// spec is the route's. It holds no value that is known only after the update, so that hooks and previews see the
// weights. Every rule leads to both tracks with the same weights.
func (a *RouteArgs) spec() (map[string]any, error) {
	gateway := map[string]any{"name": a.Gateway.Name, "namespace": a.Gateway.Namespace}
	if a.Gateway.SectionName != "" {
		gateway["sectionName"] = a.Gateway.SectionName
	}
	rules, err := a.rules()
	if err != nil {
		return nil, err
	}
	spec := map[string]any{"parentRefs": []any{gateway}, "rules": rules}
	if len(a.Hostnames) > 0 {
		spec["hostnames"] = a.Hostnames
	}
	return spec, nil
}

// rules are the user's, or one for all requests, each after the one that leads the testers among its requests.
func (a *RouteArgs) rules() ([]any, error) {
	given := a.Rules
	if len(given) == 0 {
		given = []settings.RouteRule{{}}
	}
	var rules []any
	for i := range given {
		rule, err := asObject(given[i])
		if err != nil {
			return nil, fmt.Errorf("route: Rules[%d]: %w", i, err)
		}
		if given[i].Redirects() {
			rules = append(rules, rule)
			continue
		}
		if len(a.Testers.Matches()) > 0 && a.HasCanary {
			testers, err := asObject(a.Testers.Rule(given[i]))
			if err != nil {
				return nil, fmt.Errorf("route: Testers: %w", err)
			}
			// One backend alone splits nothing, so that no change of the weights touches it.
			testers["backendRefs"] = []any{map[string]any{"name": names.TrackService(a.ServiceName, names.Canary),
				"port": a.Port}}
			rules = append(rules, testers)
		}
		rule["backendRefs"] = a.backends()
		rules = append(rules, rule)
	}
	return rules, nil
}

// asObject puts a rule as the API server takes it.
func asObject(rule settings.RouteRule) (map[string]any, error) {
	object := map[string]any{}
	encoded, err := json.Marshal(rule)
	if err != nil {
		return nil, err
	}
	err = json.Unmarshal(encoded, &object)
	return object, err
}

// backends are the tracks with their weights.
func (a *RouteArgs) backends() []any {
	weights := names.TrackWeights(a.ServiceName, a.Weight)
	var backends []any
	for _, track := range []string{names.Stable, names.Canary} {
		service := names.TrackService(a.ServiceName, track)
		backends = append(backends, map[string]any{"name": service, "port": a.Port, "weight": weights[service]})
	}
	return backends
}
