package settings

import (
	"encoding/json"
	"errors"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/vextrus/finance-rollout/internal/testkit"
)

// withMetrics are the secrets of a stack whose Prometheus wants a login.
const withMetrics = `{"finance-db":{"host":"db","username":"finance","password":"s3cr3t-value"},
	"finance-secrets":{"jwt-secret":"sign-with-me","eventstore-connection":"esdb://es:2113?tls=true",
		"cors-origin":"https://app.vextrus.com"},
	"metrics":{"token":"t0ken-value","key":"k3y-value","other":"0ther-value"}}`

func behindALogin(auth string, changes ...string) testkit.Config {
	return production(append([]string{"prometheus", "https://mimir.example/prometheus", "secrets", withMetrics,
		"prometheusAuth", auth}, changes...)...)
}

func TestTheDocumentIsAnHTTPConfig(t *testing.T) {
	certificate, _ := testkit.NewAuthority(t).Issue(t, "rollout")
	pem := strconv.Quote(certificate)
	for name, tt := range map[string]struct{ auth, want string }{
		"nothing": {`{}`, `{}`},
		"bearer": {`{"authorization":{"credentials":"metrics/token"}}`,
			`{"authorization":{"credentials":"t0ken-value"}}`},
		"a scheme": {`{"authorization":{"type":"Token","credentials":"metrics/token"}}`,
			`{"authorization":{"type":"Token","credentials":"t0ken-value"}}`},
		"basic, with a tenant's number": {`{"basic_auth":{"username":123456,"password":"metrics/token"}}`,
			`{"basic_auth":{"username":"123456","password":"t0ken-value"}}`},
		"oauth2": {`{"oauth2":{"client_id":"finance","client_secret":"metrics/token","token_url":"https://id.example/t",
			"scopes":["a"],"endpoint_params":{"audience":"m"},"tls_config":{"server_name":"x"},"proxy_url":"http://p"}}`,
			`{"oauth2":{"client_id":"finance","client_secret":"t0ken-value","token_url":"https://id.example/t",
			"scopes":["a"],"endpoint_params":{"audience":"m"},"tls_config":{"server_name":"x"},"proxy_url":"http://p"}}`},
		"tls": {`{"tls_config":{"ca":` + pem + `,"cert":` + pem + `,"key":"metrics/key"}}`,
			`{"tls_config":{"ca":` + pem + `,"cert":` + pem + `,"key":"k3y-value"}}`},
		"unverified": {`{"tls_config":{"insecure_skip_verify":true}}`, `{"tls_config":{"insecure_skip_verify":true}}`},
		"headers": {`{"http_headers":{"X-Scope-OrgID":{"values":[7]},"X-Key":{"secrets":["metrics/key"]}}}`,
			`{"http_headers":{"X-Scope-OrgID":{"values":["7"]},"X-Key":{"secrets":["k3y-value"]}}}`},
		"proxy": {`{"proxy_url":"http://proxy:3128"}`, `{"proxy_url":"http://proxy:3128"}`},
	} {
		t.Run(name, func(t *testing.T) {
			s, err := Load("production", behindALogin(tt.auth))
			if err != nil {
				t.Fatal(err)
			}
			text, err := s.PrometheusLogin(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			var got, want any
			if err := errors.Join(json.Unmarshal([]byte(text), &got), json.Unmarshal([]byte(tt.want), &want)); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("(-want +got)\n%s", diff)
			}
			if set := s.PrometheusAuth.IsSet(); set != (name != "nothing") || (s.PrometheusAuth.Login(nil) != nil) != set {
				t.Errorf("set: %v", set)
			}
		})
	}
}

