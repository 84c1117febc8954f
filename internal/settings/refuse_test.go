package settings

import (
	"errors"
	"strings"
	"testing"

	"github.com/vextrus/finance-rollout/internal/testkit"
)

func TestLoadRefuses(t *testing.T) {
	tests := []struct {
		name    string
		changes []string
		want    []string // what the error must name: the key, the value, what is allowed
	}{
		{"weight below", []string{"canaryWeight", "-1"}, []string{"canaryWeight", `"-1"`, "0 to 100"}},
		{"weight above", []string{"canaryWeight", "101"}, []string{"canaryWeight", `"101"`, "0 to 100"}},
		{"weight that ten pods cannot express", []string{"canaryWeight", "33"},
			[]string{"canaryWeight", `"33"`, "30 %", "40 %", "pulumi config set canaryWeight 30"}},
		{"weight with a percent sign", []string{"canaryWeight", "30%"},
			[]string{"canaryWeight", `"30%"`, "0 to 100", "percent sign"}},
		{"week 0", []string{"week", "0"}, []string{"config week", `"0"`, "1 to 4"}},
		{"week 5", []string{"week", "5"}, []string{"config week", `"5"`, "1 to 4"}},
		{"week of words", []string{"week", "one"}, []string{"config week", `"one"`, "whole number"}},
		{"week that four pods cannot express", []string{"replicas", "4"}, []string{"config week", "25 %"}},
		{"no image", []string{"image", "", "staging", `{"required":false}`},
			[]string{"config image", "pulumi config set image"}},
		{"no stable image", []string{"stableImage", ""}, []string{"config stableImage"}},
		{"a digest to build", []string{"strategy", "single", "build", `{"context":"."}`, "image", "a@sha256:0"},
			[]string{"config image", "tag"}},
		{"a build beside a canary", []string{"build", `{"context":"."}`},
			[]string{"config build.context", "builds belong to stacks with strategy \"single\"", "pulumi config rm build"}},
		{"unknown key", []string{"canaryWieght", "30"}, []string{"canaryWieght", "no such key", "canaryWeight"}},
		{"unknown field", []string{"service", `{"prot":80}`}, []string{"config service", "prot", "port, type, nodePort"}},
		{"wrong type of field", []string{"service", `{"port":"x"}`}, []string{"config service", "port"}},
		{"no JSON", []string{"probes", `{`}, []string{"config probes"}},
		{"missing secret", []string{"secrets", `{"finance-db":{"host":"db","username":"u"}}`},
			[]string{"secrets.finance-db.password", "missing", "DATABASE_PASSWORD",
				"pulumi config set --secret --path secrets.finance-db.password"}},
		{"placeholder", []string{"secrets", strings.Replace(goodSecrets, "s3cr3t-value", "<SECURE_PASSWORD>", 1)},
			[]string{"secrets.finance-db.password", "placeholder", "--secret"}},
		{"service type", []string{"service", `{"type":"Ingress"}`}, []string{"service.type", `"Ingress"`, "ClusterIP"}},
		{"port", []string{"containerPort", "70000"}, []string{"containerPort", "70000", "65535"}},
		{"strategy", []string{"strategy", "blue-green"}, []string{"strategy", "blue-green", "canary, single"}},
		{"traffic", []string{"traffic", "mesh"}, []string{"traffic", "mesh", "replicas"}},
		{"release", []string{"release", "Week 1"}, []string{"release", "Week 1"}},
		{"release like stable", []string{"release", "stable"}, []string{"release", "another name"}},
		{"request above limit", []string{"resources", `{"requests":{"cpu":"2"}}`},
			[]string{"resources.requests.cpu", `"2"`, "limit 1"}},
		{"quantity", []string{"resources", `{"limits":{"memory":"much"}}`}, []string{"resources.limits.memory", "much"}},
		{"probe path", []string{"probes", `{"liveness":{"path":"health"}}`},
			[]string{"probes.liveness.path", "begin with /"}},
		{"grace", []string{"shutdown", `{"gracePeriodSeconds":5}`}, []string{"gracePeriodSeconds", "preStopSeconds"}},
		{"prometheus missing", []string{"prometheus", ""}, []string{"config prometheus", "namespace/service:port"}},
		{"prometheus for the soak alone", []string{"prometheus", "", "bake", `{"duration": "0s"}`},
			[]string{"config prometheus", "the soak"}},
		{"prometheus", []string{"prometheus", "prom:9090"}, []string{"config prometheus", "prom:9090"}},
		{"error rates", []string{"criteria", `{"errorRate":0.02}`}, []string{"criteria.errorRate", "0.02"}},
		{"share", []string{"criteria", `{"slowShare":5}`}, []string{"criteria.slowShare", "5"}},
		{"guard replicas", []string{"guard", `{"replicas":0}`}, []string{"guard.replicas", `"0"`, "1 to 5"}},
		{"guard interval", []string{"guard", `{"interval":"1ms"}`}, []string{"guard.interval", "1ms", "200ms"}},
		{"guard confidence", []string{"guard", `{"confidence":1}`}, []string{"guard.confidence", "less than 1"}},
		{"guard alertmanager", []string{"guard", `{"alertmanager":"am:9093"}`},
			[]string{"guard.alertmanager", "am:9093", "namespace/service:port"}},
		{"guard token", []string{"guard", `{"webhookToken":"guard/webhook"}`},
			[]string{"secrets.guard.webhook", "missing", "guard.webhookToken"}},
		{"page token", []string{"guard", `{"dashboardToken":"guard/dashboard"}`},
			[]string{"secrets.guard.dashboard", "missing", "guard.dashboardToken"}},
		{"page token that signs", []string{"guard", `{"dashboardToken":"finance-secrets/jwt-secret"}`},
			[]string{"guard.dashboardToken", "finance-secrets/jwt-secret", "smoke.tokenFrom", "one of its own"}},
		{"webhook without https", []string{"notify", webhook("http://hooks.example.com/x", `"rolled-back"`)},
			[]string{"notify.webhooks[0].url", `"http://hooks.example.com"`, "use https",
				"pulumi config set --path 'notify.webhooks[0].url' https://"}},
		{"webhook in a domain that looks like the cluster", []string{"notify", webhook("http://a.svc.example.com")},
			[]string{"notify.webhooks[0].url", "inside the cluster"}},
		{"webhook with a password", []string{"notify", webhook("https://ann:s3cr3t-word@hooks.example.com")},
			[]string{"notify.webhooks[0].url", "https://hooks.example.com", "a user or a password"}},
		{"webhook with a token", []string{"notify",
			webhook("https://hooks.example.com/?api_token=s3cr3t8c1f2f94b7d2c0a91e77")},
			[]string{"notify.webhooks[0].url", "relay"}},
		{"webhook of another kind", []string{"notify", webhook("ftp://hooks.example.com")},
			[]string{"notify.webhooks[0].url", "https address"}},
		{"webhook without an address", []string{"notify", webhook("")}, []string{"notify.webhooks[0].url"}},
		{"webhook without a key", []string{"notify", `{"webhooks":[{"url":"https://hooks.example.com"}]}`},
			[]string{"notify.webhooks[0].secret", "missing", "secret/key"}},
		{"webhook with a key that is missing", []string{"notify", `{"webhooks":[{"url":"https://hooks.example.com",
			"secret":"notify/hmac-key"}]}`}, []string{"secrets.notify.hmac-key", "missing", "notify.webhooks[0].secret",
			"pulumi config set --secret --path secrets.notify.hmac-key"}},
		{"webhook for an unknown event", []string{"notify", webhook("https://hooks.example.com", `"rolled"`)},
			[]string{"notify.webhooks[0].events[0]", `"rolled"`, "entered, shifted",
				"pulumi config set --path 'notify.webhooks[0].events[0]' rolled-back"}},
		{"webhook twice", []string{"notify", `{"webhooks":[
			{"url":"https://hooks.example.com","secret":"notify/hmac-key"},
			{"url":"https://hooks.example.com","secret":"notify/hmac-key"}]}`},
			[]string{"notify.webhooks[1].url", "same address"}},
		{"webhook with the key of something else", []string{"notify", `{"webhooks":[
			{"url":"https://hooks.example.com","secret":"finance-secrets/jwt-secret"}]}`},
			[]string{"notify.webhooks[0].secret", "finance-secrets/jwt-secret", "secretEnv.JWT_SECRET", "one of its own"}},
		{"webhook of a stack with one track", []string{"strategy", "single", "stableImage", "", "notify",
			webhook("https://hooks.example.com")}, []string{"notify.webhooks", "no rollout to tell of"}},
		{"webhook with an unknown field", []string{"notify", `{"webhooks":[{"uri":"https://hooks.example.com"}]}`},
			[]string{"notify", "uri"}},
		{"authorities", []string{"notify", `{"authorities":"/etc/ssl"}`}, []string{"notify.authorities", "configmap/key"}},
		{"bake interval", []string{"bake", `{"interval":"1h"}`}, []string{"bake.interval", "1h", "5m"}},
		{"secret reference", []string{"secretEnv", `{"A":"nope"}`}, []string{"secretEnv", "secret/key"}},
		{"metric name", []string{"metrics", `{"statusLabel":"a\"}"}`}, []string{"metrics.statusLabel"}},
		{"metrics port", []string{"metrics", `{"port":70000}`}, []string{"metrics.port", "70000", "65535"}},
		{"metrics port of the requests", []string{"metrics", `{"port":3014}`},
			[]string{"metrics.port", "containerPort already", "pulumi config rm --path metrics.port -s production"}},
		{"metrics port of the Service", []string{"metrics", `{"port":80}`},
			[]string{"metrics.port", "service.port", "pulumi config set --path service.port 8080"}},
		{"metrics port for everybody", []string{"metrics", `{"port":9464}`, "service", `{"type":"LoadBalancer"}`},
			[]string{"metrics.port", "LoadBalancer would publish the metrics"}},
		{"scrape interval", []string{"metrics", `{"interval":"10ms"}`}, []string{"metrics.interval", "1s"}},
		{"stages that fall", []string{"stages", "[30,10,100]"}, []string{"config stages", "30, 10, 100", "must rise"}},
		{"stages without an end", []string{"stages", "[10,30]"}, []string{"config stages", "must be 100"}},
		{"warm pods", []string{"warmStable", "11"}, []string{"warmStable", `"11"`, "0 to replicas"}},
		{"soak", []string{"soak", `{"duration":"-1h"}`}, []string{"config soak"}},
		{"soak extension", []string{"soak", `{"extension":"0s"}`}, []string{"config soak", "more than 0"}},
		{"no staging stack", []string{"staging", `{"stack":""}`}, []string{"staging.stack", "staging.required false"}},
		{"latch without a reason", []string{"latch", `{"release":4}`}, []string{"latch.reason", "with a reason only"}},
		{"override without a reason", []string{"override", `{"weight":30}`},
			[]string{"override.reason", "with a reason only"}},
		{"override of no weight", []string{"override", `{"weight":"much","reason":"x"}`},
			[]string{"config override", "whole number"}},
		{"a word for worse canaries", []string{"criteria", `{"relative":"hold"}`},
			[]string{"criteria.relative", `"hold"`, "review, rollback, off", "-s production"}},
		{"a ratio to stable", []string{"criteria", `{"relativeRatio":0.5}`}, []string{"criteria.relativeRatio", "1 to 100"}},
		{"a factor of latency", []string{"criteria", `{"relativeSlower":1}`},
			[]string{"criteria.relativeSlower", "more than 1"}},
		{"a factor of CPU", []string{"criteria", `{"relativeCpu":0.9}`}, []string{"criteria.relativeCpu", "0 for no comparison"}},
		{"a factor of memory", []string{"criteria", `{"relativeMemory":11}`},
			[]string{"criteria.relativeMemory", "what stable needs"}},
		{"too many slices", []string{"criteria", `{"slices":5000}`}, []string{"criteria.slices", "0 to 1000"}},
		{"slices by status", []string{"criteria", `{"sliceLabels":["code"]}`},
			[]string{"criteria.sliceLabels[0]", "the label for the status"}},
		{"a slice's label", []string{"criteria", `{"sliceLabels":["a path"]}`},
			[]string{"criteria.sliceLabels[0]", "no name of a label"}},
		{"confidence", []string{"criteria", `{"confidence":1}`}, []string{"criteria.confidence", "less than 1"}},
		{"own criterion without a query", []string{"criteria", `{"own":[{"name":"csat","direction":"above"}]}`},
			[]string{"criteria.own[0]", "query"}},
		{"own criterion without a direction", []string{"criteria",
			`{"own":[{"name":"csat","query":"up","direction":"over"}]}`},
			[]string{"criteria.own[0].direction", `"over"`, "below, above"}},
		{"progress timeout", []string{"progressTimeout", "1s"}, []string{"progressTimeout", "10s"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := Load("production", production(tt.changes...))
			if err == nil {
				t.Fatal("accepted")
			}
			for _, word := range tt.want {
				if !strings.Contains(err.Error(), word) {
					t.Errorf("error does not name %q: %v", word, err)
				}
			}
			if strings.Contains(err.Error(), "sign-with-me") || strings.Contains(err.Error(), "s3cr3t") {
				t.Errorf("error shows a secret: %v", err)
			}
			var typed *Error
			if !errors.As(err, &typed) {
				t.Errorf("error holds no *Error: %v", err)
			}
		})
	}
}

