package smoke_test

import (
	"net"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/vextrus/finance-rollout/examples/finance-service/pgtest"
	"github.com/vextrus/finance-rollout/examples/finance-service/service"
	"github.com/vextrus/finance-rollout/examples/finance-service/servicetest"
	"github.com/vextrus/finance-rollout/internal/smoke"
)

// db is the database of all tests in this package; it costs seconds to start.
var db *pgtest.Server

func TestMain(m *testing.M) { os.Exit(pgtest.Main(m, &db)) }

// exampleSuite is the example's own suite.
func exampleSuite(t testing.TB) *smoke.Suite {
	t.Helper()
	suite, err := smoke.Load("../../examples/finance-service/smoke.yaml")
	if err != nil {
		t.Fatal(err)
	}
	return suite
}

// The example also passes the suite that is shipped.
func TestTheExamplePassesTheShippedSuite(t *testing.T) {
	suite, err := smoke.Load("")
	if err != nil {
		t.Fatal(err)
	}
	for _, environment := range []string{"staging", "production"} {
		cfg := servicetest.Config(db)
		cfg.Introspection = environment == "staging"
		target := smoke.Target{Name: "pod-a", BaseURL: servicetest.Start(t, cfg).URL}
		report := smoke.Run(t.Context(), suite, []smoke.Target{target}, signedValues(t, environment))
		if !report.OK() || report.Passed != 12 {
			t.Errorf("%s:\n%s", environment, report)
		}
	}
}

func signedValues(t testing.TB, environment string) smoke.Values {
	t.Helper()
	tokens, err := smoke.NewTokens([]byte(servicetest.Secret), "", time.Now())
	if err != nil {
		t.Fatal(err)
	}
	return tokens.Values(environment, servicetest.Origin)
}

// failing lists the checks that did not pass, sorted.
func failing(report *smoke.Report) []string {
	names := []string{}
	for _, failure := range report.Failures() {
		names = append(names, failure.Check)
	}
	slices.Sort(names)
	return names
}

func TestHealthyServicePasses(t *testing.T) {
	for _, environment := range []string{"staging", "production"} {
		t.Run(environment, func(t *testing.T) {
			cfg := servicetest.Config(db)
			cfg.Introspection = environment == "staging"
			cfg.RateLimit = service.RateLimit{Max: 60, Window: time.Hour}
			instance := servicetest.Start(t, cfg)
			values := signedValues(t, environment)
			report := smoke.Run(t.Context(), exampleSuite(t), []smoke.Target{{Name: "pod-a", BaseURL: instance.URL}}, values)
			if !report.OK() {
				t.Fatalf("a healthy service did not pass:\n%s", report)
			}
			if want := "Total Tests: 12\nPassed: 12\nFailed: 0\n"; !strings.HasSuffix(report.String(), want) {
				t.Errorf("the report does not end with the summary:\n%s", report)
			}
			for _, secret := range []string{values.Token, values.ForgedToken, values.ExpiredToken, servicetest.Secret,
				db.Password} {
				if strings.Contains(report.String(), secret) || strings.Contains(instance.Logs.String(), secret) {
					t.Error("a secret is in the report or in the service's log")
				}
			}
		})
	}
}

// faultCase is a fault of the service, the checks that it must fail, and what their reasons must say.
type faultCase struct {
	faults string
	want   []string
	reason string
}

func faultCases() []faultCase {
	return []faultCase{
		{"not-live", []string{"liveness"}, "status: expected 200, got 503"},
		{"not-ready", []string{"readiness"}, "status: expected 200, got 503"},
		{"database-down", []string{"dependencies", "full-health", "latency"}, "expected "},
		{"eventstore-down", []string{"dependencies", "full-health"}, "got 503"},
		{"typename", []string{"graphql"}, `json /data/__typename: expected "Query", got none`},
		{"introspection", []string{"introspection"}, "json /data/__schema: expected no value, got"},
		{"auth-off", []string{"bad-token", "no-token"}, "expected "},
		{"forged-token", []string{"bad-token"}, "forged token: json /data/invoices: expected no value, got"},
		{"expired-token", []string{"bad-token"}, "expired token: json /data/invoices: expected no value, got"},
		{"unsigned-token", []string{"bad-token"}, "unsigned token: json /data/invoices: expected no value, got"},
		{"cors", []string{"cors"},
			`preflight from a foreign origin: header Access-Control-Allow-Origin: expected none, got "*"`},
		{"csrf", []string{"csrf"}, "form post: status: expected 400 or 403 or 415, got 200"},
		{"formula", []string{"formula"}, "spreadsheet command: json /data/recalculate: expected no value, got"},
		{"latency=510ms", []string{"latency"}, "expected P95 of 20 requests within 500ms, got 2 of the first 2 slower"},
		{"errors=1", []string{"bad-token", "cors", "csrf", "formula", "graphql", "introspection", "latency", "no-token"},
			"got 500"},
	}
}

// TestEachFaultFailsItsCheck shows that every check can fail, and that it fails for its own reason alone.
func TestEachFaultFailsItsCheck(t *testing.T) {
	for _, test := range faultCases() {
		t.Run(test.faults, func(t *testing.T) {
			t.Parallel()
			instance := servicetest.Start(t, servicetest.Config(db))
			faults, err := service.ParseFaults(test.faults)
			if err != nil {
				t.Fatal(err)
			}
			instance.Faults.Set(faults)
			target := smoke.Target{Name: "pod-a", BaseURL: instance.URL}
			report := smoke.Run(t.Context(), exampleSuite(t), []smoke.Target{target}, signedValues(t, "production"))
			if diff := cmp.Diff(test.want, failing(report)); diff != "" {
				t.Errorf("checks that failed (-want +got):\n%s\n%s", diff, report)
			}
			for _, failure := range report.Failures() {
				if failure.Status != smoke.Failed || !strings.Contains(failure.Reason, test.reason) {
					t.Errorf("%s: got status %s and reason %q, want failed and %q", failure.Check, failure.Status, failure.Reason,
						test.reason)
				}
			}
		})
	}
}

