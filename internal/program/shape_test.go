package program

import (
	"maps"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/vextrus/finance-rollout/internal/names"
)

// canaryPods are what the program makes of the canary's pods, without the marks that are made of the whole.
func canaryPods(t *testing.T, config map[string]string) any {
	t.Helper()
	w := newWorld()
	if err := w.run(t, "production", config); err != nil {
		t.Fatal(err)
	}
	template := w.inputs[canaryKey]["spec"].ObjectValue()["template"].Mappable().(map[string]any)
	metadata := template["metadata"].(map[string]any)
	annotations := maps.Clone(metadata["annotations"].(map[string]any))
	delete(annotations, names.Identity)
	delete(annotations, names.Checksum)
	metadata["annotations"] = annotations
	return template
}

// A setting that changes what the canary's pods are made of changes the identity, and no other one does: a part that
// the identity lacked would reach stable with the next restart, and one that it has too much would end a soak.
func TestTheIdentityIsWhatShapesThePods(t *testing.T) {
	type setting = map[string]string
	secrets := func(password string) string {
		return `{"finance-db":{"host":"db","username":"app","password":"` + password + `"},
			"finance-secrets":{"jwt-secret":"sign-with-me","eventstore-connection":"esdb://es:2113?tls=true",
			"cors-origin":"https://app.vextrus.com"}}`
	}
	const restricted = `"securityContext":{"allowPrivilegeEscalation":false,"capabilities":{"drop":["ALL"]}}}]}}`
	shaping := map[string]setting{
		"a variable":               {"env": `{"NODE_ENV":"production","PORT":"3014","NEW":"1"}`},
		"a variable of the canary": {"canary": `{"env":{"NEW":"1"}}`},
		"configuration":            {"configEnv": `{"LOG_LEVEL":"debug"}`},
		"no configuration":         {"configEnv": `{}`},
		"a secret":                 {"secrets": secrets("another-value")},
		"a reference to a secret":  {"secretEnv": `{"DATABASE_PASSWORD":"finance-db/username"}`},
		"a secret of others":       {"existingSecretEnv": `{"TOKEN":"vault/token"}`},
		"all keys of a secret":     {"envFrom": `[{"secretRef":"vault"}]`},
		"all keys, with a prefix":  {"envFrom": `[{"secretRef":"vault","prefix":"V_"}]`},
		"a limit":                  {"resources": `{"limits":{"memory":"3Gi"}}`},
		"no limit":                 {"resources": `{"limits":{"cpu":""}}`},
		"a probe":                  {"probes": `{"readiness":{"path":"/ready"}}`},
		"no startup probe":         {"probes": `{"startup":{"failureThreshold":0}}`},
		"shutdown":                 {"shutdown": `{"gracePeriodSeconds":40}`},
		"spreading":                {"spreadAcross": `["topology.kubernetes.io/zone"]`},
		"no spreading":             {"spreadAcross": `[]`},
		"a user":                   {"user": `{"runAsUser":2000}`},
		"a folder":                 {"writable": `["/data"]`},
		"the size of folders":      {"tmpSize": "2Gi"},
		"the port":                 {"containerPort": "8080"},
		"a command":                {"command": `["node","main.js"]`},
		"arguments":                {"args": `["--verbose"]`},
		"an annotation":            {"podAnnotations": `{"sidecar.istio.io/inject":"true"}`},
		"a container before":       {"pod": `{"spec":{"initContainers":[{"name":"wait","image":"busybox:1",` + restricted},
		"a container beside":       {"pod": `{"spec":{"containers":[{"name":"proxy","image":"envoy:1",` + restricted},
		"a toleration":             {"pod": `{"spec":{"tolerations":[{"key":"spot","operator":"Exists"}]}}`},
		"a service account":        {"pod": `{"spec":{"serviceAccountName":"another"}}`},
		"another grace":            {"pod": `{"spec":{"terminationGracePeriodSeconds":50}}`},
		"an overlay of the canary": {"canary": `{"pod":{"spec":{"priorityClassName":"low"}}}`},
		"a volume of a secret": {"pod": `{"spec":{"volumes":[
			{"name":"v","secret":{"secretName":"finance-db-production"}}]}}`},
	}
	besides := map[string]setting{
		"pods":                {"replicas": "20"},
		"the weight":          {"canaryWeight": "5", "replicas": "20"},
		"how pods are rolled": {"rollingUpdate": `{"maxSurge":2,"maxUnavailable":0}`},
		"the patience":        {"progressTimeout": "20m"},
		"the soak":            {"soak": `{"duration":"72h"}`},
		"limits":              {"criteria": `{"errorRate":0.004}`},
		"the Service":         {"service": `{"port":8080}`},
		"the stable track":    {"stable": `{"env":{"NEW":"1"}}`},
		"who may reach it":    {"network": `{"egressPorts":[443,5432,9092,4318,2113]}`},
		"the guard":           {"guard": `{"enabled":false}`},
		"the order of values": {"env": `{"PORT":"3014","NODE_ENV":"production","DATABASE_PORT":"5432",
			"DATABASE_NAME":"vextrus_finance","KAFKA_BROKERS":"kafka:9092",
			"OTEL_EXPORTER_OTLP_ENDPOINT":"http://signoz:4318"}`},
	}
	before, pods := identities10(t, productionConfig())[1], canaryPods(t, productionConfig())
	for name, tt := range map[string]struct {
		settings map[string]setting
		shapes   bool
	}{"shaping": {shaping, true}, "besides": {besides, false}} {
		for what, change := range tt.settings {
			t.Run(name+"/"+what, func(t *testing.T) {
				config := productionConfig()
				maps.Copy(config, change)
				if other := cmp.Diff(pods, canaryPods(t, config)); (other != "") != tt.shapes {
					t.Errorf("the pods differ: %s", other)
				}
				if after := identities10(t, config)[1]; (after.Hash() != before.Hash()) != tt.shapes {
					t.Errorf("the identity before is %s, and after it %s", before.Hash(), after.Hash())
				}
			})
		}
	}
}
