package smoke

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"pgregory.net/rapid"

	"github.com/vextrus/finance-rollout/internal/redact"
)

// suiteOf parses a suite of the checks given in short form.
func suiteOf(t testing.TB, checks ...string) *Suite {
	t.Helper()
	text := "name: test\nmaxRequests: 5000\nchecks:\n"
	for _, check := range checks {
		text += "  - " + check + "\n"
	}
	suite, err := Parse("test.yaml", []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return suite
}

func pod(t testing.TB, handler http.HandlerFunc) Target {
	t.Helper()
	server := httptest.NewServer(handler)
	t.Cleanup(server.Close)
	return Target{Name: "pod-a", BaseURL: server.URL, Client: server.Client()}
}

// TestOutcomes shows what a check makes of what a pod does.
func TestOutcomes(t *testing.T) {
	reply := func(status int, body string) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(status)
			_, _ = io.WriteString(w, body)
		}
	}
	const object = `{"text":"a","number":7,"yes":true,"nothing":null,"list":[{"a/b":1}]}`
	jsonCheck := func(match string) string {
		return "{name: up, request: {path: /}, expect: {status: [200], json: [" + match + "]}}"
	}
	const plain = "{name: up, request: {path: /}, expect: {status: [200]}}"
	tests := map[string]struct {
		check   string
		handler http.HandlerFunc
		status  Status
		reason  string
	}{
		"as expected": {plain, reply(200, ""), Passed, ""},
		"status": {plain, reply(503, "busy\n\x1b[31mnow"), Failed,
			"status: expected 200, got 503 with body busy now"},
		"no body":        {plain, reply(503, ""), Failed, "status: expected 200, got 503 with body (empty)"},
		"end of a range": {`{name: up, request: {path: /}, expect: {status: ["400-499"]}}`, reply(499, ""), Passed, ""},
		"beyond a range": {`{name: up, request: {path: /}, expect: {status: ["400-499", 200]}}`, reply(500, ""), Failed,
			"expected 400-499 or 200, got 500"},
		"equal text": {jsonCheck("{pointer: /text, equals: a}"), reply(200, object), Passed, ""},
		"other text": {jsonCheck("{pointer: /text, equals: b}"), reply(200, object), Failed,
			`json /text: expected "b", got "a", status 200`},
		"equal number": {jsonCheck("{pointer: /number, equals: 7}"), reply(200, object), Passed, ""},
		"number as text": {jsonCheck(`{pointer: /number, equals: "7"}`), reply(200, object), Failed,
			`json /number: expected "7", got 7`},
		"equal truth": {jsonCheck("{pointer: /yes, equals: true}"), reply(200, object), Passed, ""},
		"one of":      {jsonCheck("{pointer: /text, in: [z, a]}"), reply(200, object), Passed, ""},
		"none of": {jsonCheck("{pointer: /text, in: [y, z]}"), reply(200, object), Failed,
			`json /text: expected "y" or "z", got "a"`},
		"exists": {jsonCheck("{pointer: /list/0/a~1b, exists: true}"), reply(200, object), Passed, ""},
		"exists but null": {jsonCheck("{pointer: /nothing, exists: true}"), reply(200, object), Failed,
			"json /nothing: expected a value, got none"},
		"beyond a list": {jsonCheck("{pointer: /list/1, absent: true}"), reply(200, object), Passed, ""},
		"not absent": {jsonCheck("{pointer: /list, absent: true}"), reply(200, object), Failed,
			`json /list: expected no value, got [{"a/b":1}]`},
		"below a text": {jsonCheck("{pointer: /text/0, equals: a}"), reply(200, object), Failed,
			`json /text/0: expected "a", got none`},
		"not JSON": {jsonCheck("{pointer: /text, absent: true}"), reply(200, "<html>"), Failed,
			"body: expected JSON, got status 200 with body <html>"},
		"body with": {
			"{name: up, request: {path: /}, expect: {status: [200], body: {contains: [ok]}}}",
			reply(200, "no"), Failed, `body: expected it to contain "ok", got status 200 with body no`,
		},
		"body without": {
			"{name: up, request: {path: /}, expect: {status: [200], body: {notContains: [secret]}}}",
			reply(200, "my secret"), Failed, `body: expected it not to contain "secret", got status 200 with body my secret`,
		},
		"header absent": {
			"{name: up, request: {path: /}, expect: {status: [200], headers: {X-Pod: {equals: a}}}}",
			reply(200, ""), Failed, `header X-Pod: expected "a", got none`,
		},
		"header twice": {
			"{name: up, request: {path: /}, expect: {status: [200], headers: {x-pod: {equals: a}}}}",
			func(w http.ResponseWriter, _ *http.Request) { w.Header()["X-Pod"] = []string{"a", "b"} },
			Failed, `header x-pod: expected "a", got "a, b"`,
		},
		"redirect": {
			plain, func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, "/elsewhere", http.StatusFound) },
			Failed, "status: expected 200, got 302",
		},
		"second step": {
			"{name: up, steps: [{request: {path: /}, expect: {status: [200]}}, {name: again, request: {path: /}, expect: " +
				"{status: [404]}}]}",
			reply(200, ""), Failed, "again: status: expected 404, got 200",
		},
		"no answer": {
			"{name: up, timeout: 50ms, request: {path: /}, expect: {status: [200]}}",
			func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() },
			Failed, "GET /: expected an answer within 50ms, got none",
		},
		"half an answer": {
			plain, func(w http.ResponseWriter, _ *http.Request) { w.Header().Set("Content-Length", "10") },
			Error, "GET /: read the answer: unexpected EOF",
		},
		"connection lost": {
			plain, func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) },
			Error, "GET /: EOF",
		},
		"endless answer": {
			plain, reply(200, strings.Repeat("x", maxAnswerBytes+1)), Error, "the answer is larger than 1048576 bytes",
		},
		"unknown environment": {
			"{name: up, request: {path: /}, expectIn: {staging: {status: [200]}, qa: {status: [200]}}}",
			reply(200, ""), Error, `the suite expects nothing in environment "production"; it knows qa, staging`,
		},
		"missing value": {
			`{name: up, request: {path: /, headers: {Origin: "{{allowedOrigin}}"}}, expect: {status: [200]}}`,
			reply(200, ""), Error, "header Origin: no value for {{allowedOrigin}}: set the stack's allowed CORS origin",
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			report := Run(t.Context(), suiteOf(t, test.check), []Target{pod(t, test.handler)}, Values{Environment: "production"})
			got := report.Results[0]
			if got.Status != test.status || !strings.Contains(got.Reason, test.reason) ||
				(got.Reason == "") != (test.reason == "") {
				t.Errorf("got %s with reason %q, want %s with %q", got.Status, got.Reason, test.status, test.reason)
			}
			if len(got.Reason) > maxReason {
				t.Errorf("the reason has %d bytes", len(got.Reason))
			}
		})
	}
}

