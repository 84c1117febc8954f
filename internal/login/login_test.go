package login

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/vextrus/finance-rollout/internal/endpoint"
	"github.com/vextrus/finance-rollout/internal/testkit"
)

// object is a part of an http_config.
type object map[string]any

func document(t *testing.T, config object) Document {
	t.Helper()
	raw, err := json.Marshal(config)
	if err != nil {
		t.Fatal(err)
	}
	return func(context.Context) (string, error) { return string(raw), nil }
}

// ask sends a request to an address with a login and gives status and body.
func ask(t *testing.T, config object, address string) (int, string, error) {
	t.Helper()
	client, base, err := endpoint.Way{Login: New(document(t, config))}.Client(address)
	if err != nil {
		t.Fatal(err)
	}
	request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, base+"/api/v1/query",
		strings.NewReader("query=1"))
	if err != nil {
		t.Fatal(err)
	}
	answer, err := client.Do(request)
	if err != nil {
		return 0, "", err
	}
	defer answer.Body.Close()
	body, err := io.ReadAll(answer.Body)
	return answer.StatusCode, string(body), err
}

// demanding is a server that lets a request in when the check says so, and quotes the request when not.
func demanding(t *testing.T, check func(*http.Request) bool) *httptest.Server {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if check(r) {
			_, _ = io.WriteString(w, "in")
			return
		}
		w.WriteHeader(http.StatusUnauthorized)
		_ = r.Header.Write(w)
	}))
	t.Cleanup(server.Close)
	return server
}

func header(name, value string) func(*http.Request) bool {
	return func(r *http.Request) bool { return r.Header.Get(name) == value }
}

func TestEveryKindOfLoginGetsIn(t *testing.T) {
	for name, tt := range map[string]struct {
		config object
		check  func(*http.Request) bool
	}{
		"a bearer token": {object{"authorization": object{"credentials": "t0ken-value"}},
			header("Authorization", "Bearer t0ken-value")},
		"another scheme": {object{"authorization": object{"type": "Token", "credentials": "t0ken-value"}},
			header("Authorization", "Token t0ken-value")},
		"basic authentication": {object{"basic_auth": object{"username": "123456", "password": "p4ss: \"<\\\u00e9"}},
			func(r *http.Request) bool {
				user, password, ok := r.BasicAuth()
				return ok && user == "123456" && password == "p4ss: \"<\\\u00e9"
			}},
		"a tenant": {object{"http_headers": object{"X-Scope-OrgID": object{"values": []string{"payments"}}}},
			header("X-Scope-OrgID", "payments")},
		"a secret header": {object{"http_headers": object{"X-Api-Key": object{"secrets": []string{"k3y-value"}}}},
			header("X-Api-Key", "k3y-value")},
	} {
		t.Run(name, func(t *testing.T) {
			server := demanding(t, func(r *http.Request) bool {
				return tt.check(r) && r.URL.Path == "/prometheus/api/v1/query"
			})
			if status, body, err := ask(t, tt.config, server.URL+"/prometheus/"); err != nil || body != "in" {
				t.Errorf("status %d, %s, %v", status, body, err)
			}
			if status, _, err := ask(t, object{}, server.URL+"/prometheus"); err != nil || status != 401 {
				t.Errorf("without it: status %d, %v", status, err)
			}
		})
	}
}

func TestOAuth2AsksForATokenOnce(t *testing.T) {
	asked := 0
	mux := http.NewServeMux()
	mux.HandleFunc("POST /token", func(w http.ResponseWriter, r *http.Request) {
		asked++
		user, password, _ := r.BasicAuth()
		if user != "finance" || password != "cl1ent-secret" || r.FormValue("scope") != "metrics.read" ||
			r.FormValue("audience") != "mimir" {
			w.WriteHeader(http.StatusUnauthorized)
			_, _ = io.WriteString(w, "wrong: "+password)
			return
		}
		w.Header().Set("Content-Type", "application/json")
		_, _ = io.WriteString(w, `{"access_token":"acc3ss","token_type":"Bearer","expires_in":3600}`)
	})
	tokens := httptest.NewServer(mux)
	t.Cleanup(tokens.Close)
	server := demanding(t, header("Authorization", "Bearer acc3ss"))
	config := object{"oauth2": object{"client_id": "finance", "client_secret": "cl1ent-secret",
		"token_url": tokens.URL + "/token", "scopes": []string{"metrics.read"},
		"endpoint_params": object{"audience": "mimir"}}}
	client, base, err := endpoint.Way{Login: New(document(t, config))}.Client(server.URL)
	if err != nil {
		t.Fatal(err)
	}
	for range 2 {
		answer, err := client.Get(base)
		if err != nil {
			t.Fatal(err)
		}
		_ = answer.Body.Close()
		if answer.StatusCode != http.StatusOK {
			t.Errorf("status %d", answer.StatusCode)
		}
	}
	if asked != 1 {
		t.Errorf("%d tokens for two requests", asked)
	}
	config["oauth2"].(object)["client_secret"] = "an0ther-secret"
	_, _, err = ask(t, config, server.URL)
	testkit.WantError(t, err, "oauth2", "401")
	if strings.Contains(err.Error(), "an0ther-secret") {
		t.Errorf("the error shows the secret: %v", err)
	}
}

