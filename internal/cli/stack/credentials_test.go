//go:build unix

package stack

import (
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"github.com/vextrus/finance-rollout/internal/endpoint"
	"github.com/vextrus/finance-rollout/internal/testkit"
)

const password = "hunter2"

// configured is a case of the script for cli: the configuration of the stack, with the password.
func configured(password string) string {
	values := `"shop:app":{"value":"orders"},"shop:image":{"value":"orders:2"},"shop:stableImage":{"value":"orders:1"},` +
		`"shop:namespace":{"value":"from-esc"},"shop:replicas":{"value":"10"},` +
		`"shop:prometheus":{"value":"http://prometheus:9090"},"shop:secretEnv":{"value":"{\"PASSWORD\":\"db/password\"}"},` +
		`"shop:smoke":{"value":"{\"tokenFrom\":\"\",\"originFrom\":\"\"}"},` +
		`"shop:secrets":{"value":"{\"db\":{\"password\":\"` + password + `\"}}","secret":true},` +
		`"shop:registry":{"value":"{\"server\":\"registry\",\"username\":\"ann\",\"password\":\"` + password +
		`\"}","secret":true},` +
		`"shop:prometheusAuth":{"value":"{\"basic_auth\":{\"username\":\"ann\",\"password\":\"db/password\"}}"},` +
		`"shop:guard":{"value":"{\"alertmanager\":\"http://alertmanager:9093\"}"},` +
		`"shop:alertmanagerAuth":{"value":"{\"basic_auth\":{\"username\":\"ann\",\"password\":\"db/password\"}}"},` +
		`"aws:region":{"value":"eu-west-1"}`
	return "'--non-interactive config '*) printf '%s\\n' '{" + values + "}' ;;\n"
}

func TestSecretsAreDecryptedByTheCLI(t *testing.T) {
	dir := project(t)
	stack := production(t, dir)
	calls := cli(t, dir, configured(password))
	revealed, err := stack.WithSecrets(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if !slices.Contains(revealed.Revealed(), password) || slices.Contains(stack.Settings.Revealed(), password) {
		t.Error("the secrets are not where they belong")
	}
	if got := calls(); !slices.Equal(got, []string{"config --show-secrets --json --stack production"}) {
		t.Errorf("calls %q", got)
	}
}

// A login decrypts at its first request, once for all of the stack's logins.
func TestALoginSendsTheDecryptedPassword(t *testing.T) {
	dir := project(t)
	const login = "{ basic_auth: { username: ann, password: db/password } }\n"
	add(t, dir, "  shop:guard: { alertmanager: \"http://alertmanager:9093\" }\n"+
		"  shop:prometheusAuth: "+login+"  shop:alertmanagerAuth: "+login)
	stack := production(t, dir)
	calls := cli(t, dir, configured(password))
	var sent []string
	server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		user, word, _ := r.BasicAuth()
		sent = append(sent, user+":"+word)
	}))
	t.Cleanup(server.Close)
	for name, login := range map[string]endpoint.Login{"Prometheus": stack.PrometheusLogin(),
		"Alertmanager": stack.AlertmanagerLogin()} {
		client, address, err := endpoint.Way{Login: login}.Client(server.URL)
		if err != nil {
			t.Fatal(err)
		}
		for range 2 {
			answer, err := client.Get(address)
			if err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			_ = answer.Body.Close()
		}
	}
	if want := strings.Repeat("ann:"+password+" ", 4); strings.Join(sent, " ")+" " != want {
		t.Errorf("sent %q", sent)
	}
	if got := calls(); len(got) != 1 {
		t.Errorf("calls %q", got)
	}
}

func TestRegistry(t *testing.T) {
	const withPassword = "  shop:registry: { server: registry, username: ann, password: { secure: " + secretText + " } }\n"
	for name, tt := range map[string]struct {
		config, cases, username, password string
		want                              []string
	}{
		"no credentials": {config: "", cases: refuses("config", "no passphrase")},
		"a password":     {withPassword, configured(password), "ann", password, nil},
		"a password that cannot be decrypted": {withPassword, refuses("config", "no passphrase"), "ann", "",
			[]string{"the registry's password", "no passphrase"}},
	} {
		t.Run(name, func(t *testing.T) {
			dir := project(t)
			add(t, dir, tt.config)
			stack := production(t, dir)
			cli(t, dir, tt.cases)
			credentials, err := stack.Registry(t.Context())
			if tt.want != nil {
				testkit.WantError(t, err, tt.want...)
			} else if err != nil {
				t.Error(err)
			}
			if credentials.Username != tt.username || credentials.Password != tt.password {
				t.Errorf("user %q, password %q", credentials.Username, credentials.Password)
			}
		})
	}
}