func TestRequestIsBuiltFromTemplates(t *testing.T) {
	type request struct{ Method, Host, Path, Query, Origin, ContentType, Authorization, Body string }
	var got []request
	target := pod(t, func(_ http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			t.Error(err)
		}
		got = append(got, request{
			r.Method, r.Host, r.URL.Path, r.URL.RawQuery, r.Header.Get("Origin"),
			r.Header.Get("Content-Type"), r.Header.Get("Authorization"), string(body),
		})
	})
	target.BaseURL += "/proxy/"
	suite := suiteOf(t,
		`{name: a, steps: [{request: {method: PUT, path: "/{{environment}}?e={{environment}}", headers: {Host: shop.example, Authorization: "Bearer {{ token }}"}, json: {list: ["{{allowedOrigin}}", 1], "{{token}}": true}}, expect: {status: [200]}},`+
			` {request: {path: /, headers: {content-type: text/x, Origin: "{{foreignOrigin}}"}, body: "e={{environment}}"}, expect: {status: [200]}}]}`)
	values := Values{Environment: "staging", AllowedOrigin: "https://a.example, https://b.example", Token: "opaque-token"}
	if report := Run(t.Context(), suite, []Target{target}, values); !report.OK() {
		t.Fatal(report)
	}
	want := []request{
		{"PUT", "shop.example", "/proxy/staging", "e=staging", "", "application/json", "Bearer opaque-token",
			`{"list":["https://a.example",1],"{{token}}":true}`},
		{"GET", strings.TrimPrefix(strings.TrimSuffix(target.BaseURL, "/proxy/"), "http://"), "/proxy/", "", foreignOrigin,
			"text/x", "", "e=staging"},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("requests (-want +got):\n%s", diff)
	}
}

