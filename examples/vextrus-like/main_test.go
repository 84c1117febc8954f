package main

import (
	"context"
	"io"
	"maps"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/vextrus/finance-rollout/internal/smoke"
	"github.com/vextrus/finance-rollout/internal/testkit"
)

const (
	origin = "https://erp.example.com"
	second = "https://finance.example.com"
)

// listen accepts connections as a dependency does, and returns its address.
func listen(t *testing.T) net.Listener {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = listener.Close() })
	go func() {
		for {
			connection, err := listener.Accept()
			if err != nil {
				return
			}
			_ = connection.Close()
		}
	}()
	return listener
}

// authService knows one user's token.
func authService(t *testing.T) string {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/auth/me" || r.Header.Get("Authorization") != "Bearer a-user" {
			w.WriteHeader(http.StatusUnauthorized)
		}
	}))
	t.Cleanup(server.Close)
	return server.URL
}

// environment is a complete one.
func environment(t *testing.T) map[string]string {
	t.Helper()
	host, port, err := net.SplitHostPort(listen(t).Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	return map[string]string{
		"NODE_ENV": "production", "PORT": "3014", "DATABASE_HOST": host, "DATABASE_PORT": port,
		"DATABASE_USERNAME": "finance", "DATABASE_PASSWORD": "secret", "DATABASE_NAME": "vextrus_finance",
		"JWT_SECRET": "sign-with-me", "EVENTSTORE_CONNECTION_STRING": "esdb://" + listen(t).Addr().String() + "?tls=false",
		"CORS_ORIGIN": origin + "," + second, "KAFKA_BROKERS": "kafka-0:9092,kafka-1:9092,kafka-2:9092",
		"OTEL_EXPORTER_OTLP_ENDPOINT": "http://signoz:4318", "AUTH_SERVICE_URL": authService(t),
		"MASTER_DATA_SERVICE_URL": "http://master-data:3004", "REDIS_HOST": "redis", "REDIS_PORT": "6379",
		"TEMPORAL_ADDRESS": "temporal:7233", "ENCRYPTION_KEY": "key",
	}
}

func getenv(values map[string]string) func(string) string {
	return func(name string) string { return values[name] }
}

func handler(t *testing.T, change map[string]string) http.Handler {
	t.Helper()
	values := environment(t)
	maps.Copy(values, change)
	c, err := configFrom(getenv(values))
	if err != nil {
		t.Fatal(err)
	}
	return newServer(c, time.Now)
}

// suite runs the shipped suite against a handler and lists the checks that did not pass.
func suite(t *testing.T, serve http.Handler, stage string) (*smoke.Report, []string) {
	t.Helper()
	server := httptest.NewServer(serve)
	defer server.Close()
	shipped, err := smoke.Load("")
	if err != nil {
		t.Fatal(err)
	}
	// The suite signs its own token: no user is needed.
	tokens, err := smoke.NewTokens([]byte("sign-with-me"), "", time.Now())
	if err != nil {
		t.Fatal(err)
	}
	report := smoke.Run(t.Context(), shipped, []smoke.Target{{Name: "pod-a", BaseURL: server.URL}},
		tokens.Values(stage, origin))
	var failed []string
	for _, failure := range report.Failures() {
		failed = append(failed, failure.Check)
	}
	slices.Sort(failed)
	return report, failed
}

func TestTheShippedSuitePasses(t *testing.T) {
	for _, stage := range []string{"staging", "production"} {
		report, failed := suite(t, handler(t, map[string]string{"NODE_ENV": stage}), stage)
		if len(failed) > 0 || report.Passed != 12 {
			t.Errorf("%s:\n%s", stage, report)
		}
	}
}

// answer replaces the answers that a fault is about.
func answer(next http.Handler, about func(*http.Request, string) bool, status int, body string) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		sent, _ := io.ReadAll(r.Body)
		r.Body = io.NopCloser(strings.NewReader(string(sent)))
		if !about(r, string(sent)) {
			next.ServeHTTP(w, r)
			return
		}
		w.WriteHeader(status)
		_, _ = io.WriteString(w, body)
	})
}