func TestAPrivateAuthorityAndAClientCertificate(t *testing.T) {
	authority, stranger := testkit.NewAuthority(t), testkit.NewAuthority(t)
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.WriteString(w, r.TLS.PeerCertificates[0].Subject.CommonName)
	}))
	server.TLS = authority.Server(t, true)
	server.StartTLS()
	t.Cleanup(server.Close)
	certificate, key := authority.Issue(t, "rollout")
	_, foreign := stranger.Issue(t, "rollout")
	for name, tt := range map[string]struct {
		config object
		want   string
	}{
		"as it should be": {object{"ca": authority.PEM, "cert": certificate, "key": key}, ""},
		"by its name": {object{"ca": authority.PEM, "cert": certificate, "key": key, "server_name": "server.example"},
			""},
		"unverified":              {object{"insecure_skip_verify": true, "cert": certificate, "key": key}, ""},
		"no authority":            {object{"cert": certificate, "key": key}, "certificate"},
		"another authority":       {object{"ca": stranger.PEM, "cert": certificate, "key": key}, "certificate"},
		"another name":            {object{"ca": authority.PEM, "cert": certificate, "key": key, "server_name": "x"}, "x"},
		"no client certificate":   {object{"ca": authority.PEM}, "certificate required"},
		"the key of another pair": {object{"ca": authority.PEM, "cert": certificate, "key": foreign}, "private key"},
	} {
		t.Run(name, func(t *testing.T) {
			_, body, err := ask(t, object{"tls_config": tt.config}, server.URL)
			if tt.want == "" {
				if err != nil || body != "rollout" {
					t.Errorf("%q, %v", body, err)
				}
				return
			}
			testkit.WantError(t, err, tt.want)
			for line := range strings.Lines(foreign + key) {
				if len(line) > 20 && !strings.Contains(line, "PRIVATE KEY") && strings.Contains(err.Error(), line[:20]) {
					t.Errorf("the error shows a key: %v", err)
				}
			}
		})
	}
}

func TestAProxy(t *testing.T) {
	through := ""
	proxy := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		through = r.URL.String()
		_, _ = io.WriteString(w, "in")
	}))
	t.Cleanup(proxy.Close)
	_, body, err := ask(t, object{"proxy_url": proxy.URL}, "http://prometheus.example:9090")
	if err != nil || body != "in" || through != "http://prometheus.example:9090/api/v1/query" {
		t.Errorf("%q, %v through the proxy: %s", body, err, through)
	}
}

// A server that redirects to a page for logging in, or to another host, gets no credential a second time.
func TestNoRedirectIsFollowed(t *testing.T) {
	elsewhere := demanding(t, func(r *http.Request) bool { t.Errorf("asked with %v", r.Header); return true })
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, elsewhere.URL, http.StatusTemporaryRedirect)
	}))
	t.Cleanup(server.Close)
	status, _, err := ask(t, object{"http_headers": object{"X-Api-Key": object{"secrets": []string{"k3y-value"}}}},
		server.URL)
	if err != nil || status != http.StatusTemporaryRedirect {
		t.Errorf("status %d, %v", status, err)
	}
}

// A server that quotes the request which it refuses gives no credential away: its answer is printed and logged.
func TestARefusalShowsNoCredential(t *testing.T) {
	server := demanding(t, func(*http.Request) bool { return false })
	for name, config := range map[string]object{
		"token":    {"authorization": object{"credentials": "s3cr3t-value"}},
		"password": {"basic_auth": object{"username": "ann", "password": "s3cr3t-value"}},
		"header":   {"http_headers": object{"X-Key": object{"secrets": []string{"s3cr3t-value"}}}},
	} {
		status, body, err := ask(t, config, server.URL)
		if err != nil || status != http.StatusUnauthorized || !strings.Contains(body, "[redacted]") {
			t.Errorf("%s: status %d, %s, %v", name, status, body, err)
		}
		// The second one is ann:s3cr3t-value in base64.
		if strings.Contains(body, "s3cr3t-value") || strings.Contains(body, "YW5uOnMzY3IzdC12YWx1ZQ") {
			t.Errorf("%s: the answer shows the credential: %s", name, body)
		}
	}
}

