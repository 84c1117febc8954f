package program

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/pulumi/pulumi/sdk/v3/go/common/resource"

	"github.com/vextrus/finance-rollout/internal/guard"
	"github.com/vextrus/finance-rollout/internal/notify"
	"github.com/vextrus/finance-rollout/internal/rollback"
	"github.com/vextrus/finance-rollout/internal/testkit"
)

func guardedConfig(changes ...string) map[string]string {
	config := productionConfig()
	config["guard"] = `{"image":"vextrus/rollout:v1"}`
	config["runbookURL"], config["dashboardURL"] = "https://runbook.example.com", "https://grafana.example.com"
	for i := 0; i+1 < len(changes); i += 2 {
		config[changes[i]] = changes[i+1]
	}
	return config
}

func TestTheGuardIsToldOfTheRollout(t *testing.T) {
	w := newWorld()
	if err := w.run(t, "production", guardedConfig()); err != nil {
		t.Fatal(err)
	}
	text := w.inputs["kubernetes:core/v1:ConfigMap/guard"]["data"].ObjectValue()[guard.ConfigKey].StringValue()
	config, err := guard.ParseConfig(text)
	if err != nil {
		t.Fatal(err)
	}
	if config.Release != "week1" || config.Spec.Namespace != "vextrus-production" ||
		config.Ledger != "finance-service-ledger" || config.ErrorRate != 0.01 ||
		config.Capacity != 10 || config.RunbookURL != "https://runbook.example.com" ||
		config.DashboardURL != "https://grafana.example.com/d/finance-week1" {
		t.Errorf("%+v", config)
	}
	if alpha := config.Alpha; alpha < 0.99e-4 || alpha > 1.01e-4 {
		t.Errorf("alpha is %v", alpha)
	}
	for _, secret := range []string{"s3cr3t-value", "sign-with-me", "esdb://"} {
		if strings.Contains(text, secret) {
			t.Errorf("%s stands in the configuration", secret)
		}
	}
	image := property(t, w.inputs["kubernetes:apps/v1:Deployment/guard"],
		"spec.template.spec.containers[0].image").StringValue()
	if !strings.HasPrefix(image, "vextrus/rollout:v1@sha256:") {
		t.Errorf("the guard runs %s", image)
	}
}

// The guard signs the ledger with a key of its own. That of the updates never comes into the cluster.
func TestTheGuardHasItsKeyOfTheLedger(t *testing.T) {
	operator, operators := testkit.SigningKey(t)
	own, owns := testkit.SigningKey(t)
	encoded, err := json.Marshal(map[string]string{"operator": operator, "guard": own})
	if err != nil {
		t.Fatal(err)
	}
	config := guardedConfig("ledger", `{"publicKeys":["`+operators+`","`+owns+`"],"signingKey":"ledger/operator",`+
		`"guardKey":"ledger/guard"}`)
	config["secrets"] = strings.Replace(config["secrets"], "{", `{"ledger":`+string(encoded)+",", 1)
	w := newWorld()
	if err := w.run(t, "production", config); err != nil {
		t.Fatal(err)
	}
	line := func(key string) string { return strings.Split(key, "\n")[1] }
	for name, inputs := range w.inputs {
		text := fmt.Sprint(inputs)
		if strings.Contains(text, line(operator)) {
			t.Errorf("%s holds the key of the updates", name)
		}
		if strings.Contains(text, line(own)) != (name == "kubernetes:core/v1:Secret/guard-logins") {
			t.Errorf("%s: the guard's key is where it should not be, or not where it should", name)
		}
	}
	arguments := property(t, w.inputs["kubernetes:apps/v1:Deployment/guard"], "spec.template.spec.containers[0].args")
	if !strings.Contains(arguments.String(), "--ledger-key-file") {
		t.Errorf("arguments %s", arguments)
	}
	if text := fmt.Sprint(w.inputs["kubernetes:core/v1:ConfigMap/guard"].Mappable()); !strings.Contains(text, owns) {
		t.Errorf("the guard does not know whom to trust: %s", text)
	}
}