func path(want string) func(*http.Request, string) bool {
	return func(r *http.Request, _ string) bool { return r.URL.Path == want }
}

func query(want string, signed bool) func(*http.Request, string) bool {
	return func(r *http.Request, body string) bool {
		return strings.HasPrefix(r.Header.Get("Content-Type"), "application/json") && r.Method == http.MethodPost &&
			strings.Contains(body, want) && signed == (r.Header.Get("Authorization") != "")
	}
}

// Each of the twelve checks can fail, for its own reason alone.
func TestEachCheckCanFail(t *testing.T) {
	const up = `{"status":"ok","details":{"database":{"status":"up"},"eventstore":{"status":"up"}}}`
	seen := map[string]bool{}
	for fault, tt := range map[string]struct {
		change func(http.Handler) http.Handler
		want   []string
	}{
		"not live": {func(h http.Handler) http.Handler {
			return answer(h, path("/health/live"), 503, "")
		}, []string{"liveness"}},
		"not ready": {func(h http.Handler) http.Handler {
			return answer(h, path("/health/ready"), 503, "")
		}, []string{"readiness"}},
		"unhealthy": {func(h http.Handler) http.Handler {
			return answer(h, path("/health"), 200, strings.Replace(up, "ok", "error", 1))
		}, []string{"full-health"}},
		"a dependency is down": {func(h http.Handler) http.Handler {
			return answer(h, path("/health"), 200, strings.Replace(up, "up", "down", 1))
		}, []string{"dependencies"}},
		"errors beside data": {func(h http.Handler) http.Handler {
			return answer(h, query("__typename", true), 200, `{"data":{"__typename":"Query"},"errors":[{"message":"x"}]}`)
		}, []string{"graphql"}},
		"an open schema": {func(h http.Handler) http.Handler {
			return answer(h, query("__schema", true), 200, `{"data":{"__schema":{"queryType":{"name":"Query"}}}}`)
		}, []string{"introspection"}},
		"no guard": {func(h http.Handler) http.Handler {
			return answer(h, query("invoices", false), 200, `{"data":{"invoices":[]}}`)
		}, []string{"no-token"}},
		"any token": {func(h http.Handler) http.Handler {
			return answer(h, query("invoices", true), 200, `{"data":{"invoices":[]}}`)
		}, []string{"bad-token"}},
		"any origin": {func(h http.Handler) http.Handler {
			return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if r.Header.Get("Origin") != "" {
					w.Header().Set("Access-Control-Allow-Origin", "*")
				}
				h.ServeHTTP(w, r)
			})
		}, []string{"cors"}},
		"forms": {func(h http.Handler) http.Handler {
			form := func(r *http.Request, _ string) bool {
				return r.Header.Get("Content-Type") == "application/x-www-form-urlencoded"
			}
			return answer(h, form, 200, `{"data":{"__typename":"Query"}}`)
		}, []string{"csrf"}},
		"a stack trace": {func(h http.Handler) http.Handler {
			return answer(h, query("thisFieldDoesNotExist", true), 400, `{"errors":[{"message":"x","extensions":{"stacktrace":[]}}]}`)
		}, []string{"bad-query"}},
		"slow": {func(h http.Handler) http.Handler {
			return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if r.URL.Path == "/graphql" && r.Header.Get("Origin") == "" {
					time.Sleep(510 * time.Millisecond)
				}
				h.ServeHTTP(w, r)
			})
		}, []string{"latency"}},
	} {
		t.Run(fault, func(t *testing.T) {
			report, failed := suite(t, tt.change(handler(t, nil)), "production")
			if diff := cmp.Diff(tt.want, failed); diff != "" {
				t.Errorf("checks that failed (-want +got):\n%s\n%s", diff, report)
			}
		})
		for _, check := range tt.want {
			seen[check] = true
		}
	}
	if len(seen) != 12 {
		t.Errorf("%d checks can fail: %v", len(seen), seen)
	}
}

