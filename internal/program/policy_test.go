package program

import (
	"maps"
	"strings"
	"testing"
	"time"

	"github.com/pulumi/pulumi/sdk/v3/go/common/resource"

	"github.com/vextrus/finance-rollout/internal/ledger"
	"github.com/vextrus/finance-rollout/internal/policy"
)

// broken runs the program and lists the policies that its resources break.
func (w *world) broken(t *testing.T, stack string, config map[string]string) map[string]string {
	t.Helper()
	if err := w.run(t, stack, config); err != nil {
		t.Fatal(err)
	}
	var resources []policy.Resource
	for key, inputs := range w.inputs {
		token, name := key[:strings.LastIndex(key, "/")], key[strings.LastIndex(key, "/")+1:]
		resources = append(resources, policy.Resource{
			Type: token, Name: name, URN: key, Properties: resource.FromResourcePropertyMap(inputs),
		})
	}
	violations, err := policy.Check(policy.Facts{GuardWanted: true}, resources)
	if err != nil {
		t.Fatal(err)
	}
	messages := map[string]string{}
	for _, violation := range violations {
		messages[violation.Policy.Name] += violation.URN + ": " + violation.Message + "\n"
	}
	return messages
}

func TestThePoliciesHoldForWhatTheProgramMakes(t *testing.T) {
	tests := map[string]struct {
		stack  string
		config map[string]string
	}{
		"week 1":    {stack: "production"},
		"week 2":    {stack: "production", config: map[string]string{"week": "2"}},
		"week 3":    {stack: "production", config: map[string]string{"week": "3"}},
		"week 4":    {stack: "production", config: map[string]string{"week": "4"}},
		"no canary": {stack: "production", config: map[string]string{"canaryWeight": "0"}},
		"staging": {stack: "staging", config: map[string]string{
			"strategy": "single", "replicas": "2", "release": "staging", "serviceName": "finance-service-staging",
			"namespace": "vextrus-staging",
		}},
		"long shutdown": {stack: "production",
			config: map[string]string{"shutdown": `{"gracePeriodSeconds":60,"preStopSeconds":20}`}},
		"by a route": {stack: "production", config: gatewayConfig(30)},
		"with webhooks": {stack: "production", config: guardedConfig("secrets",
			strings.Replace(productionConfig()["secrets"], `{"finance-db"`, `{"notify":{"hmac-key":"k3y"},"finance-db"`, 1),
			"notify", `{"authorities":"authorities/ca.crt","webhooks":[
				{"url":"http://relay.monitoring.svc:8080/events","secret":"notify/hmac-key"}]}`)},
		"by a route, scaled": {stack: "production", config: autoscaled(gatewayConfig(30))},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			w := behindAGateway()
			w.verified = "vextrus/finance:v2@sha256:" + strings.Repeat("a", 64)
			config := guardedConfig()
			maps.Copy(config, tt.config)
			for name, messages := range w.broken(t, tt.stack, config) {
				t.Errorf("%s: %s", name, messages)
			}
		})
	}
}

func TestThePoliciesCatchAConfiguration(t *testing.T) {
	tests := map[string]map[string]string{
		"credential-in-env":       {"env": `{"PORT":"3014","STRIPE_API_KEY":"0123456789abcdef"}`},
		"credential-in-configmap": {"configEnv": `{"ADMIN_PASSWORD":"hunter2"}`},
		"cors-origin":             {"env": `{"CORS_ORIGIN":"*"}`, "secretEnv": `{"CORS_ORIGIN":""}`},
		"cors-origin-set":         {"secretEnv": `{"CORS_ORIGIN":""}`},
		"pod-grace-period":        {"shutdown": `{"gracePeriodSeconds":30,"preStopSeconds":29}`},
		"weight-on-stage":         {"canaryWeight": "20"},
		"canary-scraped":          {"monitoring": `{"enabled":false}`},
		"canary-alerts":           {"monitoring": `{"enabled":false}`},
		"canary-guarded":          {"guard": `{"image":""}`},
		"staging-verified":        {"staging": `{"required":false}`},
		"image-registry":          {"image": "someone/finance:v2"},
		"eventstore-tls": {"secrets": `{"finance-db":{"host":"db","username":"app","password":"s3cr3t-value"},
			"finance-secrets":{"jwt-secret":"sign-with-me","eventstore-connection":"esdb://es:2113?tls=false","cors-origin":"https://app.vextrus.com"}}`},
	}
	for name, change := range tests {
		t.Run(name, func(t *testing.T) {
			w := newWorld()
			w.verified = "vextrus/finance:v2@sha256:" + strings.Repeat("a", 64)
			config := guardedConfig()
			maps.Copy(config, change)
			violations := w.broken(t, "production", config)
			if _, caught := violations[name]; !caught {
				t.Errorf("not caught; found %v", violations)
			}
			for _, secret := range []string{"s3cr3t-value", "sign-with-me", "hunter2", "0123456789abcdef", "es:2113"} {
				for by, message := range violations {
					if strings.Contains(message, secret) {
						t.Errorf("%s tells the value %s", by, secret)
					}
				}
			}
		})
	}
}

func TestTheCanaryCarriesTheWordOfStaging(t *testing.T) {
	digest := "sha256:" + strings.Repeat("a", 64)
	tests := map[string]struct {
		verified string
		entered  bool
		want     string
	}{
		"verified now":             {verified: "vextrus/finance@" + digest, want: digest},
		"verified when it entered": {verified: "vextrus/finance@sha256:bb", entered: true, want: digest},
		"never verified":           {verified: "vextrus/finance@sha256:bb"},
		"staging verified nothing": {},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			w := newWorld()
			w.verified = tt.verified
			if tt.entered {
				store := ledger.InConfigMap{Cluster: w, Namespace: "vextrus-production", Name: "finance-service-ledger"}
				entry := ledger.Entry{Kind: ledger.StagingVerified, Image: digest, Stack: "staging"}
				if _, err := ledger.Write(t.Context(), store, time.Now, entry); err != nil {
					t.Fatal(err)
				}
			}
			if err := w.run(t, "production", productionConfig()); err != nil {
				t.Fatal(err)
			}
			metadata := w.inputs["kubernetes:apps/v1:Deployment/finance-service-week1"]["metadata"].ObjectValue()
			if got := metadata["annotations"].ObjectValue()["finance-rollout/staging-verified"].StringValue(); got != tt.want {
				t.Errorf("the canary carries %q, want %q", got, tt.want)
			}
		})
	}
}

// autoscaled gives the canary an autoscaler.
func autoscaled(config map[string]string) map[string]string {
	config["canary"] = `{"autoscale":{"max":10,"cpuPercent":70}}`
	return config
}
