package components

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
	"pgregory.net/rapid"

	"github.com/vextrus/finance-rollout/internal/names"
	"github.com/vextrus/finance-rollout/internal/settings"
)

const typeRoute = "kubernetes:gateway.networking.k8s.io/v1:HTTPRoute"

// The provider's wait for the Service's endpoints ends when the tracks' does. Its object stays as it was.
func TestTheServiceWaitsNoLongerThanTheTracks(t *testing.T) {
	for limit, want := range map[time.Duration]string{0: "", 4 * time.Minute: "4m0s 4m0s"} {
		r := &recorder{}
		err := run(t, r, func(ctx *pulumi.Context) error {
			args := trafficArgs()
			args.Timeout = limit
			_, err := NewTraffic(ctx, "traffic", args)
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
		annotations := map[string]any{"pulumi.com/patchForce": "true"}
		if got := r.path(t, typeService+"/traffic", "metadata.annotations"); r.timeouts[typeService+"/traffic"] != want ||
			!cmp.Equal(got, annotations) {
			t.Errorf("limit %v: timeouts %q, annotations %v", limit, r.timeouts, got)
		}
	}
}

func routeArgs() *RouteArgs {
	return &RouteArgs{
		App: app(), ServiceName: "finance-service", Port: 80, Weight: 30, Kind: settings.RouteHTTP, HasCanary: true,
		Gateway: Gateway{Namespace: "infra", Name: "public", SectionName: "web"}, Hostnames: []string{"finance.example.com"},
		Interruption: 7,
	}
}

func newRoute(ctx *pulumi.Context) error {
	_, err := NewRoute(ctx, "route", routeArgs())
	return err
}

func TestRouteInputs(t *testing.T) {
	r := &recorder{}
	if err := run(t, r, newRoute); err != nil {
		t.Fatal(err)
	}
	stable, canary, route := typeService+"/route-stable", typeService+"/route-canary", typeRoute+"/route"
	tests := []struct {
		key, path string
		want      any
	}{
		{stable, "metadata.name", "finance-service-stable"},
		{stable, "metadata.labels.track", "stable"},
		{stable, `metadata.labels["finance-rollout/scraped"]`, "enabled"},
		{canary, `metadata.labels["finance-rollout/scraped"]`, "enabled"},
		{stable, "spec.selector", map[string]any{"app": "finance-service", "track": "stable", "traffic": "enabled"}},
		{canary, "metadata.name", "finance-service-canary"},
		{canary, "metadata.namespace", "vextrus-production"},
		{canary, "metadata.labels.track", "canary"},
		{canary, `metadata.annotations["pulumi.com/skipAwait"]`, "true"},
		{canary, "spec.type", "ClusterIP"},
		// No version: the pods of a release by another name are reached by the same Service.
		{canary, "spec.selector", map[string]any{"app": "finance-service", "track": "canary", "traffic": "enabled"}},
		{canary, "spec.ports", []any{map[string]any{"name": "http", "port": 80.0, "targetPort": "http"}}},
		{route, "metadata.name", "finance-service"},
		{route, `metadata.annotations["pulumi.com/patchForce"]`, "true"},
		{route, `metadata.annotations["finance-rollout/interruption"]`, "7"},
		{route, "spec", map[string]any{
			"parentRefs": []any{map[string]any{"namespace": "infra", "name": "public", "sectionName": "web"}},
			"hostnames":  []any{"finance.example.com"},
			"rules": []any{map[string]any{"backendRefs": []any{
				map[string]any{"name": "finance-service-stable", "port": 80.0, "weight": 70.0},
				map[string]any{"name": "finance-service-canary", "port": 80.0, "weight": 30.0},
			}}},
		}},
	}
	for _, tt := range tests {
		if diff := cmp.Diff(tt.want, r.path(t, tt.key, tt.path)); diff != "" {
			t.Errorf("%s %s (-want +got):\n%s", tt.key, tt.path, diff)
		}
	}
}

// Where a route splits the requests, the tracks' own Services are scraped and the common one is not: every stable pod
// stands behind both.
func TestAnUnscrapedServiceIsNotSelected(t *testing.T) {
	r := &recorder{}
	err := run(t, r, func(ctx *pulumi.Context) error {
		args := trafficArgs()
		args.Track, args.Unscraped = names.Stable, true
		_, err := NewTraffic(ctx, "traffic", args)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	labels, ok := r.path(t, typeService+"/traffic", "metadata.labels").(map[string]any)
	if !ok || labels["app"] != "finance-service" || labels["finance-rollout/scraped"] != nil {
		t.Errorf("labels %v", labels)
	}
}

// A weight of 0 is written out: a backend without one has weight 1.
func TestRouteHoldsBothWeightsAlways(t *testing.T) {
	for _, weight := range []int{0, 100} {
		r := &recorder{}
		err := run(t, r, func(ctx *pulumi.Context) error {
			args := routeArgs()
			args.Weight, args.Gateway.SectionName, args.Hostnames = weight, "", nil
			_, err := NewRoute(ctx, "route", args)
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
		want := map[string]any{
			"parentRefs": []any{map[string]any{"namespace": "infra", "name": "public"}},
			"rules": []any{map[string]any{"backendRefs": []any{
				map[string]any{"name": "finance-service-stable", "port": 80.0, "weight": float64(100 - weight)},
				map[string]any{"name": "finance-service-canary", "port": 80.0, "weight": float64(weight)},
			}}},
		}
		if diff := cmp.Diff(want, r.path(t, typeRoute+"/route", "spec")); diff != "" {
			t.Errorf("weight %d (-want +got):\n%s", weight, diff)
		}
	}
}

// The rules are the user's; the backends of each are the tracks with the rollout's weights.
func TestEveryRuleHasTheWeights(t *testing.T) {
	r := &recorder{}
	err := run(t, r, func(ctx *pulumi.Context) error {
		args := routeArgs()
		args.Rules = []settings.RouteRule{
			{Matches: []settings.RouteMatch{{Path: &settings.ValueMatch{Type: "Exact", Value: "/graphql"}, Method: "POST"}},
				Timeouts: &settings.RouteTimeouts{Request: "10s"}},
			{Filters: []settings.RouteFilter{{Type: "RequestRedirect", RequestRedirect: &settings.Redirect{Scheme: "https"}}}},
			{},
		}
		_, err := NewRoute(ctx, "route", args)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	backends := []any{
		map[string]any{"name": "finance-service-stable", "port": 80.0, "weight": 70.0},
		map[string]any{"name": "finance-service-canary", "port": 80.0, "weight": 30.0},
	}
	want := []any{
		map[string]any{"matches": []any{map[string]any{"method": "POST", "path": map[string]any{"type": "Exact",
			"value": "/graphql"}}}, "timeouts": map[string]any{"request": "10s"}, "backendRefs": backends},
		map[string]any{"filters": []any{map[string]any{"type": "RequestRedirect",
			"requestRedirect": map[string]any{"scheme": "https"}}}},
		map[string]any{"backendRefs": backends},
	}
	if diff := cmp.Diff(want, r.path(t, typeRoute+"/route", "spec.rules")); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// The testers' rule stands before the one whose requests it takes from, leads to the canary alone, and is gone with the
// canary's pods.
func TestTestersReachTheCanaryWhateverItsWeightIs(t *testing.T) {
	rules := func(weight int, hasCanary bool) any {
		r := &recorder{}
		err := run(t, r, func(ctx *pulumi.Context) error {
			args := routeArgs()
			args.Weight, args.HasCanary = weight, hasCanary
			args.Testers = &settings.Testers{Header: settings.Mark{Name: "x-canary", Value: "always"}}
			_, err := NewRoute(ctx, "route", args)
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
		return r.path(t, typeRoute+"/route", "spec.rules")
	}
	canary := func(weight ...float64) map[string]any {
		backend := map[string]any{"name": "finance-service-canary", "port": 80.0}
		if len(weight) > 0 {
			backend["weight"] = weight[0]
		}
		return backend
	}
	stable := func(weight float64) map[string]any {
		return map[string]any{"name": "finance-service-stable", "port": 80.0, "weight": weight}
	}
	testers := map[string]any{
		"matches": []any{map[string]any{"headers": []any{map[string]any{"type": "Exact", "name": "x-canary",
			"value": "always"}}}},
		"backendRefs": []any{canary()},
	}
	for weight, want := range map[int][]any{
		0:  {testers, map[string]any{"backendRefs": []any{stable(100), canary(0)}}},
		10: {testers, map[string]any{"backendRefs": []any{stable(90), canary(10)}}},
	} {
		if diff := cmp.Diff(any(want), rules(weight, true)); diff != "" {
			t.Errorf("weight %d (-want +got):\n%s", weight, diff)
		}
	}
	without := []any{map[string]any{"backendRefs": []any{stable(100), canary(0)}}}
	if diff := cmp.Diff(any(without), rules(0, false)); diff != "" {
		t.Errorf("without pods (-want +got):\n%s", diff)
	}
}

func TestARouteForGRPC(t *testing.T) {
	r := &recorder{}
	err := run(t, r, func(ctx *pulumi.Context) error {
		args := routeArgs()
		args.Kind = settings.RouteGRPC
		_, err := NewRoute(ctx, "route", args)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	key := "kubernetes:gateway.networking.k8s.io/v1:GRPCRoute/route"
	if got := r.path(t, key, "spec.rules[0].backendRefs[1].weight"); got != 30.0 {
		t.Errorf("the canary has the weight %v", got)
	}
}

// For a route that somebody else makes, there are the Services alone.
func TestARouteThatExistsIsNotMade(t *testing.T) {
	r := &recorder{}
	err := run(t, r, func(ctx *pulumi.Context) error {
		args := routeArgs()
		args.Existing, args.Gateway = "shop", Gateway{}
		_, err := NewRoute(ctx, "route", args)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, key := range []string{typeService + "/route-stable", typeService + "/route-canary"} {
		if r.inputs[key] == nil {
			t.Errorf("%s is missing", key)
		}
	}
	if r.inputs[typeRoute+"/route"] != nil {
		t.Error("a route was made")
	}
}

func TestTrackWeightsAreAllOfTheRequests(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		weight := rapid.IntRange(0, 100).Draw(t, "weight")
		weights := names.TrackWeights("finance", weight)
		if len(weights) != 2 || weights["finance-canary"] != weight || weights["finance-stable"]+weight != 100 {
			t.Fatalf("weight %d: %v", weight, weights)
		}
	})
}

func TestEveryFailingResourceOfTheRouteFailsTheProgram(t *testing.T) {
	for _, token := range []string{"finance-rollout:index:Route", typeService, typeRoute} {
		t.Run(token, func(t *testing.T) {
			if err := run(t, &recorder{failing: token}, newRoute); err == nil {
				t.Error("the program passed")
			}
		})
	}
}

func TestRouteArgsAreValidatedBeforeAnythingIsRegistered(t *testing.T) {
	tests := map[string]func(*RouteArgs){
		"service":           func(args *RouteArgs) { args.ServiceName = "" },
		"kind":              func(args *RouteArgs) { args.Kind = "" },
		"port":              func(args *RouteArgs) { args.Port = 0 },
		"gateway":           func(args *RouteArgs) { args.Gateway.Name = "" },
		"gateway namespace": func(args *RouteArgs) { args.Gateway.Namespace = "" },
		"negative weight":   func(args *RouteArgs) { args.Weight = -1 },
		"too much weight":   func(args *RouteArgs) { args.Weight = 101 },
		"own backends":      func(args *RouteArgs) { args.Rules = []settings.RouteRule{{BackendRefs: []any{1}}} },
	}
	for name, spoil := range tests {
		t.Run(name, func(t *testing.T) {
			r := &recorder{}
			err := run(t, r, func(ctx *pulumi.Context) error {
				args := routeArgs()
				spoil(args)
				_, err := NewRoute(ctx, "route", args)
				return err
			})
			if err == nil {
				t.Error("accepted")
			}
			if len(r.inputs) != 0 {
				t.Errorf("registered %v", r.inputs)
			}
		})
	}
}