func TestLoginsAreRefused(t *testing.T) {
	tests := []struct {
		name, auth string
		changes    []string
		want       []string
	}{
		{"an unknown part", `{"basic_atuh":{}}`, nil,
			[]string{"config prometheusAuth.basic_atuh", "did you mean basic_auth?", "pulumi config rm --path"}},
		{"a part of its own", `{"bearer_token":"t0ken-value"}`, nil, []string{"prometheusAuth.bearer_token", "no such field",
			"authorization"}},
		{"an unknown field", `{"authorization":{"credential":"metrics/token"}}`, nil,
			[]string{"prometheusAuth.authorization.credential", "did you mean credentials?"}},
		{"an unknown field of a header", `{"http_headers":{"X-A":{"value":["a"]}}}`, nil,
			[]string{"prometheusAuth.http_headers.X-A.value", "did you mean values?"}},
		{"the credential itself", `{"authorization":{"credentials":"t0ken-value"}}`, nil,
			[]string{"prometheusAuth.authorization.credentials", "no secret reference", "finance-db/password"}},
		{"a credential with a slash", `{"authorization":{"credentials":"T0ken/t0ken-value+"}}`, nil,
			[]string{"prometheusAuth.authorization.credentials", "no secret reference", "pulumi config set --secret --path"}},
		{"a secret that is not there", `{"authorization":{"credentials":"metrics/absent"}}`, nil,
			[]string{"secrets.metrics.absent", "missing", "prometheusAuth.authorization.credentials needs it"}},
		{"no credentials", `{"authorization":{"type":"Bearer"}}`, nil,
			[]string{"prometheusAuth.authorization.credentials", "missing",
				"pulumi config set --path prometheusAuth.authorization.credentials NAME/KEY -s production"}},
		{"basic as a type", `{"authorization":{"type":"Basic","credentials":"metrics/token"}}`, nil,
			[]string{"prometheusAuth.authorization.type", "basic_auth"}},
		{"two words as a type", `{"authorization":{"type":"A b","credentials":"metrics/token"}}`, nil,
			[]string{"prometheusAuth.authorization.type", "one word"}},
		{"no password", `{"basic_auth":{"username":"a"}}`, nil, []string{"prometheusAuth.basic_auth.password", "missing"}},
		{"no user", `{"basic_auth":{"password":"metrics/token"}}`, nil,
			[]string{"prometheusAuth.basic_auth.username", "missing"}},
		{"two kinds", `{"authorization":{"credentials":"metrics/token"},
			"basic_auth":{"username":"a","password":"metrics/token"}}`, nil,
			[]string{"config prometheusAuth:", "authorization and basic_auth exclude each other",
				"pulumi config rm --path prometheusAuth.basic_auth -s production"}},
		{"half of OAuth 2", `{"oauth2":{"client_id":"a"}}`, nil,
			[]string{"prometheusAuth.oauth2.client_secret", "prometheusAuth.oauth2.token_url", "missing"}},
		{"no address of tokens", `{"oauth2":{"client_id":"a","client_secret":"metrics/token","token_url":"id"}}`, nil,
			[]string{`prometheusAuth.oauth2.token_url is "id"`, "http(s) address"}},
		{"credentials in the address of tokens",
			`{"oauth2":{"client_id":"a","client_secret":"metrics/token","token_url":"https://u:s3cr3t@id.example"}}`, nil,
			[]string{`prometheusAuth.oauth2.token_url is "https://id.example"`, "a user and a password"}},
		{"credentials in a proxy", `{"proxy_url":"http://u:s3cr3t@proxy:3128"}`, nil,
			[]string{`prometheusAuth.proxy_url is "http://proxy:3128"`, "a user and a password"}},
		{"no certificate", `{"tls_config":{"ca":"/etc/ca.pem"}}`, nil,
			[]string{"prometheusAuth.tls_config.ca", "PEM", "pulumi config set --path prometheusAuth.tls_config.ca < ca.pem"}},
		{"a key for a certificate",
			`{"tls_config":{"ca":"-----BEGIN EC PRIVATE KEY-----\nczNjcjN0\n-----END EC PRIVATE KEY-----"}}`,
			nil, []string{"prometheusAuth.tls_config.ca", "PEM"}},
		{"a key without a certificate", `{"tls_config":{"key":"metrics/key"}}`, nil,
			[]string{"prometheusAuth.tls_config", "cert and key go together"}},
		{"a header of the client's", `{"http_headers":{"authorization":{"secrets":["metrics/token"]}}}`, nil,
			[]string{"prometheusAuth.http_headers.authorization", "itself", "basic_auth"}},
		{"no header", `{"http_headers":{"X A":{"values":["a"]}}}`, nil, []string{"http_headers.X A", "no name of a header"}},
		{"a header without a value", `{"http_headers":{"X-A":{}}}`, nil, []string{"http_headers.X-A", "no value"}},
		{"a line break in a header", `{"http_headers":{"X-A":{"values":["a\nb"]}}}`, nil,
			[]string{"http_headers.X-A.values[0]", "control character"}},
		{"a credential in the open", `{"http_headers":{"X-Api-Key":{"values":["s3cr3tAbCdEf0123456789"]}}}`, nil,
			[]string{"http_headers.X-Api-Key.values[0]", "in the open", "pulumi config set --secret --path"}},
		{"a login through the API server", `{"authorization":{"credentials":"metrics/token"}}`,
			[]string{"prometheus", "monitoring/prometheus-operated:9090"},
			[]string{"config prometheusAuth:", "only http_headers", "monitoring/prometheus-operated:9090", "API server",
				"pulumi config set prometheus https://HOST -s production"}},
		{"a proxy before the API server", `{"proxy_url":"http://proxy:3128"}`,
			[]string{"prometheus", "monitoring/prometheus-operated:9090"}, []string{"only http_headers"}},
		{"somebody else for the API server", `{"http_headers":{"impersonate-user":{"values":["root"]}}}`,
			[]string{"prometheus", "monitoring/prometheus-operated:9090"},
			[]string{"prometheusAuth.http_headers.impersonate-user", "the API server acts on this header"}},
		{"the guard's Alertmanager through the API server", `{}`,
			[]string{"guard", `{"alertmanager":"monitoring/am:9093"}`, "alertmanagerAuth",
				`{"basic_auth":{"username":"a","password":"metrics/token"}}`},
			[]string{"config alertmanagerAuth:", "guard.alertmanager is monitoring/am:9093",
				"pulumi config set --path guard.alertmanager https://HOST -s production"}},
		{"a password in the address", `{}`, []string{"prometheus", "https://ann:s3cr3t-value@mimir.example/prometheus"},
			[]string{`config prometheus is "https://mimir.example/prometheus"`, "a user and a password",
				"pulumi config set prometheus https://mimir.example/prometheus -s production",
				"pulumi config set --path prometheusAuth.basic_auth.username USER -s production",
				"pulumi config set --path prometheusAuth.basic_auth.password NAME/KEY -s production"}},
		{"a password in the address that nothing asks", `{}`, []string{"prometheus", "https://ann:s3cr3t-value@mimir.example",
			"canaryWeight", "0", "bake", `{"duration":"0s"}`}, []string{"config prometheus", "a user and a password"}},
		{"a password in Alertmanager's address", `{}`,
			[]string{"guard", `{"alertmanager":"https://ann:s3cr3t-value@am.example"}`},
			[]string{`config guard.alertmanager is "https://am.example"`, "alertmanagerAuth.basic_auth.username"}},
		{"a password under a mistyped key", `{}`, []string{"promethes", "https://ann:s3cr3t-value@am.example"},
			[]string{"did you mean prometheus?"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := Load("production", behindALogin(tt.auth, tt.changes...))
			testkit.WantError(t, err, tt.want...)
			for _, secret := range []string{"t0ken-value", "s3cr3t", "czNjcjN0"} {
				if err != nil && strings.Contains(err.Error(), secret) {
					t.Errorf("the error shows a credential: %v", err)
				}
			}
		})
	}
}

