package components

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"github.com/vextrus/finance-rollout/internal/settings"
)

const (
	typeRole    = "kubernetes:rbac.authorization.k8s.io/v1:Role"
	typeBinding = "kubernetes:rbac.authorization.k8s.io/v1:RoleBinding"
)

func guardArgs() *GuardArgs {
	return &GuardArgs{
		App: app(), Image: "vextrus/rollout@sha256:cc", Replicas: 2, Config: `{"format":1}`, ConfigKey: "rollout.json",
		Ledger: "finance-service-ledger", Record: "finance-service-release", Service: "finance-service",
		Deployments: []string{"finance-service-stable", "finance-service-week1"},
		Files: map[string]settings.SecretRef{
			GuardWebhookToken: {Secret: "guard-production", Key: "webhook"},
			GuardSmokeKey:     {Secret: "finance-secrets-production", Key: "jwt-secret"},
		},
		PullSecrets: []string{"registry-production"}, Monitored: true, Labels: map[string]string{"release": "prometheus"},
	}
}

func newGuard(args *GuardArgs) pulumi.RunFunc {
	return func(ctx *pulumi.Context) error {
		_, err := NewGuard(ctx, "guard", args)
		return err
	}
}

func TestGuardInputs(t *testing.T) {
	r := &recorder{}
	if err := run(t, r, newGuard(guardArgs())); err != nil {
		t.Fatal(err)
	}
	const pod = "spec.template.spec."
	tests := []struct {
		key, path string
		want      any
	}{
		{typeDeployment + "/guard", "metadata.name", "finance-service-guard"},
		{typeDeployment + "/guard", "spec.replicas", 2.0},
		{typeDeployment + "/guard", pod + "containers[0].image", "vextrus/rollout@sha256:cc"},
		{typeDeployment + "/guard", pod + "containers[0].securityContext.readOnlyRootFilesystem", true},
		{typeDeployment + "/guard", pod + "containers[0].securityContext.capabilities.drop[0]", "ALL"},
		{typeDeployment + "/guard", pod + "securityContext.runAsNonRoot", true},
		{typeDeployment + "/guard", pod + "securityContext.seccompProfile.type", "RuntimeDefault"},
		{typeDeployment + "/guard", pod + "containers[0].resources.requests.memory", "32Mi"},
		{typeDeployment + "/guard", pod + "containers[0].resources.limits.memory", "64Mi"},
		{typeDeployment + "/guard", pod + "volumes[0].projected.sources[0].secret.name", "finance-secrets-production"},
		{typeDeployment + "/guard", pod + "volumes[0].projected.sources[1].secret.items[0].path", GuardWebhookToken},
		{typeConfigMap + "/guard", "metadata.labels[\"finance-rollout/purpose\"]", "guard"},
		{typeConfigMap + "/guard", "data[\"rollout.json\"]", `{"format":1}`},
		{typeAccount + "/guard", "imagePullSecrets[0].name", "registry-production"},
		{typeBinding + "/guard", "roleRef.name", "finance-service-guard"},
		{typeRole + "/guard", "rules[12].resourceNames[0]", "finance-service-release"},
		{typeRole + "/guard", "rules[12].verbs[1]", "patch"},
		{typeDeployment + "/guard", pod + "containers[0].args[1]", "--configmap"},
		{typeDeployment + "/guard", pod + "containers[0].args[2]", "finance-service-guard"},
		{typeBudget + "/guard", "spec.maxUnavailable", 1.0},
		{typePolicy + "/guard", "spec.ingress[0].ports[0].port", 8080.0},
		{typeService + "/guard", "spec.clusterIP", "None"},
		{typeService + "/guard-webhook", "spec.selector[\"finance-rollout/leader\"]", "true"},
		{typeMonitor + "/guard-ServiceMonitor", "spec.selector.matchLabels.app", "finance-service-guard"},
	}
	for _, tt := range tests {
		if got := r.path(t, tt.key, tt.path); got != tt.want {
			t.Errorf("%s %s is %v, want %v", tt.key, tt.path, got, tt.want)
		}
	}
	arguments := fmt.Sprint(r.path(t, typeDeployment+"/guard", pod+"containers[0].args"))
	if !strings.Contains(arguments, "--webhook-token-file /etc/guard/webhook-token") ||
		!strings.Contains(arguments, "--smoke-key-file /etc/guard/smoke-key") {
		t.Errorf("arguments %s", arguments)
	}
	// The app's Service and its ServiceMonitor select by this label.
	if label := r.path(t, typeDeployment+"/guard", "spec.template.metadata.labels.app"); label != "finance-service-guard" {
		t.Errorf("the guard's pods carry app=%v", label)
	}
}