// plainText is a stack whose secrets are not encrypted.
type plainText struct{ testkit.Config }

func (plainText) IsSecret(string) bool { return false }

func TestPlainSecretsAreRefused(t *testing.T) {
	if _, err := Load("production", plainText{production()}); err == nil || !strings.Contains(err.Error(), "plain text") {
		t.Errorf("plain secrets: %v", err)
	}
}

func TestAllProblemsAreReportedAtOnce(t *testing.T) {
	_, err := Load("production", production("image", "", "staging", `{"required":false}`, "stableImage", "",
		"traffic", "mesh"))
	for _, key := range []string{"config image", "config stableImage", "config traffic"} {
		if err == nil || !strings.Contains(err.Error(), key) {
			t.Errorf("error does not name %s: %v", key, err)
		}
	}
}

// webhook is the setting of one webhook that is right but for what is given.
func webhook(address string, events ...string) string {
	return `{"webhooks":[{"url":"` + address + `","secret":"notify/hmac-key","events":[` +
		strings.Join(events, ",") + `]}]}`
}

// withKey are the stack's secrets with the key of a webhook.
var withKey = strings.Replace(goodSecrets, `{"finance-db"`, `{"notify":{"hmac-key":"k"},"finance-db"`, 1)

func TestWebhooksThatAreAllowed(t *testing.T) {
	for _, address := range []string{"https://hooks.example.com/rollout", "http://relay.monitoring.svc:8080/events",
		"http://relay.monitoring.svc.cluster.local", "http://127.0.0.1:9000", "http://[::1]:9000", "http://localhost:9000"} {
		s, err := Load("production", production("secrets", withKey, "notify", webhook(address, `"rolled-back"`)))
		if err != nil {
			t.Errorf("%s: %v", address, err)
		} else if got := s.Notify.Webhooks; len(got) != 1 || got[0].URL != address ||
			got[0].KeyName() != "notify_hmac-key" {
			t.Errorf("%s: %+v", address, got)
		}
	}
}

func TestAKeyThatOnlySigns(t *testing.T) {
	s, err := Load("production", production("secrets", withKey, "notify", webhook("https://a.example.com")))
	if err != nil {
		t.Fatal(err)
	}
	for ref, want := range map[SecretRef]bool{{"notify", "hmac-key"}: true, {"finance-secrets", "jwt-secret"}: false,
		{"finance-db", "password"}: false} {
		if got := s.SignsOnly(ref); got != want {
			t.Errorf("%s signs only: %v", ref, got)
		}
	}
}
