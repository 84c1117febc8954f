package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"github.com/vextrus/finance-rollout/examples/finance-service/pgtest"
)

const secret = "a secret for tests only"

// freePorts returns ports that nothing listens on.
func freePorts(t *testing.T, n int) []string {
	t.Helper()
	var ports []string
	for range n {
		listener, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = listener.Close() }() //nolint:gocritic // all stay taken until the last is chosen
		_, port, err := net.SplitHostPort(listener.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		ports = append(ports, port)
	}
	return ports
}

// await waits until the URL answers 200 with a body that holds want.
func await(t *testing.T, url, want string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	for {
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
		if err != nil {
			t.Fatal(err)
		}
		resp, err := http.DefaultClient.Do(req)
		if err == nil {
			var body []byte
			body, err = io.ReadAll(resp.Body)
			_ = resp.Body.Close()
			if resp.StatusCode == http.StatusOK && strings.Contains(string(body), want) {
				return
			}
		}
		select {
		case <-ctx.Done():
			t.Fatalf("%s does not answer with %s: %v", url, want, err)
		case <-time.After(10 * time.Millisecond):
		}
	}
}

// TestRun starts the whole service, switches a fault on through its port, and stops it while a request is under way.
func TestRun(t *testing.T) {
	db, err := pgtest.Start(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := db.Stop(); err != nil {
			t.Error(err)
		}
	})
	ports := freePorts(t, 2)
	variables := map[string]string{
		"NODE_ENV": "staging", "PORT": ports[0], "DATABASE_HOST": db.Host, "DATABASE_PORT": fmt.Sprint(db.Port),
		"DATABASE_USERNAME": db.Username, "DATABASE_PASSWORD": db.Password, "DATABASE_NAME": db.Database,
		"JWT_SECRET": secret, "EVENTSTORE_CONNECTION_STRING": "memory://", "LOG_LEVEL": "error",
		"FAULTS_ENABLED": "true", "FAULTS_PORT": ports[1],
	}
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	stopped := make(chan error, 1)
	go func() {
		stopped <- run(ctx, func(name string) (string, bool) { value, ok := variables[name]; return value, ok })
	}()
	base, admin := "http://127.0.0.1:"+ports[0], "http://127.0.0.1:"+ports[1]
	await(t, base+"/health", `"status":"ok"`)
	await(t, admin+"/faults", `""`)

	req, err := http.NewRequestWithContext(t.Context(), http.MethodPut, admin+"/faults",
		strings.NewReader(`{"faults":"latency=1s"}`))
	if err != nil {
		t.Fatal(err)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	_ = resp.Body.Close()

	answered := make(chan error, 1)
	go func() { answered <- slowQuery(t.Context(), base) }()
	await(t, base+"/metrics", `http_requests_in_flight{path="/graphql"} 1`)
	stop()
	if err := <-answered; err != nil {
		t.Errorf("the request that was under way: %v", err)
	}
	if err := <-stopped; err != nil {
		t.Errorf("run ended with %v", err)
	}
}

func slowQuery(ctx context.Context, base string) error {
	claims := jwt.MapClaims{"sub": "test", "exp": time.Now().Add(time.Minute).Unix()}
	token, err := jwt.NewWithClaims(jwt.SigningMethodHS256, claims).SignedString([]byte(secret))
	if err != nil {
		return err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, base+"/graphql",
		strings.NewReader(`{"query":"{ invoices { id } }"}`))
	if err != nil {
		return err
	}
	req.Header.Set("Authorization", "Bearer "+token)
	req.Header.Set("Content-Type", "application/json")
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	defer func() { _ = resp.Body.Close() }()
	var body struct {
		Data struct{ Invoices []any }
	}
	if err := json.NewDecoder(resp.Body).Decode(&body); err != nil || resp.StatusCode != http.StatusOK ||
		body.Data.Invoices == nil {
		return fmt.Errorf("status %d, body %+v, %w", resp.StatusCode, body, err)
	}
	return nil
}

func TestRunNamesWhatIsMissing(t *testing.T) {
	err := run(t.Context(), func(string) (string, bool) { return "", false })
	const want = "missing: NODE_ENV, DATABASE_HOST, DATABASE_USERNAME, DATABASE_PASSWORD, DATABASE_NAME, JWT_SECRET, " +
		"EVENTSTORE_CONNECTION_STRING"
	if err == nil || !strings.Contains(err.Error(), want) {
		t.Errorf("got %v, want %q", err, want)
	}
}

func TestRunReportsTakenPort(t *testing.T) {
	listener, err := net.Listen("tcp", ":0") //nolint:gosec // the service listens on all addresses
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = listener.Close() }()
	variables := map[string]string{
		"NODE_ENV": "staging", "PORT": fmt.Sprint(listener.Addr().(*net.TCPAddr).Port), "DATABASE_HOST": "127.0.0.1",
		"DATABASE_USERNAME": "x", "DATABASE_PASSWORD": "x", "DATABASE_NAME": "x", "JWT_SECRET": secret,
		"EVENTSTORE_CONNECTION_STRING": "memory://", "LOG_LEVEL": "error",
	}
	err = run(t.Context(), func(name string) (string, bool) { value, ok := variables[name]; return value, ok })
	if err == nil || !strings.Contains(err.Error(), "address already in use") {
		t.Errorf("got %v, want the port to be taken", err)
	}
}