// The logins lie in a Secret of the guard's own, as Pulumi secrets, and nowhere else.
func TestTheGuardsLogins(t *testing.T) {
	const document = `{"basic_auth":{"username":"ann","password":"s3cr3t-value"}}`
	args, r := guardArgs(), &recorder{}
	args.Files = nil
	args.Logins = map[string]settings.Secret{GuardPrometheusLogin: document, GuardAlertmanagerLogin: "{}"}
	if err := run(t, r, newGuard(args)); err != nil {
		t.Fatal(err)
	}
	const secret, pod = "kubernetes:core/v1:Secret/guard-logins", "spec.template.spec."
	stored, ok := r.inputs[secret]["stringData"]
	if !ok || !strings.Contains(fmt.Sprint(stored), "s3cr3t-value") || !stored.ContainsSecrets() {
		t.Errorf("the Secret holds %v", stored)
	}
	for path, want := range map[string]any{
		pod + "volumes[0].projected.sources[0].secret.name":          "finance-service-guard-logins",
		pod + "volumes[0].projected.sources[0].secret.items[0].path": GuardAlertmanagerLogin,
		pod + "volumes[0].projected.sources[1].secret.items[0].key":  GuardPrometheusLogin,
		pod + "containers[0].volumeMounts[0].readOnly":               true,
	} {
		if got := r.path(t, typeDeployment+"/guard", path); got != want {
			t.Errorf("%s is %v, want %v", path, got, want)
		}
	}
	arguments := fmt.Sprint(r.path(t, typeDeployment+"/guard", pod+"containers[0].args"))
	if !strings.Contains(arguments, "--prometheus-login-file /etc/guard/prometheus-login") ||
		!strings.Contains(arguments, "--alertmanager-login-file /etc/guard/alertmanager-login") {
		t.Errorf("arguments %s", arguments)
	}
	for key, inputs := range r.inputs {
		if key != secret && strings.Contains(fmt.Sprint(inputs), "s3cr3t-value") {
			t.Errorf("%s holds the password", key)
		}
	}
}

// Where the guard has a certificate, everybody who asks it asks by TLS.
func TestAGuardWithACertificate(t *testing.T) {
	args, r := guardArgs(), &recorder{}
	args.Certificate, args.Files = "guard-tls", nil
	if err := run(t, r, newGuard(args)); err != nil {
		t.Fatal(err)
	}
	const pod = "spec.template.spec."
	for _, tt := range []struct{ key, path, want string }{
		{typeDeployment + "/guard", pod + "volumes[0].projected.sources[0].secret.name", "guard-tls"},
		{typeDeployment + "/guard", pod + "volumes[0].projected.sources[1].secret.items[0].path", "tls/tls.key"},
		{typeDeployment + "/guard", pod + "containers[0].livenessProbe.httpGet.scheme", "HTTPS"},
		{typeDeployment + "/guard", pod + "containers[0].readinessProbe.httpGet.scheme", "HTTPS"},
		{typeMonitor + "/guard-ServiceMonitor", "spec.endpoints[0].scheme", "https"},
		{typeMonitor + "/guard-ServiceMonitor", "spec.endpoints[0].tlsConfig.ca.secret.name", "guard-tls"},
		{typeMonitor + "/guard-ServiceMonitor", "spec.endpoints[0].tlsConfig.serverName",
			"finance-service-guard.vextrus-production.svc"},
	} {
		if got := r.path(t, tt.key, tt.path); got != tt.want {
			t.Errorf("%s %s is %v, want %v", tt.key, tt.path, got, tt.want)
		}
	}
	arguments := fmt.Sprint(r.path(t, typeDeployment+"/guard", pod+"containers[0].args"))
	if !strings.Contains(arguments, "--tls-cert-file /etc/guard/tls/tls.crt --tls-key-file /etc/guard/tls/tls.key") {
		t.Errorf("arguments %s", arguments)
	}
}