// The key that signs the service's tokens lies in the guard's pods only where the stack asks for the smoke suite.
func TestTheGuardHasTheServicesKeyOnlyWhenAsked(t *testing.T) {
	for name, guarded := range map[string]string{
		"by default": `{"image":"vextrus/rollout:v1"}`, "asked": `{"image":"vextrus/rollout:v1","smoke":true}`,
	} {
		w := newWorld()
		if err := w.run(t, "production", guardedConfig("guard", guarded)); err != nil {
			t.Fatal(err)
		}
		deployment := fmt.Sprint(w.inputs["kubernetes:apps/v1:Deployment/guard"].Mappable())
		holds := strings.Contains(deployment, "finance-secrets-production") || strings.Contains(deployment, "smoke-key")
		suite := strings.Contains(fmt.Sprint(w.inputs["kubernetes:core/v1:ConfigMap/guard"].Mappable()), "smokeSuite")
		if want := name == "asked"; holds != want || suite != want {
			t.Errorf("%s: holds the key %t, has the suite %t", name, holds, suite)
		}
	}
}

func property(t *testing.T, inputs resource.PropertyMap, path string) resource.PropertyValue {
	t.Helper()
	parsed, err := resource.ParsePropertyPath(path)
	if err != nil {
		t.Fatal(err)
	}
	value, ok := parsed.Get(resource.NewObjectProperty(inputs))
	if !ok {
		raw, _ := json.Marshal(inputs.Mappable())
		t.Fatalf("no %s in %s", path, raw)
	}
	return value
}

// The guard gets into the same Prometheus by the same login. No pod of the service, ConfigMap or argument has it.
func TestTheGuardHasTheLogins(t *testing.T) {
	w := newWorld()
	config := guardedConfig("prometheus", "https://mimir.example/prometheus",
		"prometheusAuth", `{"authorization":{"credentials":"metrics/token"}}`,
		"alertmanagerAuth", `{"http_headers":{"X-Scope-OrgID":{"values":["payments"]}}}`)
	config["secrets"] = strings.Replace(config["secrets"], "{", `{"metrics":{"token":"t0ken-value"},`, 1)
	if err := w.run(t, "production", config); err != nil {
		t.Fatal(err)
	}
	const secret = "kubernetes:core/v1:Secret/guard-logins"
	want := map[string]any{"prometheus-login": `{"authorization":{"credentials":"t0ken-value"}}`,
		"alertmanager-login": `{"http_headers":{"X-Scope-OrgID":{"values":["payments"]}}}`}
	got := map[string]any{}
	stored := property(t, w.inputs[secret], "stringData")
	if !stored.ContainsSecrets() {
		t.Error("it is no secret to Pulumi")
	}
	for stored.IsSecret() {
		stored = stored.SecretValue().Element
	}
	for name, value := range stored.ObjectValue() {
		for value.IsSecret() {
			value = value.SecretValue().Element
		}
		got[string(name)] = value.StringValue()
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("logins (-want +got):\n%s", diff)
	}
	for key, inputs := range w.inputs {
		if key != secret && strings.Contains(fmt.Sprint(inputs), "t0ken-value") {
			t.Errorf("%s holds the token", key)
		}
	}
	if _, exists := w.inputs["kubernetes:core/v1:Secret/metrics-production"]; exists {
		t.Error("a Secret of the pods has the token")
	}
	without := newWorld()
	if err := without.run(t, "production", guardedConfig()); err != nil {
		t.Fatal(err)
	}
	for _, track := range []string{"finance-service-week1", "stable"} {
		const checksum = "spec.template.metadata.annotations"
		key := "kubernetes:apps/v1:Deployment/" + track
		if diff := cmp.Diff(property(t, without.inputs[key], checksum).Mappable(),
			property(t, w.inputs[key], checksum).Mappable()); diff != "" {
			t.Errorf("a login replaces the pods of %s (-without +with):\n%s", track, diff)
		}
	}
}