func TestHeadersMayGoThroughTheAPIServer(t *testing.T) {
	if _, err := Load("production", behindALogin(`{"http_headers":{"X-Scope-OrgID":{"values":["payments"]}}}`,
		"prometheus", "mimir/mimir-query-frontend:8080")); err != nil {
		t.Error(err)
	}
}

// The operator's command reads the stack's file without its secrets: a mark in place of a credential is not sent.
func TestALoginNeedsTheSecretsThemselves(t *testing.T) {
	s, err := Load("production", behindALogin(`{"authorization":{"credentials":"metrics/token"}}`, "secrets",
		strings.ReplaceAll(withMetrics, "t0ken-value", "[secret]")))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.PrometheusLogin(t.Context()); !errors.Is(err, errEncrypted) || !s.PrometheusAuth.HasCredentials() {
		t.Errorf("error %v", err)
	}
}

// A new token for Prometheus replaces no pod, and its Secret is not the pods' to see.
func TestALoginIsNoSecretOfThePods(t *testing.T) {
	s, err := Load("production", behindALogin(`{"authorization":{"credentials":"metrics/token"}}`))
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(map[string]Secret{"key": "k3y-value", "other": "0ther-value"},
		s.ClusterSecrets()["metrics"]); diff != "" || len(s.ClusterSecrets()["finance-db"]) != 3 {
		t.Errorf("(-want +got)\n%s", diff)
	}
	s, err = Load("production", behindALogin(`{"authorization":{"credentials":"metrics/token"}}`,
		"secretEnv", `{"TOKEN":"metrics/token"}`))
	if err != nil || s.ClusterSecrets()["metrics"]["token"] != "t0ken-value" {
		t.Errorf("a secret of both is not the pods': %v", err)
	}
	s, err = Load("production", production())
	if diff := cmp.Diff(s.Secrets, s.ClusterSecrets()); diff != "" || err != nil {
		t.Errorf("without a login (-secrets +pods'):\n%s, %v", diff, err)
	}
}