// The guard may touch what a rollback touches, and nothing else.
func TestGuardPermissions(t *testing.T) {
	for _, rule := range guardArgs().permissions(App{Name: "finance-service-guard"}) {
		if slices.Contains(rule.resources, "secrets") || slices.Contains(rule.resources, "*") ||
			slices.Contains(rule.verbs, "*") || slices.Contains(rule.resources, "pods/exec") {
			t.Errorf("too much: %+v", rule)
		}
		writes := slices.ContainsFunc(rule.verbs, func(v string) bool { return v == "update" || v == "patch" })
		if writes && len(rule.names) == 0 && !slices.Equal(rule.resources, []string{"pods"}) {
			t.Errorf("writes to anything: %+v", rule)
		}
	}
}

func TestGuardThatTellsWebhooks(t *testing.T) {
	args, r := guardArgs(), &recorder{}
	args.NotifyKeys = map[string]settings.SecretRef{"notify_hmac-key": {Secret: "notify-production", Key: "hmac-key"}}
	args.Notified, args.Authorities = "finance-service-notified", "authorities/ca.crt"
	if err := run(t, r, newGuard(args)); err != nil {
		t.Fatal(err)
	}
	const pod = "spec.template.spec."
	for path, want := range map[string]any{
		pod + "volumes[0].projected.sources[2].secret.name":            "notify-production",
		pod + "volumes[0].projected.sources[2].secret.items[0].key":    "hmac-key",
		pod + "volumes[0].projected.sources[2].secret.items[0].path":   "notify/notify_hmac-key",
		pod + "volumes[0].projected.sources[3].configMap.name":         "authorities",
		pod + "volumes[0].projected.sources[3].configMap.optional":     true,
		pod + "volumes[0].projected.sources[3].configMap.items[0].key": "ca.crt",
		pod + "containers[0].env[3].name":                              "SSL_CERT_FILE",
		pod + "containers[0].env[3].value":                             "/etc/guard/authorities.pem",
	} {
		if got := r.path(t, typeDeployment+"/guard", path); got != want {
			t.Errorf("%s is %v, want %v", path, got, want)
		}
	}
	arguments := fmt.Sprint(r.path(t, typeDeployment+"/guard", pod+"containers[0].args"))
	if !strings.Contains(arguments, "--notify-keys /etc/guard/notify") {
		t.Errorf("arguments %s", arguments)
	}
	for _, rule := range args.permissions(App{Name: "finance-service-guard"}) {
		if slices.Contains(rule.names, args.Ledger) && !slices.Contains(rule.names, args.Notified) {
			t.Errorf("it may not write how far it is: %+v", rule)
		}
	}
}

func TestGuardWithKeysAlone(t *testing.T) {
	args, r := guardArgs(), &recorder{}
	args.Files = nil
	args.NotifyKeys = map[string]settings.SecretRef{"notify_hmac-key": {Secret: "notify-production", Key: "hmac-key"}}
	if err := run(t, r, newGuard(args)); err != nil {
		t.Fatal(err)
	}
	at := r.path(t, typeDeployment+"/guard", "spec.template.spec.containers[0].volumeMounts[0].mountPath")
	if at != guardFiles {
		t.Errorf("mounted at %v", at)
	}
}

