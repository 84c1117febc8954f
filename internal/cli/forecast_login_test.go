//go:build unix

package cli

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/vextrus/finance-rollout/internal/terminal"
	fake "github.com/vextrus/finance-rollout/internal/testkit/prometheus"
)

// behindBearer lets the stack's Prometheus demand a token, which the stack keeps as the secret metrics/token. The text
// of the secret is encrypted: only the Pulumi CLI has the token.
func (w *world) behindBearer(server *fake.Server, token string) (denied *atomic.Int32) {
	w.t.Helper()
	denied = &atomic.Int32{}
	demanding := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Authorization") != "Bearer "+token {
			denied.Add(1)
			http.Error(rw, "who are you?", http.StatusUnauthorized)
			return
		}
		server.ServeHTTP(rw, r)
	}))
	w.t.Cleanup(demanding.Close)
	text := strings.ReplaceAll(w.production(), "http://127.0.0.1:1", demanding.URL)
	text = strings.Replace(text, "{ db: {", "{ metrics: { token: { secure: not-decrypted } }, db: {", 1)
	w.write("Pulumi.production.yaml", text+"  shop:prometheusAuth: { authorization: { credentials: metrics/token } }\n")
	return denied
}

// decryptedBy puts a program in the place of the Pulumi CLI that knows the stack's configuration with that token.
func (w *world) decryptedBy(token string) {
	w.t.Helper()
	type value struct {
		Value  string `json:"value"`
		Secret bool   `json:"secret"`
	}
	config, err := json.Marshal(map[string]value{
		"shop:app": {Value: "orders"}, "shop:namespace": {Value: "orders"}, "shop:week": {Value: "1"},
		"shop:image": {Value: "orders@" + digest}, "shop:stableImage": {Value: "orders@" + older},
		"shop:prometheus": {Value: "http://127.0.0.1:1"}, "shop:staging": {Value: `{"required":false}`},
		"shop:secretEnv":      {Value: `{"PASSWORD":"db/password"}`},
		"shop:smoke":          {Value: `{"tokenFrom":"","originFrom":""}`},
		"shop:secrets":        {Value: `{"db":{"password":"p-p-p"},"metrics":{"token":"` + token + `"}}`, Secret: true},
		"shop:prometheusAuth": {Value: `{"authorization":{"credentials":"metrics/token"}}`},
	})
	w.must(err)
	script := "#!/bin/sh\ncase \"$*\" in\n*version*) echo v3.245.0 ;;\n*'stack ls'*) echo '[]' ;;\n" +
		"*show-secrets*) echo '" + string(config) + "' ;;\nesac\n"
	w.must(os.WriteFile(filepath.Join(w.dir, "pulumi"), []byte(script), 0o700))
}

// The forecast gets into Prometheus as the gates do.
func TestForecastLogsIn(t *testing.T) {
	for name, tt := range map[string]struct {
		token string
		code  int
		words []string
	}{
		"with the stack's token": {"t0ken-value", terminal.ExitDone, []string{"Prometheus, 7 whole days"}},
		"with another token": {"wr0ng-value", terminal.ExitFailed, []string{"prometheusAuth",
			"rollout forecast --csv FILE -s production"}},
		"without the Pulumi CLI": {"", terminal.ExitFailed, []string{"decrypt the secrets of config prometheusAuth",
			"Pulumi CLI"}},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			server := fake.New(t)
			week(server)
			w.quick("")
			denied := w.behindBearer(server, "t0ken-value")
			if tt.token != "" {
				w.decryptedBy(tt.token)
			}
			code, printed := called(t, "forecast", "-s", "production", "--weeks", "2", "--runs", "5")
			if code != tt.code {
				t.Errorf("exit code %d, want %d:\n%s", code, tt.code, printed)
			}
			for _, words := range tt.words {
				if !strings.Contains(printed, words) {
					t.Errorf("the output does not hold %q:\n%s", words, printed)
				}
			}
			if strings.Contains(printed, "t0ken") || strings.Contains(printed, "wr0ng") {
				t.Errorf("the token is printed:\n%s", printed)
			}
			if was := denied.Load() > 0; was != (tt.token == "wr0ng-value") {
				t.Errorf("%d requests were denied", denied.Load())
			}
			w.expectUnchanged()
		})
	}
}

// A Prometheus that is a Service is asked through the API server, with the tenant of the settings.
func TestForecastThroughTheAPIServer(t *testing.T) {
	w := newWorld(t)
	server := fake.New(t)
	week(server)
	w.quick("  shop:prometheusAuth: { http_headers: { X-Scope-OrgID: { values: [payments] } } }\n")
	w.write("Pulumi.production.yaml", strings.ReplaceAll(w.production(), "http://127.0.0.1:1",
		"monitoring/prometheus:9090"))
	w.HandleService("monitoring", "prometheus", 9090, http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		if got := r.Header.Get("X-Scope-OrgID"); got != "payments" {
			t.Errorf("tenant %q", got)
		}
		server.ServeHTTP(rw, r)
	}))
	code, printed := called(t, "forecast", "-s", "production", "--weeks", "2", "--runs", "5")
	if code != terminal.ExitDone || !strings.Contains(printed, "Prometheus, 7 whole days") {
		t.Errorf("exit code %d:\n%s", code, printed)
	}
	if asked := server.Asked(); len(asked) != 3 {
		t.Errorf("asked %q", asked)
	}
}
