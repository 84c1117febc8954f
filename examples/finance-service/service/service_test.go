package service_test

import (
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"
	"github.com/google/go-cmp/cmp"

	"github.com/vextrus/finance-rollout/examples/finance-service/pgtest"
	"github.com/vextrus/finance-rollout/examples/finance-service/service"
	"github.com/vextrus/finance-rollout/examples/finance-service/servicetest"
)

// db is the database of all tests in this package; it costs seconds to start.
var db *pgtest.Server

func TestMain(m *testing.M) { os.Exit(pgtest.Main(m, &db)) }

// token signs a token for a subject that is the test's own, so that tests do not see each other's invoices.
func token(t testing.TB, method jwt.SigningMethod, key any, expires time.Time) string {
	t.Helper()
	claims := jwt.MapClaims{"sub": t.Name(), "exp": expires.Unix()}
	signed, err := jwt.NewWithClaims(method, claims).SignedString(key)
	if err != nil {
		t.Fatal(err)
	}
	return signed
}

func goodToken(t testing.TB) string {
	return token(t, jwt.SigningMethodHS256, []byte(servicetest.Secret), time.Now().Add(time.Minute))
}

// answer is what tests look at of a response, beside its body.
type answer struct {
	StatusCode int
	Header     http.Header
}

// send sends a request and returns the answer with its body.
func send(t testing.TB, method, url, body string, headers map[string]string) (answer, string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	for name, value := range headers {
		req.Header.Set(name, value)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return answer{resp.StatusCode, resp.Header}, strings.TrimSpace(string(text))
}

func query(t testing.TB, url, token, query string, variables map[string]any) (answer, string) {
	t.Helper()
	body, err := json.Marshal(map[string]any{"query": query, "variables": variables})
	if err != nil {
		t.Fatal(err)
	}
	headers := map[string]string{"Content-Type": "application/json"}
	if token != "" {
		headers["Authorization"] = "Bearer " + token
	}
	return send(t, http.MethodPost, url+"/graphql", string(body), headers)
}

func TestInvoicesAreStoredPerOwner(t *testing.T) {
	instance := servicetest.Start(t, servicetest.Config(db))
	const create = `mutation($n: String!, $a: String!) { createInvoice(number: $n, amount: $a) { number amount } }`
	resp, body := query(t, instance.URL, goodToken(t), create, map[string]any{"n": "2026-001", "a": "12.5"})
	if want := `{"data":{"createInvoice":{"number":"2026-001","amount":"12.50"}}}`; body != want ||
		resp.StatusCode != http.StatusOK {
		t.Errorf("created: got %d %s, want %s", resp.StatusCode, body, want)
	}
	_, body = query(t, instance.URL, goodToken(t), "{ me { id } invoices { number amount } }", nil)
	want := fmt.Sprintf(`{"data":{"me":{"id":%q},"invoices":[{"number":"2026-001","amount":"12.50"}]}}`, t.Name())
	if body != want {
		t.Errorf("the owner sees %s, want %s", body, want)
	}
	t.Run("another owner", func(t *testing.T) {
		if _, body := query(t, instance.URL, goodToken(t), "{ invoices { number } }",
			nil); body != `{"data":{"invoices":[]}}` {
			t.Errorf("another owner sees %s", body)
		}
	})
	for name, variables := range map[string]map[string]any{
		"number": {"n": "'; DROP TABLE invoices; --", "a": "1"},
		"amount": {"n": "2", "a": "1e9"},
	} {
		if _, body := query(t, instance.URL, goodToken(t), create, variables); !strings.Contains(body, "BAD_USER_INPUT") {
			t.Errorf("a bad %s is answered with %s", name, body)
		}
	}
}

func TestTokens(t *testing.T) {
	url := servicetest.Start(t, servicetest.Config(db)).URL
	secret, soon := []byte(servicetest.Secret), time.Now().Add(time.Minute)
	noExpiry, err := jwt.NewWithClaims(jwt.SigningMethodHS256, jwt.MapClaims{"sub": "x"}).SignedString(secret)
	if err != nil {
		t.Fatal(err)
	}
	noSubject, err := jwt.NewWithClaims(jwt.SigningMethodHS256, jwt.MapClaims{"exp": soon.Unix()}).SignedString(secret)
	if err != nil {
		t.Fatal(err)
	}
	refused := map[string]string{
		"none":         "",
		"not a token":  "letmein",
		"forged":       token(t, jwt.SigningMethodHS256, []byte("another secret"), soon),
		"expired":      token(t, jwt.SigningMethodHS256, secret, time.Now().Add(-time.Second)),
		"unsigned":     token(t, jwt.SigningMethodNone, jwt.UnsafeAllowNoneSignatureType, soon),
		"other method": token(t, jwt.SigningMethodHS512, secret, soon),
		"no expiry":    noExpiry,
		"no subject":   noSubject,
	}
	const want = `{"errors":[{"message":"a valid bearer token is required","extensions":{"code":"UNAUTHENTICATED"}}]}`
	for name, text := range refused {
		t.Run(name, func(t *testing.T) {
			resp, body := query(t, url, text, "{ me { id } }", nil)
			if resp.StatusCode != http.StatusUnauthorized || body != want || resp.Header.Get("WWW-Authenticate") != "Bearer" {
				t.Errorf("got %d %s, want 401 %s", resp.StatusCode, body, want)
			}
		})
	}
}

func TestGraphQLOverHTTP(t *testing.T) {
	url := servicetest.Start(t, servicetest.Config(db)).URL
	bearer := "Bearer " + goodToken(t)
	type headers = map[string]string
	const typename = `{"query":"{ __typename }"}`
	tests := map[string]struct {
		method, body string
		headers      headers
		status       int
		want         string
	}{
		"query": {"POST", typename, headers{"Content-Type": "application/json; charset=utf-8"}, 200,
			`{"data":{"__typename":"Query"}}`},
		"GET": {"GET", "", nil, 405, "BAD_REQUEST"},
		"form": {"POST", "query=%7B__typename%7D",
			headers{"Content-Type": "application/x-www-form-urlencoded"}, 403, "FORBIDDEN"},
		"multipart": {"POST", typename, headers{"Content-Type": "multipart/form-data; boundary=x"}, 403,
			"FORBIDDEN"},
		"plain text":          {"POST", typename, headers{"Content-Type": "text/plain"}, 403, "FORBIDDEN"},
		"no type":             {"POST", typename, nil, 403, "FORBIDDEN"},
		"JSON in a parameter": {"POST", typename, headers{"Content-Type": "text/plain; application/json"}, 403, "FORBIDDEN"},
		"preflight header": {"POST", typename, headers{"Content-Type": "text/plain", "Apollo-Require-Preflight": "1"}, 200,
			"Query"},
		"not JSON": {"POST", "{", headers{"Content-Type": "application/json"}, 400, "BAD_REQUEST"},
		"batch": {"POST", "[" + typename + "]", headers{"Content-Type": "application/json"}, 400,
			"BAD_REQUEST"},
		"no query": {"POST", "{}", headers{"Content-Type": "application/json"}, 400, "the query is missing"},
		"large": {"POST", `{"query":"` + strings.Repeat(" ", 100<<10) + `"}`,
			headers{"Content-Type": "application/json"}, 400, "larger than 100 KiB"},
		"syntax": {"POST", `{"query":"{"}`, headers{"Content-Type": "application/json"}, 400,
			"GRAPHQL_VALIDATION_FAILED"},
		"unknown field": {"POST", `{"query":"{ ledger }"}`, headers{"Content-Type": "application/json"}, 400,
			"GRAPHQL_VALIDATION_FAILED"},
		"introspection": {"POST", `{"query":"{ __type(name: \"User\") { name } }"}`,
			headers{"Content-Type": "application/json"}, 400, "INTROSPECTION_DISABLED"},
		"formula": {"POST",
			`{"query":"{ recalculate(formula: \"=A1*2\", cells: [{name: \"A1\", value: 3.5}]) { value } }"}`,
			headers{"Content-Type": "application/json"}, 200, `{"data":{"recalculate":{"value":7}}}`},
		"code": {"POST", `{"query":"{ recalculate(formula: \"require('fs')\") { value } }"}`,
			headers{"Content-Type": "application/json"}, 200, "BAD_USER_INPUT"},
		"names within texts": {"POST", `{"query":"{ recalculate(formula: \"__schema\") { value } }"}`,
			headers{"Content-Type": "application/json"}, 200, "BAD_USER_INPUT"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			sent := headers{"Authorization": bearer}
			for name, value := range test.headers {
				sent[name] = value
			}
			resp, body := send(t, test.method, url+"/graphql", test.body, sent)
			if resp.StatusCode != test.status || !strings.Contains(body, test.want) {
				t.Errorf("got %d %s, want %d with %s", resp.StatusCode, body, test.status, test.want)
			}
		})
	}
}