func TestADocumentThatChangesCountsAtOnce(t *testing.T) {
	want, current := "0ne-token", "0ne-token"
	server := demanding(t, func(r *http.Request) bool { return r.Header.Get("Authorization") == "Bearer "+want })
	client, base, err := endpoint.Way{Login: New(func(context.Context) (string, error) {
		if current == "" {
			return "", errors.New("no passphrase")
		}
		return `{"authorization":{"credentials":"` + current + `"}}`, nil
	})}.Client(server.URL)
	if err != nil {
		t.Fatal(err)
	}
	get := func() (int, error) {
		answer, err := client.Get(base)
		if err != nil {
			return 0, err
		}
		return answer.StatusCode, answer.Body.Close()
	}
	if status, err := get(); err != nil || status != http.StatusOK {
		t.Errorf("status %d, %v", status, err)
	}
	want = "tw0-token"
	if status, err := get(); err != nil || status != http.StatusUnauthorized {
		t.Errorf("with the token before: status %d, %v", status, err)
	}
	current = "tw0-token"
	if status, err := get(); err != nil || status != http.StatusOK {
		t.Errorf("with the new one: status %d, %v", status, err)
	}
	current = ""
	_, err = get()
	testkit.WantError(t, err, "log in", "no passphrase")
}

func TestAnUnreadableDocumentIsNotQuoted(t *testing.T) {
	for _, text := range []string{"s3cr3t-value", `{"authorization":{"credential":"s3cr3t-value"}}`,
		`{"authorization":["s3cr3t-value"]}`} {
		client, base, err := endpoint.Way{Login: New(func(context.Context) (string, error) { return text, nil })}.Client(
			"http://127.0.0.1:1")
		if err != nil {
			t.Fatal(err)
		}
		answer, err := client.Get(base)
		if err == nil {
			answer.Body.Close()
		}
		testkit.WantError(t, err, "not an http_config")
		if strings.Contains(err.Error(), "s3cr3t") {
			t.Errorf("the error quotes it: %v", err)
		}
	}
}

// apiServer is the API server's proxy with the credentials of the cluster's client.
type apiServer struct{ got http.Header }

func (a *apiServer) ServiceProxy(string, string, int) (http.RoundTripper, string) {
	return a, "https://api/proxy"
}

func (a *apiServer) RoundTrip(r *http.Request) (*http.Response, error) {
	a.got = r.Header.Clone()
	return &http.Response{StatusCode: http.StatusOK, Header: http.Header{}, Body: http.NoBody}, nil
}

// The API server takes Authorization for its own: a login for Prometheus must never get there.
func TestOnlyHeadersPassTheAPIServer(t *testing.T) {
	get := func(config object) (*apiServer, error) {
		api := &apiServer{}
		client, base, err := endpoint.Way{Proxy: api, Login: New(document(t, config))}.Client("monitoring/mimir:8080")
		if err != nil {
			t.Fatal(err)
		}
		answer, err := client.Get(base)
		if err != nil {
			return api, err
		}
		return api, answer.Body.Close()
	}
	api, err := get(object{"http_headers": object{"X-Scope-OrgID": object{"values": []string{"payments"}}}})
	if err != nil || api.got.Get("X-Scope-OrgID") != "payments" {
		t.Errorf("%v, %v", api.got, err)
	}
	if api, err := get(object{}); err != nil || api.got == nil {
		t.Errorf("without a login: %v", err)
	}
	for name, config := range map[string]object{
		"bearer":    {"authorization": object{"credentials": "s3cr3t-value"}},
		"basic":     {"basic_auth": object{"username": "a", "password": "s3cr3t-value"}},
		"oauth2":    {"oauth2": object{"client_id": "a", "client_secret": "s3cr3t-value", "token_url": "http://x"}},
		"tls":       {"tls_config": object{"server_name": "x"}},
		"proxy":     {"proxy_url": "http://x"},
		"another":   {"http_headers": object{"impersonate-user": object{"values": []string{"root"}}}},
		"by remote": {"http_headers": object{"X-Remote-User": object{"values": []string{"root"}}}},
	} {
		api, err := get(config)
		if err == nil || api.got != nil {
			t.Errorf("%s: the API server got %v", name, api.got)
			continue
		}
		testkit.WantError(t, err, "http_headers", "namespace/service:port", "address")
	}
}