func TestGuardWithoutWhatIsOptional(t *testing.T) {
	args := guardArgs()
	args.Files, args.Monitored, args.Replicas, args.PullSecrets = nil, false, 1, nil
	r := &recorder{}
	if err := run(t, r, newGuard(args)); err != nil {
		t.Fatal(err)
	}
	for _, key := range []string{typeService + "/guard-webhook", typeMonitor + "/guard-ServiceMonitor", typeBudget +
		"/guard", "kubernetes:core/v1:Secret/guard-logins"} {
		if _, exists := r.inputs[key]; exists {
			t.Errorf("%s is made", key)
		}
	}
	if arguments := fmt.Sprint(r.path(t, typeDeployment+"/guard",
		"spec.template.spec.containers[0].args")); strings.Contains(arguments, "file") ||
		strings.Contains(arguments, "notify") {
		t.Errorf("arguments %s", arguments)
	}
}

func TestGuardRefuses(t *testing.T) {
	for name, change := range map[string]func(*GuardArgs){
		"no image": func(a *GuardArgs) { a.Image = "" }, "no config": func(a *GuardArgs) { a.Config = "" },
		"no ledger": func(a *GuardArgs) { a.Ledger = "" }, "no deployments": func(a *GuardArgs) { a.Deployments = nil },
		"no pods": func(a *GuardArgs) { a.Replicas = 0 }, "no app": func(a *GuardArgs) { a.App = App{} },
	} {
		t.Run(name, func(t *testing.T) {
			args, r := guardArgs(), &recorder{}
			change(args)
			if err := run(t, r, newGuard(args)); err == nil || !strings.Contains(err.Error(), "guard: ") {
				t.Errorf("error %v", err)
			}
			delete(r.inputs, "pulumi:pulumi:Stack/finance-rollout-production")
			if len(r.inputs) != 0 {
				t.Errorf("it made %d resources", len(r.inputs))
			}
		})
	}
}

func TestGuardFailsWithAnyOfItsResources(t *testing.T) {
	for _, failing := range []string{typeConfigMap, typeAccount, typeRole, typeBinding, typeDeployment, typeBudget,
		typePolicy, typeService, typeMonitor} {
		t.Run(failing, func(t *testing.T) {
			if err := run(t, &recorder{failing: failing}, newGuard(guardArgs())); err == nil {
				t.Error("accepted")
			}
		})
	}
}

// The logins for the stack's own criteria lie in the guard's Secret, and in a folder of their own.
func TestTheGuardsLoginsForCriteria(t *testing.T) {
	args, r := guardArgs(), &recorder{}
	args.Files, args.OwnLogins = nil, map[string]settings.Secret{"3f2a9c01d4e5b677": "{}"}
	args.ScrapeCA = "pods-ca/ca.crt"
	if err := run(t, r, newGuard(args)); err != nil {
		t.Fatal(err)
	}
	const sources = "spec.template.spec.volumes[0].projected.sources"
	for path, want := range map[string]any{
		sources + "[0].secret.items[0].key":     "own-3f2a9c01d4e5b677",
		sources + "[0].secret.items[0].path":    "own/3f2a9c01d4e5b677",
		sources + "[1].configMap.name":          "pods-ca",
		sources + "[1].configMap.items[0].path": "scrape-ca.pem",
	} {
		if got := r.path(t, typeDeployment+"/guard", path); got != want {
			t.Errorf("%s is %v, want %v", path, got, want)
		}
	}
	arguments := fmt.Sprint(r.path(t, typeDeployment+"/guard", "spec.template.spec.containers[0].args"))
	if !strings.Contains(arguments, "--own-logins /etc/guard/own") || strings.Contains(arguments,
		"3f2a9c01d4e5b677-file") {
		t.Errorf("arguments %s", arguments)
	}
}

func TestTheGuardMayChangeTheRouteThatThereIs(t *testing.T) {
	for route, want := range map[string][2]string{
		"": {"httproutes", "finance-service"}, "shop": {"httproutes", "shop"}, "grpcroute/shop": {"grpcroutes", "shop"},
	} {
		args := guardArgs()
		args.Route = route
		found := false
		for _, rule := range args.permissions(App{Name: "finance-service-guard"}) {
			if rule.group == "gateway.networking.k8s.io" {
				found = slices.Equal(rule.resources, []string{want[0]}) && slices.Equal(rule.names, []string{want[1]})
			}
		}
		if !found {
			t.Errorf("route %q: no right on %s %s", route, want[0], want[1])
		}
	}
}
