package smoke

import (
	"context"
	"errors"
	"net"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
)

// A value that is missing is nobody's failure but a check that could not look: it says where the value belongs and how
// to set it, and sends nothing half filled in.
func TestARequestWithAMissingValueIsNotSent(t *testing.T) {
	const remedy = "no value for {{allowedOrigin}}: set the stack's allowed CORS origin"
	for where, request := range map[string]string{
		"path: ":          `{path: "/?origin={{allowedOrigin}}"}`,
		"body: ":          `{method: POST, path: /, body: "{{allowedOrigin}}"}`,
		"header X: ":      `{path: /, headers: {X: "{{allowedOrigin}}"}}`,
		"body: no value ": `{method: POST, path: /, json: {a: [1, {b: "{{allowedOrigin}}"}]}}`,
	} {
		var requests atomic.Int32
		target := pod(t, func(http.ResponseWriter, *http.Request) { requests.Add(1) })
		suite := suiteOf(t, "{name: up, request: "+request+", expect: {status: [200]}}")
		got := Run(t.Context(), suite, []Target{target}, Values{Environment: "production"}).Results[0]
		if got.Status != Error || !strings.HasPrefix(got.Reason, where) || !strings.Contains(got.Reason, remedy) ||
			requests.Load() != 0 {
			t.Errorf("%s: got %s with reason %q and %d requests", request, got.Status, got.Reason, requests.Load())
		}
	}
}

// Nor does an answer fail against an expectation that lacks its value.
func TestAnExpectationWithAMissingValueIsAnError(t *testing.T) {
	target := pod(t, func(w http.ResponseWriter, _ *http.Request) { w.Header().Set("X", "anything") })
	suite := suiteOf(t, `{name: up, request: {path: /}, expect: {status: [200], headers: {X: {equals: "{{token}}"}}}}`)
	got := Run(t.Context(), suite, []Target{target}, Values{}).Results[0]
	if got.Status != Error || !strings.Contains(got.Reason, "no value for {{token}}: set STAGING_JWT_TOKEN") {
		t.Errorf("got %s with reason %q", got.Status, got.Reason)
	}
}

// A pod that nobody reached in time has not failed; one that took the request has.
func TestNoConnectionInTimeIsAnError(t *testing.T) {
	transport := &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		<-ctx.Done()
		return nil, ctx.Err()
	}}
	suite := suiteOf(t, "{name: up, timeout: 50ms, request: {path: /}, expect: {status: [200]}}")
	got := Run(t.Context(), suite, []Target{{Name: "pod-a", BaseURL: "http://pod-a:3014",
		Client: &http.Client{Transport: transport}}}, Values{}).Results[0]
	if got.Status != Error || got.Reason != "GET /: no connection within 50ms" {
		t.Errorf("got %s with reason %q", got.Status, got.Reason)
	}
}

func TestATargetWithoutAnAddressIsAnError(t *testing.T) {
	suite := suiteOf(t, "{name: up, request: {path: /}, expect: {status: [200]}}")
	got := Run(t.Context(), suite, []Target{{Name: "pod-a", BaseURL: "://pod-a"}}, Values{}).Results[0]
	if got.Status != Error || !strings.HasPrefix(got.Reason, "base URL of the target: ") {
		t.Errorf("got %s with reason %q", got.Status, got.Reason)
	}
}

// brokenBody is an answer whose connection breaks at its end.
type brokenBody struct{ *strings.Reader }

func (brokenBody) Close() error { return errors.New("connection reset") }

type roundTrip func(*http.Request) (*http.Response, error)

func (r roundTrip) RoundTrip(req *http.Request) (*http.Response, error) { return r(req) }

// An answer whose end got lost is not judged, however right its beginning looks.
func TestAnAnswerWhoseEndIsLostIsAnError(t *testing.T) {
	client := &http.Client{Transport: roundTrip(func(*http.Request) (*http.Response, error) {
		return &http.Response{StatusCode: http.StatusOK, Body: brokenBody{strings.NewReader("ok")}}, nil
	})}
	suite := suiteOf(t, "{name: up, request: {path: /}, expect: {status: [200]}}")
	got := Run(t.Context(), suite, []Target{{Name: "pod-a", BaseURL: "http://pod-a", Client: client}}, Values{}).Results[0]
	if got.Status != Error || got.Reason != "GET /: read the answer: connection reset" {
		t.Errorf("got %s with reason %q", got.Status, got.Reason)
	}
}

// Without a pod the report says so once, and names none.
func TestTheReportWithoutAPodNamesNone(t *testing.T) {
	suite := suiteOf(t, "{name: up, request: {path: /}, expect: {status: [200]}}")
	text := Run(t.Context(), suite, nil, Values{Environment: "production"}).String()
	if !strings.Contains(text, "0 pods") || !strings.Contains(text, "error   up") ||
		!strings.Contains(text, "\n          no pod to check: the caller found no target\n") {
		t.Error(text)
	}
}