func TestCORS(t *testing.T) {
	url := servicetest.Start(t, servicetest.Config(db)).URL
	tests := map[string]struct{ method, origin, want string }{
		"allowed preflight": {"OPTIONS", servicetest.Origin, servicetest.Origin},
		"foreign preflight": {"OPTIONS", "https://evil.example", ""},
		"allowed":           {"GET", servicetest.Origin, servicetest.Origin},
		"longer":            {"GET", servicetest.Origin + ".evil.example", ""},
		"null":              {"GET", "null", ""},
		"same site":         {"GET", "", ""},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			headers := map[string]string{"Access-Control-Request-Method": "POST"}
			if test.origin != "" {
				headers["Origin"] = test.origin
			}
			resp, _ := send(t, test.method, url+"/health/live", "", headers)
			if got := resp.Header.Get("Access-Control-Allow-Origin"); got != test.want || resp.Header.Get("Vary") != "Origin" {
				t.Errorf("got %q varying by %q, want %q by Origin", got, resp.Header.Get("Vary"), test.want)
			}
		})
	}
}

func TestHealth(t *testing.T) {
	instance := servicetest.Start(t, servicetest.Config(db))
	tests := []struct {
		faults           service.Faults
		live, ready, all int
		body             string
	}{
		{service.Faults{}, 200, 200, 200,
			`{"status":"ok","details":{"database":{"status":"up"},"eventstore":{"status":"up"}}}`},
		{service.Faults{NotLive: true}, 503, 200, 200, `"status":"ok"`},
		{service.Faults{NotReady: true}, 200, 503, 200, `"status":"ok"`},
		{service.Faults{DatabaseDown: true, ErrorShare: 1}, 200, 200, 503,
			`{"status":"error","details":{"database":{"status":"down"},"eventstore":{"status":"up"}}}`},
		{service.Faults{EventStoreDown: true}, 200, 200, 503, `"eventstore":{"status":"down"}`},
	}
	for _, test := range tests {
		instance.Faults.Set(test.faults)
		live, _ := send(t, "GET", instance.URL+"/health/live", "", nil)
		ready, _ := send(t, "GET", instance.URL+"/health/ready", "", nil)
		all, body := send(t, "GET", instance.URL+"/health", "", nil)
		got := [3]int{live.StatusCode, ready.StatusCode, all.StatusCode}
		if want := [3]int{test.live, test.ready, test.all}; got != want || !strings.Contains(body, test.body) {
			t.Errorf("%q: got %v %s, want %v %s", test.faults, got, body, want, test.body)
		}
	}
}