// Metrics on a port of their own are scraped there by Prometheus and the guard, and the network lets both in. The pods
// change by nothing.
func TestMetricsOnAPortOfTheirOwn(t *testing.T) {
	w, without := newWorld(), newWorld()
	if err := w.run(t, "production", guardedConfig("metrics", `{"port":9464}`)); err != nil {
		t.Fatal(err)
	}
	if err := without.run(t, "production", guardedConfig()); err != nil {
		t.Fatal(err)
	}
	const service, policy, monitor = "kubernetes:core/v1:Service/traffic",
		"kubernetes:networking.k8s.io/v1:NetworkPolicy/environment",
		"kubernetes:monitoring.coreos.com/v1:ServiceMonitor/monitoring-ServiceMonitor"
	for _, tt := range []struct {
		key, path string
		want      any
	}{
		{service, "spec.ports[1].name", "metrics"}, {service, "spec.ports[1].port", 9464.0},
		{service, "spec.ports[1].targetPort", 9464.0}, {policy, "spec.ingress[0].ports[0].port", 3014.0},
		{policy, "spec.ingress[0].ports[1].port", 9464.0}, {monitor, "spec.endpoints[0].port", "metrics"},
	} {
		if got := property(t, w.inputs[tt.key], tt.path).Mappable(); got != tt.want {
			t.Errorf("%s %s is %v, want %v", tt.key, tt.path, got, tt.want)
		}
	}
	if got := property(t, without.inputs[monitor], "spec.endpoints[0].port").StringValue(); got != "http" {
		t.Errorf("without it, port %s is scraped", got)
	}
	for key, path := range map[string]string{service: "spec.ports", policy: "spec.ingress[0].ports"} {
		if got := property(t, without.inputs[key], path).ArrayValue(); len(got) != 1 {
			t.Errorf("without it, %s has %v", key, got)
		}
	}
	config, err := guard.ParseConfig(
		w.inputs["kubernetes:core/v1:ConfigMap/guard"]["data"].ObjectValue()[guard.ConfigKey].StringValue())
	if err != nil || config.Port != 9464 {
		t.Errorf("the guard scrapes port %d, %v", config.Port, err)
	}
	for _, track := range []string{"finance-service-week1", "stable"} {
		key := "kubernetes:apps/v1:Deployment/" + track
		if diff := cmp.Diff(without.inputs[key].Mappable(), w.inputs[key].Mappable()); diff != "" {
			t.Errorf("the pods of %s change (-without +with):\n%s", track, diff)
		}
	}
}

func TestThereIsNoGuardWhereNoneIsWanted(t *testing.T) {
	for name, config := range map[string]map[string]string{
		"no image": productionConfig(), "off": guardedConfig("guard", `{"image":"vextrus/rollout:v1","enabled":false}`),
	} {
		w := newWorld()
		if err := w.run(t, "production", config); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if _, exists := w.inputs["kubernetes:apps/v1:Deployment/guard"]; exists {
			t.Errorf("%s: there is a guard", name)
		}
	}
}

func TestAGuardThatFailsKeepsTheCanaryOut(t *testing.T) {
	w := newWorld()
	w.failing = "kubernetes:rbac.authorization.k8s.io/v1:Role"
	if err := w.run(t, "production", guardedConfig()); err == nil {
		t.Fatal("accepted")
	}
	if _, exists := w.inputs["kubernetes:apps/v1:Deployment/finance-service-week1"]; exists {
		t.Error("a canary that nobody watches")
	}
	w = newWorld()
	if err := w.run(t, "production", guardedConfig("guard", `{"image":"vextrus/missing:v1"}`)); err == nil ||
		!strings.Contains(err.Error(), "config guard.image") {
		t.Errorf("error %v", err)
	}
}