// TestEchoedTokenIsRedacted has a pod repeat what it was sent, as careless error pages do.
func TestEchoedTokenIsRedacted(t *testing.T) {
	tokens, err := NewTokens([]byte("the service's secret"), "", time.Now())
	if err != nil {
		t.Fatal(err)
	}
	target := pod(t, func(w http.ResponseWriter, r *http.Request) {
		// The excerpt of the body ends within the token.
		http.Error(w, strings.Repeat("x", maxExcerpt-40)+r.Header.Get("Authorization"), http.StatusTeapot)
	})
	suite := suiteOf(t,
		`{name: up, request: {path: "/?t={{token}}", headers: {Authorization: "Bearer {{token}}"}}, expect: {status: [200]}}`)
	report := Run(t.Context(), suite, []Target{target}, tokens.Values("production", ""))
	encoded, err := json.Marshal(report)
	if err != nil {
		t.Fatal(err)
	}
	for _, text := range []string{report.String(), string(encoded)} {
		if strings.Contains(text, tokens.Token[:12]) || !strings.Contains(text, redact.Mark) {
			t.Errorf("the report shows the beginning of the token, or does not say that it hid it:\n%s", text)
		}
	}
}

func TestCanceledRun(t *testing.T) {
	const check = "{name: up, request: {path: /}, expect: {status: [200]}}"
	t.Run("before", func(t *testing.T) {
		var requests atomic.Int32
		target := pod(t, func(http.ResponseWriter, *http.Request) { requests.Add(1) })
		ctx, cancel := context.WithCancelCause(t.Context())
		cancel(errors.New("interrupted by the operator"))
		report := Run(ctx, suiteOf(t, check), []Target{target}, Values{})
		want := Result{Target: "pod-a", Check: "up", Status: Error, Reason: "not run: interrupted by the operator"}
		if diff := cmp.Diff([]Result{want}, report.Results, cmpopts.IgnoreFields(Result{}, "Duration")); diff != "" {
			t.Errorf("results (-want +got):\n%s", diff)
		}
		if n := requests.Load(); n != 0 {
			t.Errorf("%d requests were sent", n)
		}
	})
	t.Run("during", func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		target := pod(t, func(_ http.ResponseWriter, r *http.Request) {
			cancel()
			<-r.Context().Done()
		})
		got := Run(ctx, suiteOf(t, check), []Target{target}, Values{}).Results[0]
		if got.Status != Error || got.Reason != "stopped: context canceled" {
			t.Errorf("got %s with reason %q, want error and that it was stopped", got.Status, got.Reason)
		}
	})
}

func TestNothingListens(t *testing.T) {
	server := httptest.NewServer(http.NotFoundHandler())
	server.Close()
	suite := suiteOf(t, "{name: up, request: {path: /}, expect: {status: [200]}}")
	report := Run(t.Context(), suite, []Target{{Name: "pod-a", BaseURL: server.URL}}, Values{})
	if got := report.Results[0]; got.Status != Error || !strings.Contains(got.Reason, "connection refused") {
		t.Errorf("got %s with reason %q, want error and connection refused", got.Status, got.Reason)
	}
	if want := (Counts{Total: 1, Failed: 1, Errors: 1}); report.Counts != want || report.OK() {
		t.Errorf("got %+v and OK %t, want %+v", report.Counts, report.OK(), want)
	}
}

func TestNoTargets(t *testing.T) {
	report := Run(t.Context(), suiteOf(t, "{name: up, request: {path: /}, expect: {status: [200]}}"), nil, Values{})
	if want := (Counts{Total: 1, Failed: 1, Errors: 1}); report.Counts != want || report.OK() {
		t.Errorf("got %+v and OK %t, want %+v", report.Counts, report.OK(), want)
	}
	if (&Report{}).OK() || (*Report)(nil).OK() {
		t.Error("a report of nothing is OK")
	}
}

// TestLatencyRunsAlone has other checks that take a while, and watches that none is under way during a latency check.
func TestLatencyRunsAlone(t *testing.T) {
	var inFlight, most, disturbed atomic.Int32
	handler := func(_ http.ResponseWriter, r *http.Request) {
		n := inFlight.Add(1)
		defer inFlight.Add(-1)
		if r.URL.Path == "/slow" {
			for old := most.Load(); n > old && !most.CompareAndSwap(old, n); old = most.Load() {
			}
			time.Sleep(20 * time.Millisecond)
			return
		}
		if n > 1 {
			disturbed.Add(1)
		}
	}
	checks := []string{"{name: fast, kind: latency, latency: {requests: 20, percentile: 95, max: 5s}, request: {path: " +
		"/fast}, expect: {status: [200]}}"}
	for i := range 8 {
		checks = append(checks, fmt.Sprintf("{name: slow-%d, request: {path: /slow}, expect: {status: [200]}}", i))
	}
	targets := []Target{pod(t, handler), pod(t, handler)}
	if report := Run(t.Context(), suiteOf(t, checks...), targets, Values{}); !report.OK() {
		t.Fatal(report)
	}
	if disturbed.Load() > 0 {
		t.Errorf("%d requests of the latency checks were not alone", disturbed.Load())
	}
	if n := most.Load(); n < 2 || n > concurrency {
		t.Errorf("%d other checks ran at once, want 2 to %d", n, concurrency)
	}
}