func TestErrorShareReachesTheMetrics(t *testing.T) {
	instance := servicetest.Start(t, servicetest.Config(db))
	instance.Faults.Set(service.Faults{ErrorShare: 0.25})
	bearer := goodToken(t)
	for range 40 {
		query(t, instance.URL, bearer, "{ __typename }", nil)
	}
	_, metrics := send(t, "GET", instance.URL+"/metrics", "", nil)
	for _, want := range []string{
		`http_requests_total{code="200",method="post",path="/graphql"} 30`,
		`http_requests_total{code="500",method="post",path="/graphql"} 10`,
		`http_request_duration_seconds_count{code="500",method="post",path="/graphql"} 10`,
		`http_request_duration_seconds_bucket{code="200",method="post",path="/graphql",le="0.5"} `,
		"go_goroutines ",
	} {
		if !strings.Contains(metrics, want) {
			t.Errorf("the metrics lack %s", want)
		}
	}
}

// TestPathsDoNotBecomeLabels has a client make up paths and methods, as scanners do.
func TestPathsDoNotBecomeLabels(t *testing.T) {
	url := servicetest.Start(t, servicetest.Config(db)).URL
	for i := range 5 {
		resp, _ := send(t, fmt.Sprintf("MADEUP%d", i), fmt.Sprintf("%s/made-up-%d", url, i), "", nil)
		if resp.StatusCode != http.StatusNotFound {
			t.Errorf("got %d, want 404", resp.StatusCode)
		}
	}
	_, metrics := send(t, "GET", url+"/metrics", "", nil)
	if want := `http_requests_total{code="404",method="unknown",path="other"} 5`; !strings.Contains(metrics, want) ||
		strings.Contains(metrics, "made-up") {
		t.Errorf("the metrics lack %s, or hold a path that was made up", want)
	}
}