func TestTheGuardMayReachThePods(t *testing.T) {
	w := newWorld()
	if err := w.run(t, "production", guardedConfig("network", `{"ingressNamespaces":["ingress"]}`)); err != nil {
		t.Fatal(err)
	}
	from := property(t, w.inputs["kubernetes:networking.k8s.io/v1:NetworkPolicy/environment"],
		"spec.ingress[0].from").ArrayValue()
	if !slices.ContainsFunc(from, func(peer resource.PropertyValue) bool {
		return strings.Contains(peer.String(), "finance-service-guard")
	}) {
		t.Errorf("it may not: %v", from)
	}
}

func TestTheGuardIsToldHowTheRequestsReachTheCanary(t *testing.T) {
	configOf := func(w *world, config map[string]string) guard.Config {
		t.Helper()
		if err := w.run(t, "production", config); err != nil {
			t.Fatal(err)
		}
		parsed, err := guard.ParseConfig(
			w.inputs["kubernetes:core/v1:ConfigMap/guard"]["data"].ObjectValue()[guard.ConfigKey].StringValue())
		if err != nil {
			t.Fatal(err)
		}
		return parsed
	}
	if config := configOf(newWorld(), guardedConfig()); config.Route != nil || config.Service != "finance-service" {
		t.Errorf("by pods: route %v, service %s", config.Route, config.Service)
	}
	byRoute := gatewayConfig(10)
	byRoute["guard"] = `{"image":"vextrus/rollout:v1"}`
	config := configOf(behindAGateway(), byRoute)
	want := &rollback.Route{Name: "finance-service", Weights: map[string]int{"finance-service-stable": 100,
		"finance-service-canary": 0}}
	if diff := cmp.Diff(want, config.Route); diff != "" || config.Service != "finance-service-canary" {
		t.Errorf("by a route: service %s (-want +got):\n%s", config.Service, diff)
	}
}

func TestTheGuardIsToldOfTheWebhooks(t *testing.T) {
	const key = "hmac-k3y-of-the-relay"
	config := guardedConfig("notify", `{"authorities":"authorities/ca.crt","webhooks":[
		{"url":"https://relay.example.com/events","secret":"notify/hmac-key","events":["rolled-back"]}]}`)
	config["secrets"] = strings.Replace(config["secrets"], `{"finance-db"`,
		`{"notify":{"hmac-key":"`+key+`"},"finance-db"`, 1)
	w, without := newWorld(), newWorld()
	if err := w.run(t, "production", config); err != nil {
		t.Fatal(err)
	}
	if err := without.run(t, "production", guardedConfig()); err != nil {
		t.Fatal(err)
	}
	text := func(w *world) string {
		return w.inputs["kubernetes:core/v1:ConfigMap/guard"]["data"].ObjectValue()[guard.ConfigKey].StringValue()
	}
	parsed, err := guard.ParseConfig(text(w))
	if err != nil {
		t.Fatal(err)
	}
	want := &guard.Notify{Stack: "production", Webhooks: []notify.Webhook{{URL: "https://relay.example.com/events",
		Key: "notify_hmac-key", Events: []string{"rolled-back"}}}}
	if diff := cmp.Diff(want, parsed.Notify); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	const pod = "spec.template.spec."
	if name := property(t, w.inputs["kubernetes:apps/v1:Deployment/guard"],
		pod+"volumes[0].projected.sources[0].secret.name").StringValue(); name != "notify-production" {
		t.Errorf("the key comes from %s", name)
	}
	for name, inputs := range w.inputs {
		if raw, _ := json.Marshal(inputs.Mappable()); strings.Contains(string(raw), key) &&
			!strings.HasPrefix(name, "kubernetes:core/v1:Secret/") {
			t.Errorf("%s holds the key", name)
		}
	}
	// A stack without webhooks is rendered as before; with them, no pod of the service changes.
	if strings.Contains(text(without), "notify") {
		t.Errorf("a guard without webhooks is told %s", text(without))
	}
	for _, track := range []string{"finance-service-stable", "finance-service-week1"} {
		name := "kubernetes:apps/v1:Deployment/" + track
		if diff := cmp.Diff(without.inputs[name].Mappable(), w.inputs[name].Mappable()); diff != "" {
			t.Errorf("%s (-without +with):\n%s", track, diff)
		}
	}
}
