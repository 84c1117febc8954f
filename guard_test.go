package main

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/pulumi/pulumi/sdk/v3/go/common/resource"

	"github.com/vextrus/finance-rollout/internal/guard"
)

// guardConfigOf finds what the guard is told.
func guardConfigOf(t *testing.T, w *world) guard.Config {
	t.Helper()
	for key, inputs := range w.inputs {
		if !strings.HasPrefix(key, "kubernetes:core/v1:ConfigMap/") {
			continue
		}
		text, ok := inputs["data"].ObjectValue()[resource.PropertyKey(guard.ConfigKey)]
		if !ok {
			continue
		}
		config, err := guard.ParseConfig(text.StringValue())
		if err != nil {
			t.Fatal(err)
		}
		return config
	}
	t.Fatal("no ConfigMap holds the guard's configuration")
	return guard.Config{}
}

func guarded(config map[string]string) map[string]string {
	config["guard"] = `{"image":"vextrus/rollout:1"}`
	return config
}

func TestTheGuardIsToldHowTheRequestsReachTheCanary(t *testing.T) {
	byPods := newWorld()
	if err := byPods.run(t, "production", guarded(productionConfig())); err != nil {
		t.Fatal(err)
	}
	if config := guardConfigOf(t, byPods); config.Route != nil || config.Service != "finance-service" || config.Capacity != 10 {
		t.Errorf("route %v, service %s, capacity %d", config.Route, config.Service, config.Capacity)
	}
	byRoute := behindAGateway()
	if err := byRoute.run(t, "production", guarded(gatewayConfig(10))); err != nil {
		t.Fatal(err)
	}
	config := guardConfigOf(t, byRoute)
	want := &guard.Route{Name: "finance-service", Weights: map[string]int{"finance-service-stable": 100, "finance-service-canary": 0}}
	if diff := cmp.Diff(want, config.Route); diff != "" || config.Service != "finance-service-canary" {
		t.Errorf("service %s, route (-want +got):\n%s", config.Service, diff)
	}
}

func TestTheGuardIsToldNoSecret(t *testing.T) {
	w := newWorld()
	if err := w.run(t, "production", guarded(productionConfig())); err != nil {
		t.Fatal(err)
	}
	text, err := json.Marshal(guardConfigOf(t, w))
	if err != nil {
		t.Fatal(err)
	}
	for _, secret := range []string{"s3cr3t-value", "sign-with-me", "esdb://", "app.vextrus.com"} {
		if strings.Contains(string(text), secret) {
			t.Errorf("it holds %s", secret)
		}
	}
}

func TestEveryFailingResourceOfTheGuardFailsTheProgram(t *testing.T) {
	for _, failing := range []string{
		"kubernetes:rbac.authorization.k8s.io/v1:Role", "kubernetes:rbac.authorization.k8s.io/v1:RoleBinding",
	} {
		w := newWorld()
		w.failing = failing
		if err := w.run(t, "production", guarded(productionConfig())); err == nil || !strings.Contains(err.Error(), "refused by the test") {
			t.Errorf("%s: %v", failing, err)
		}
	}
}