func TestLatencyFault(t *testing.T) {
	instance := servicetest.Start(t, servicetest.Config(db))
	instance.Faults.Set(service.Faults{Latency: 30 * time.Millisecond, LatencyShare: 0.5})
	bearer := goodToken(t)
	slow := 0
	for range 4 {
		started := time.Now()
		query(t, instance.URL, bearer, "{ __typename }", nil)
		if time.Since(started) >= 30*time.Millisecond {
			slow++
		}
	}
	if slow < 2 {
		t.Errorf("%d of 4 requests were held up, want 2 at least", slow)
	}
}

func TestCrashFaults(t *testing.T) {
	instance := servicetest.Start(t, servicetest.Config(db))
	instance.Faults.Set(service.Faults{CrashNext: true})
	send(t, "GET", instance.URL+"/health/live", "", nil)
	if n := instance.Exits(); n != 0 {
		t.Errorf("a probe ended the process")
	}
	query(t, instance.URL, "", "{ __typename }", nil)
	if n := instance.Exits(); n != 1 {
		t.Errorf("the process ended %d times, want once", n)
	}
	exited := make(chan int, 1)
	faults := service.NewFaultSwitch(service.Faults{CrashAfter: time.Millisecond}, func(code int) { exited <- code })
	if code := <-exited; code != 1 {
		t.Errorf("exit code %d, want 1", code)
	}
	faults.Set(service.Faults{})
}

func TestFaultHandler(t *testing.T) {
	faults := service.NewFaultSwitch(service.Faults{}, func(int) {})
	server := httptest.NewServer(service.FaultHandler(faults, slog.New(slog.DiscardHandler)))
	defer server.Close()
	tests := []struct {
		method, body string
		status       int
		want, after  string
	}{
		{"GET", "", 200, `{"faults":""}`, ""},
		{"PUT", `{"faults":"cors,errors=0.5"}`, 200, `{"faults":"cors,errors=0.5"}`, "cors,errors=0.5"},
		{"PUT", `{"faults":"gremlins"}`, 400, "unknown fault", "cors,errors=0.5"},
		{"PUT", `{"fault":"cors"}`, 400, "unknown field", "cors,errors=0.5"},
		{"PUT", "cors", 400, "body must be", "cors,errors=0.5"},
		{"DELETE", "", 405, "Method Not Allowed", "cors,errors=0.5"},
		{"PUT", `{"faults":""}`, 200, `{"faults":""}`, ""},
	}
	for _, test := range tests {
		resp, body := send(t, test.method, server.URL+"/faults", test.body, nil)
		if resp.StatusCode != test.status || !strings.Contains(body, test.want) {
			t.Errorf("%s %s: got %d %s, want %d %s", test.method, test.body, resp.StatusCode, body, test.status, test.want)
		}
		if got := faults.Get().String(); got != test.after {
			t.Errorf("%s %s: faults are %q, want %q", test.method, test.body, got, test.after)
		}
	}
}

func TestRateLimit(t *testing.T) {
	cfg := servicetest.Config(db)
	cfg.RateLimit = service.RateLimit{Max: 3, Window: time.Hour}
	url := servicetest.Start(t, cfg).URL
	var got []int
	for range 5 {
		resp, _ := query(t, url, "", "{ __typename }", nil)
		got = append(got, resp.StatusCode)
		if resp.StatusCode == http.StatusTooManyRequests && resp.Header.Get("Retry-After") == "" {
			t.Error("the refusal does not say when to come back")
		}
		if health, _ := send(t, "GET", url+"/health/ready", "", nil); health.StatusCode != http.StatusOK {
			t.Errorf("a probe got %d", health.StatusCode)
		}
	}
	if diff := cmp.Diff([]int{401, 401, 401, 429, 429}, got); diff != "" {
		t.Errorf("statuses (-want +got):\n%s", diff)
	}
}

func TestNoSecretInTheLog(t *testing.T) {
	cfg := servicetest.Config(db)
	cfg.Database.Port = 1 // Nothing listens there: connection errors are logged, too.
	instance := servicetest.Start(t, cfg)
	bearer := goodToken(t)
	query(t, instance.URL, bearer, "{ invoices { id } }", nil)
	send(t, "GET", instance.URL+"/health?token="+bearer, "", nil)
	log := instance.Logs.String()
	if !strings.Contains(log, "request failed") || !strings.Contains(log, "dependency is down") {
		t.Errorf("the log lacks the failures:\n%s", log)
	}
	for _, secret := range []string{bearer, db.Password, servicetest.Secret} {
		if strings.Contains(log, secret) {
			t.Error("the log holds a secret")
		}
	}
}