// TestEveryCheckHasAFault keeps the table complete when a check is added.
func TestEveryCheckHasAFault(t *testing.T) {
	for _, check := range exampleSuite(t).Checks {
		if !slices.ContainsFunc(faultCases(), func(c faultCase) bool { return slices.Contains(c.want, check.Name) }) {
			t.Errorf("no fault shows that check %q can fail", check.Name)
		}
	}
}

func TestClosedIntrospectionFailsInStaging(t *testing.T) {
	instance := servicetest.Start(t, servicetest.Config(db))
	target := smoke.Target{Name: "pod-a", BaseURL: instance.URL}
	report := smoke.Run(t.Context(), exampleSuite(t), []smoke.Target{target}, signedValues(t, "staging"))
	if diff := cmp.Diff([]string{"introspection"}, failing(report)); diff != "" {
		t.Errorf("checks that failed (-want +got):\n%s\n%s", diff, report)
	}
}

// TestDependenciesThatAreReallyGone uses no fault: nothing listens where the service looks.
func TestDependenciesThatAreReallyGone(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	nobody := listener.Addr().(*net.TCPAddr)
	if err := listener.Close(); err != nil {
		t.Fatal(err)
	}
	tests := map[string]struct {
		change func(*service.Config)
		want   []string
		reason string
	}{
		"database": {
			func(c *service.Config) { c.Database.Port = nobody.Port },
			[]string{"dependencies", "full-health", "latency"}, `"database":{"status":"down"}`,
		},
		"event store": {
			func(c *service.Config) { c.EventStore = service.Secret("esdb://" + nobody.String() + "?tls=false") },
			[]string{"dependencies", "full-health"}, `"eventstore":{"status":"down"}`,
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			cfg := servicetest.Config(db)
			test.change(&cfg)
			target := smoke.Target{Name: "pod-a", BaseURL: servicetest.Start(t, cfg).URL}
			report := smoke.Run(t.Context(), exampleSuite(t), []smoke.Target{target}, signedValues(t, "production"))
			if diff := cmp.Diff(test.want, failing(report)); diff != "" {
				t.Errorf("checks that failed (-want +got):\n%s\n%s", diff, report)
			}
			for _, failure := range report.Failures() {
				if failure.Check == "dependencies" && !strings.Contains(failure.Reason, test.reason) {
					t.Errorf("got reason %q, want it to hold %q", failure.Reason, test.reason)
				}
			}
		})
	}
}

func TestOneBadPodOfTwo(t *testing.T) {
	good, bad := servicetest.Start(t, servicetest.Config(db)), servicetest.Start(t, servicetest.Config(db))
	bad.Faults.Set(service.Faults{NotReady: true})
	targets := []smoke.Target{{Name: "pod-a", BaseURL: good.URL}, {Name: "pod-b", BaseURL: bad.URL}}
	report := smoke.Run(t.Context(), exampleSuite(t), targets, signedValues(t, "production"))
	want := map[string]smoke.Counts{"pod-a": {Total: 12, Passed: 12}, "pod-b": {Total: 12, Passed: 11, Failed: 1}}
	if diff := cmp.Diff(want, report.Targets); diff != "" {
		t.Errorf("per pod (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(smoke.Counts{Total: 12, Passed: 11, Failed: 1}, report.Counts); diff != "" || report.OK() {
		t.Errorf("over both pods (-want +got):\n%s", diff)
	}
	if !strings.Contains(report.String(), "pod-b: status: expected 200, got 503") {
		t.Errorf("the report does not name the bad pod:\n%s", report)
	}
}

// TestWithoutTokens shows what an operator reads who has set neither a token nor the secret.
func TestWithoutTokens(t *testing.T) {
	instance := servicetest.Start(t, servicetest.Config(db))
	tokens, err := smoke.NewTokens(nil, "", time.Now())
	if err != nil {
		t.Fatal(err)
	}
	target := smoke.Target{Name: "pod-a", BaseURL: instance.URL}
	report := smoke.Run(t.Context(), exampleSuite(t), []smoke.Target{target},
		tokens.Values("production", servicetest.Origin))
	want := []string{"bad-token", "cors", "csrf", "formula", "graphql", "introspection", "latency"}
	if diff := cmp.Diff(want, failing(report)); diff != "" {
		t.Errorf("checks that did not pass (-want +got):\n%s\n%s", diff, report)
	}
	for _, failure := range report.Failures() {
		if failure.Status != smoke.Error || !strings.Contains(failure.Reason, "jwt-secret") {
			t.Errorf("%s: got status %s and reason %q, want error and what to set", failure.Check, failure.Status,
				failure.Reason)
		}
	}
}

// BenchmarkSuite measures the whole suite against one healthy pod.
func BenchmarkSuite(b *testing.B) {
	instance := servicetest.Start(b, servicetest.Config(db))
	suite, values := exampleSuite(b), signedValues(b, "production")
	for b.Loop() {
		report := smoke.Run(b.Context(), suite, []smoke.Target{{Name: "pod-a", BaseURL: instance.URL}}, values)
		if !report.OK() {
			b.Fatal(report)
		}
	}
}