func TestLatencyStopsEarly(t *testing.T) {
	var requests atomic.Int32
	target := pod(t, func(http.ResponseWriter, *http.Request) {
		if requests.Add(1) > 5 {
			time.Sleep(30 * time.Millisecond)
		}
	})
	suite := suiteOf(t, "{name: fast, kind: latency, latency: {requests: 1000, percentile: 99, max: 25ms}, request: "+
		"{path: /}, expect: {status: [200]}}")
	got := Run(t.Context(), suite, []Target{target}, Values{}).Results[0]
	if got.Status != Failed || !strings.Contains(got.Reason, "11 of the first ") {
		t.Errorf("got %s with reason %q, want it to fail at the 11th slow request", got.Status, got.Reason)
	}
	if n := requests.Load(); n > 16 {
		t.Errorf("%d requests were sent, although the 16th decided", n)
	}
}

func TestLatencyOfErrorsIsNotFast(t *testing.T) {
	target := pod(t, func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusInternalServerError) })
	suite := suiteOf(t, "{name: fast, kind: latency, latency: {requests: 20, percentile: 95, max: 1s}, request: {path: "+
		"/}, expect: {status: [200]}}")
	got := Run(t.Context(), suite, []Target{target}, Values{}).Results[0]
	if got.Status != Failed || !strings.Contains(got.Reason, "request 1 of 20: status: expected 200, got 500") {
		t.Errorf("got %s with reason %q", got.Status, got.Reason)
	}
}

// TestPercentileProperty compares the percentile with its definition: the smallest time that is at least as long as p
// percent of the times.
func TestPercentileProperty(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		times := rapid.SliceOfN(rapid.Map(rapid.IntRange(0, 50), func(n int) time.Duration { return time.Duration(n) }), 1,
			60).Draw(t, "times")
		p := rapid.IntRange(1, 100).Draw(t, "p")
		got := percentile(times, p)
		covers := func(limit time.Duration) bool {
			n := 0
			for _, d := range times {
				if d <= limit {
					n++
				}
			}
			return n*100 >= p*len(times)
		}
		if !covers(got) || got > 0 && covers(got-1) {
			t.Fatalf("P%d of %v is not %d", p, times, got)
		}
	})
}

func TestReportText(t *testing.T) {
	suite := &Suite{Name: "shop"}
	results := [][]Result{
		{
			{Target: "pod-a", Check: "up", Status: Passed, Duration: 2 * time.Millisecond},
			{Target: "pod-b", Check: "up", Status: Passed, Duration: 12 * time.Millisecond},
		},
		{
			{Target: "pod-a", Check: "cors", Status: Error, Reason: "no connection", Duration: time.Second},
			{Target: "pod-b", Check: "cors", Status: Failed, Reason: "status: expected 200, got 500",
				Duration: 3 * time.Millisecond},
		},
		{
			{Target: "pod-a", Check: "fast", Status: Passed, Detail: "P95 of 20 requests 4ms, limit 500ms",
				Duration: 80 * time.Millisecond},
			{Target: "pod-b", Check: "fast", Status: Error, Reason: "no connection", Duration: time.Millisecond},
		},
	}
	report := newReport(suite, "production", results, 1234*time.Millisecond)
	const want = `Smoke suite shop, environment production, 2 pods, 1.234s
  passed  up                           12ms
  failed  cors                           1s
          pod-a: no connection
          pod-b: status: expected 200, got 500
  error   fast                         80ms
          pod-b: no connection

Total Tests: 3
Passed: 1
Failed: 2 (1 could not be looked at)
`
	if diff := cmp.Diff(want, report.String()); diff != "" {
		t.Errorf("report (-want +got):\n%s", diff)
	}
	encoded, err := json.Marshal(report)
	if err != nil {
		t.Fatal(err)
	}
	var decoded Report
	if err := json.Unmarshal(encoded, &decoded); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(report, &decoded); diff != "" {
		t.Errorf("the report changed on its way through JSON:\n%s", diff)
	}
}
