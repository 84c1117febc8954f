package program

import (
	"maps"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/vextrus/finance-rollout/internal/kube"
)

// behindAGateway is a world with the Gateway API and a Gateway.
func behindAGateway() *world {
	w := newWorld()
	w.Served = append(w.Served, "HTTPRoute", "Gateway")
	w.Gateway.Listeners = []string{"web", "secure"}
	return w
}

const (
	routeKey   = "kubernetes:gateway.networking.k8s.io/v1:HTTPRoute/route"
	serviceKey = "kubernetes:core/v1:Service/"
)

func TestGatewayAtWeek1(t *testing.T) {
	w := behindAGateway()
	if err := w.run(t, "production", gatewayConfig(10)); err != nil {
		t.Fatal(err)
	}
	if stable, canary := w.replicas(t, "kubernetes:apps/v1:Deployment/stable"),
		w.replicas(t, "kubernetes:apps/v1:Deployment/finance-service-v2"); stable != 10 || canary != 1 {
		t.Errorf("%v stable and %v canary pods", stable, canary)
	}
	spec := w.inputs[routeKey]["spec"].Mappable()
	want := map[string]any{
		"parentRefs": []any{map[string]any{"namespace": "infra", "name": "public", "sectionName": "web"}},
		"rules": []any{map[string]any{"backendRefs": []any{
			map[string]any{"name": "finance-service-stable", "port": 80.0, "weight": 90.0},
			map[string]any{"name": "finance-service-canary", "port": 80.0, "weight": 10.0},
		}}},
	}
	if diff := cmp.Diff(want, spec); diff != "" {
		t.Errorf("route (-want +got):\n%s", diff)
	}
	// A client that bypasses the Gateway reaches the stable track alone.
	selector := w.inputs[serviceKey+"traffic"]["spec"].ObjectValue()["selector"].Mappable()
	if diff := cmp.Diff(map[string]any{"app": "finance-service", "traffic": "enabled", "track": "stable"},
		selector); diff != "" {
		t.Errorf("the Service selects (-want +got):\n%s", diff)
	}
}

// A preview of changed rules runs the hook that says whom they are for.
func TestTheRouteSaysHowItsRulesChange(t *testing.T) {
	w := behindAGateway()
	if err := w.run(t, "production", gatewayConfig(10)); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"advance", "route", "rules"}, w.hooks[routeKey].GetBeforeUpdate()); diff != "" {
		t.Errorf("the route changes after (-want +got):\n%s", diff)
	}
}

func TestWithoutAGatewayThereIsNoRoute(t *testing.T) {
	w := behindAGateway()
	config := productionConfig()
	config["gateway"] = `{"namespace":"infra","name":"public"}`
	if err := w.run(t, "production", config); err != nil {
		t.Fatal(err)
	}
	for key := range w.inputs {
		if strings.Contains(key, "HTTPRoute") || strings.Contains(key, "Autoscaler") || key == serviceKey+"route-canary" {
			t.Errorf("made %s", key)
		}
	}
}

// The record tells of the way of the requests, so that another way is a reason to verify again.
func TestTheRecordFollowsTheWayOfTheRequests(t *testing.T) {
	checksum := func(gateway string) string {
		w := behindAGateway()
		config := gatewayConfig(0)
		config["gateway"] = gateway
		if err := w.run(t, "production", config); err != nil {
			t.Fatal(err)
		}
		return w.inputs["kubernetes:core/v1:ConfigMap/release"]["data"].ObjectValue()["checksum"].StringValue()
	}
	first := checksum(`{"namespace":"infra","name":"public"}`)
	if first == checksum(`{"namespace":"infra","name":"inner"}`) ||
		first == checksum(`{"namespace":"infra","name":"public","hostnames":["a.example.com"]}`) {
		t.Error("another way of the requests leaves the record as it was")
	}
	if first != checksum(`{"namespace":"infra","name":"public","timeout":"5m"}`) {
		t.Error("another patience changes the record")
	}
}

func TestGatewayRefusalsChangeNothing(t *testing.T) {
	tests := []struct {
		name   string
		world  func(*world)
		config map[string]string
		want   []string
	}{
		{name: "no Gateway API", world: func(w *world) { w.Served = []string{"ServiceMonitor", "PrometheusRule"} },
			want: []string{"no HTTPRoute", "install the Gateway API", "pulumi config set traffic replicas"}},
		{name: "no such Gateway", world: func(w *world) { w.Gateway.Listeners = nil },
			want: []string{"no Gateway infra/public", "kubectl get gateways -A", "pulumi config set --path gateway.name"}},
		{name: "no such listener", world: func(w *world) { w.Gateway.Listeners = []string{"secure"} },
			want: []string{`no listener "web"`, "it has secure", "gateway.sectionName"}},
		{name: "no name", config: map[string]string{"gateway": `{"namespace":"infra"}`},
			want: []string{"gateway.name", "pulumi config set --path gateway.name NAME"}},
		{name: "autoscaler beside pod counts", config: map[string]string{"traffic": "replicas",
			"canary": `{"autoscale":{"max":10,"cpuPercent":70}}`},
			want: []string{"canary.autoscale", "pulumi config set traffic gateway"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			w := behindAGateway()
			if tt.world != nil {
				tt.world(w)
			}
			config := gatewayConfig(10)
			maps.Copy(config, tt.config)
			err := w.run(t, "production", config)
			for _, word := range tt.want {
				if err == nil || !strings.Contains(err.Error(), word) {
					t.Errorf("the error does not name %q: %v", word, err)
				}
			}
			delete(w.inputs, "pulumi:pulumi:Stack/"+project+"-production")
			if len(w.inputs) != 0 {
				t.Errorf("made %v", slices.Sorted(maps.Keys(w.inputs)))
			}
		})
	}
}