func TestAnIncompleteEnvironmentIsRefused(t *testing.T) {
	for name, tt := range map[string]struct {
		change map[string]string
		want   []string
	}{
		"nothing of the peers": {map[string]string{"AUTH_SERVICE_URL": "", "TEMPORAL_ADDRESS": ""},
			[]string{"AUTH_SERVICE_URL is required", "TEMPORAL_ADDRESS is required"}},
		"one broker": {map[string]string{"KAFKA_BROKERS": "kafka:9092"}, []string{"3 brokers in production, not 1"}},
		"any origin": {map[string]string{"CORS_ORIGIN": "*"}, []string{"CORS_ORIGIN"}},
		"no store":   {map[string]string{"EVENTSTORE_CONNECTION_STRING": "memory"}, []string{"esdb://HOST:2113"}},
		"no port":    {map[string]string{"PORT": ""}, []string{"PORT must be a port"}},
	} {
		values := environment(t)
		maps.Copy(values, tt.change)
		err := run(t.Context(), t.TempDir(), getenv(values))
		if err == nil {
			t.Errorf("%s: started", name)
			continue
		}
		testkit.WantError(t, err, tt.want...)
		if strings.Contains(err.Error(), "sign-with-me") {
			t.Errorf("%s: the error shows a secret", name)
		}
	}
}

func TestTheSchemaIsWrittenAtTheStart(t *testing.T) {
	folder := t.TempDir()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	values := environment(t)
	values["PORT"] = "0"
	if err := run(ctx, folder, getenv(values)); err != nil {
		t.Fatal(err)
	}
	written, err := os.ReadFile(filepath.Join(folder, "src", "schema.gql"))
	if err != nil || !strings.Contains(string(written), "invoices") {
		t.Errorf("%s, %v", written, err)
	}
	// A file where the folder should be stands for a file system that cannot be written to, also for root.
	blocked := filepath.Join(folder, "app")
	if err := os.WriteFile(blocked, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := run(ctx, blocked, getenv(values)); err == nil {
		t.Error("started where it cannot write")
	}
}

func TestMetricsAreServedWithTheSnippetAlone(t *testing.T) {
	service := handler(t, nil)
	get := func(h http.Handler, target string) (int, string) {
		recorder := httptest.NewRecorder()
		h.ServeHTTP(recorder, httptest.NewRequestWithContext(t.Context(), http.MethodGet, target, nil))
		return recorder.Code, recorder.Body.String()
	}
	if status, _ := get(service, "/metrics"); status != http.StatusNotFound {
		t.Errorf("/metrics without the snippet: %d", status)
	}
	counted := withMetrics(service)
	get(counted, "/health/live")
	get(counted, "/elsewhere")
	status, page := get(counted, "/metrics")
	if status != http.StatusOK || !strings.Contains(page, `http_requests_total{code="404",method="get"} 1`) ||
		!strings.Contains(page, `le="0.5"`) || strings.Contains(page, `code="200"`) {
		t.Errorf("%d\n%s", status, page)
	}
}

func TestTheRateLimit(t *testing.T) {
	values := environment(t)
	c, err := configFrom(getenv(values))
	if err != nil {
		t.Fatal(err)
	}
	now := time.Now()
	h := newServer(c, func() time.Time { return now })
	status := func(target string) int {
		recorder := httptest.NewRecorder()
		h.ServeHTTP(recorder, httptest.NewRequestWithContext(t.Context(), http.MethodGet, target, nil))
		return recorder.Code
	}
	for range mostRequests {
		status("/metrics")
	}
	if got := status("/metrics"); got != http.StatusTooManyRequests {
		t.Errorf("request %d: %d", mostRequests+1, got)
	}
	if got := status("/health/live"); got != http.StatusOK {
		t.Errorf("/health/live is limited: %d", got)
	}
	now = now.Add(limitWindow)
	if got := status("/metrics"); got != http.StatusNotFound {
		t.Errorf("after the window: %d", got)
	}
}