// behindARoute is a world whose route somebody else makes.
func behindARoute(rules ...[]kube.Backend) *world {
	w := behindAGateway()
	w.Gateway.Backends = rules
	return w
}

func to(port int, services ...string) []kube.Backend {
	var backends []kube.Backend
	for _, service := range services {
		backends = append(backends, kube.Backend{Name: service, Port: port})
	}
	return backends
}

func TestARouteThatExistsKeepsItsRules(t *testing.T) {
	w := behindARoute(to(80, "finance-service"), to(80, "finance-service-canary"), to(8080, "docs"))
	config := gatewayConfig(10)
	config["gateway"] = `{"route":"shop"}`
	if err := w.run(t, "production", config); err != nil {
		t.Fatal(err)
	}
	if w.inputs[routeKey] != nil {
		t.Error("the program makes a route of its own")
	}
	for _, service := range []string{"route-stable", "route-canary"} {
		if w.inputs[serviceKey+service] == nil {
			t.Errorf("there is no Service %s", service)
		}
	}
	if w.Gateway.Asked != "shop" {
		t.Errorf("asked for the route %q", w.Gateway.Asked)
	}
}

func TestARouteThatCannotBeSplitIsRefused(t *testing.T) {
	for name, tt := range map[string]struct {
		rules [][]kube.Backend
		kind  string
		want  []string
	}{
		"none": {nil, "", []string{"no httproute shop in namespace", "kubectl get httproutes -n",
			"gateway.route NAME -s production"}},
		"of gRPC": {nil, "GRPCRoute", []string{"no grpcroute shop in namespace", "kubectl get grpcroutes -n"}},
		"other Services": {[][]kube.Backend{to(80, "shop"), to(80, "finance-service-canary")}, "",
			[]string{"no rule leads to service finance-service, or to finance-service-stable and finance-service-canary",
				"kubectl edit httproute shop -n"}},
		"a third part": {[][]kube.Backend{to(80, "finance-service", "shop")}, "",
			[]string{"rule 1 leads to further Services beside finance-service"}},
		"half": {[][]kube.Backend{to(80, "finance-service", "finance-service-canary")}, "",
			[]string{"rule 1 leads to finance-service and finance-service-canary"}},
		"another port": {[][]kube.Backend{to(3014, "finance-service")}, "",
			[]string{"rule 1 leads to port 3014 of service finance-service, and service.port is 80"}},
	} {
		t.Run(name, func(t *testing.T) {
			w := behindARoute(tt.rules...)
			w.Served = append(w.Served, "GRPCRoute")
			config := gatewayConfig(10)
			config["gateway"] = `{"route":"shop","kind":"` + tt.kind + `"}`
			err := w.run(t, "production", config)
			for _, word := range tt.want {
				if err == nil || !strings.Contains(err.Error(), word) {
					t.Errorf("the error does not name %q: %v", word, err)
				}
			}
		})
	}
}

// The Services that a route of somebody else leads to do not go from under it.
func TestTrafficDoesNotLeaveARouteBehind(t *testing.T) {
	config := gatewayConfig(10)
	config["traffic"], config["gateway"] = "replicas", `{"route":"shop"}`
	err := behindARoute(to(80, "finance-service-stable", "finance-service-canary")).run(t, "production", config)
	if err == nil || !strings.Contains(err.Error(), "still leads to service finance-service-stable") ||
		!strings.Contains(err.Error(), "pulumi config set traffic gateway -s production") {
		t.Errorf("error %v", err)
	}
	if err := behindARoute(to(80, "finance-service")).run(t, "production", config); err != nil {
		t.Errorf("a route that leads to the Service: %v", err)
	}
}

func TestEveryFailingResourceOfTheRouteFailsTheProgram(t *testing.T) {
	config := gatewayConfig(10)
	config["canary"] = `{"autoscale":{"max":10,"cpuPercent":70}}`
	for _, token := range []string{
		"finance-rollout:index:Route", "kubernetes:gateway.networking.k8s.io/v1:HTTPRoute",
		"kubernetes:autoscaling/v2:HorizontalPodAutoscaler",
	} {
		w := behindAGateway()
		w.failing = token
		if err := w.run(t, "production", config); err == nil {
			t.Errorf("the program passed without %s", token)
		}
	}
}

// The first pods of an autoscaled track are the Deployment's, later their number is left to the autoscaler.
func TestAutoscaledTracks(t *testing.T) {
	for live, ignored := range map[int]bool{0: false, 4: true} {
		w := behindAGateway()
		w.Live = live
		config := gatewayConfig(30)
		config["canary"] = `{"autoscale":{"max":10,"cpuPercent":70}}`
		if err := w.run(t, "production", config); err != nil {
			t.Fatal(err)
		}
		if got := slices.Contains(w.ignored["kubernetes:apps/v1:Deployment/finance-service-v2"],
			"spec.replicas"); got != ignored {
			t.Errorf("with %d pods: replicas ignored %v", live, got)
		}
		if w.ignored["kubernetes:apps/v1:Deployment/stable"] != nil {
			t.Error("the stable track has no autoscaler and does not own its replicas")
		}
		if _, exists := w.inputs["kubernetes:autoscaling/v2:HorizontalPodAutoscaler/finance-service-v2"]; !exists {
			t.Error("no autoscaler")
		}
	}
}

// A route that is left over from gateway mode still gives requests to the tracks.

// gatewayConfig is a production stack behind a Gateway.
func gatewayConfig(weight int) map[string]string {
	config := productionConfig()
	maps.Copy(config, map[string]string{
		"traffic": "gateway", "gateway": `{"namespace":"infra","name":"public","sectionName":"web"}`,
		"release": "v2", "canaryWeight": strconv.Itoa(weight),
	})
	return config
}
