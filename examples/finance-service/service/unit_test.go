package service

import (
	"fmt"
	"math"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

func TestEvaluate(t *testing.T) {
	cells := map[string]float64{"A1": 10, "BC20": 2.5}
	tests := map[string]float64{
		"1+2*3": 7, "=1+2*3": 7, " = (1+2)*3 ": 9, "-A1/4": -2.5, "A1*BC20": 25, "+1.5e2": 150, "1- -1": 2,
	}
	for formula, want := range tests {
		if got, err := evaluate(formula, cells); err != nil || got != want {
			t.Errorf("%q: got %v, %v, want %v", formula, got, err, want)
		}
	}
}

func TestEvaluateRefuses(t *testing.T) {
	formulas := []string{
		"", "=", "1+", "1 2", "1;2", "=cmd|'/C calc'!A0", "constructor.constructor('return process')()",
		"require('child_process')", `require("child_process").exec("id")`, "process", "__proto__", "A1", "a1", "A0",
		"func() int { return 1 }()", "[]int{1}[0]", "A1[0]", "A1.x", "*A1", "!1", "^1", "1<<2", "1%2", "1|2", "1==1",
		`"a"`, "'a'", "`a`", "0x10", "0x1p4", "1i", "1_000", "1/0", "0/0", "1e308*10", "${7*7}", "{{7*7}}",
		strings.Repeat("(", 200) + "1", strings.Repeat("1+", maxFormula) + "1",
	}
	for _, formula := range formulas {
		if got, err := evaluate(formula, map[string]float64{"B1": 1, "process": 1, "__proto__": 1}); err == nil {
			t.Errorf("%q: got %v, want it to be refused", formula, got)
		}
	}
}

func FuzzEvaluate(f *testing.F) {
	f.Add("=1+2*(3-A1)")
	f.Add("constructor.constructor('return process')()")
	f.Fuzz(func(t *testing.T, formula string) {
		got, err := evaluate(formula, map[string]float64{"A1": 1})
		if err == nil && (math.IsInf(got, 0) || math.IsNaN(got)) {
			t.Errorf("%q has the value %v", formula, got)
		}
	})
}

func TestParseFaults(t *testing.T) {
	got, err := ParseFaults("errors=0.33, latency=800ms,latency-share=0.5,crash=10s,introspection,not-ready")
	if err != nil {
		t.Fatal(err)
	}
	want := Faults{
		ErrorShare: 0.33, Latency: 800 * time.Millisecond, LatencyShare: 0.5, CrashAfter: 10 * time.Second,
		Introspection: true, NotReady: true,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("faults (-want +got):\n%s", diff)
	}
	const text = "crash=10s,errors=0.33,introspection,latency-share=0.5,latency=800ms,not-ready"
	if got.String() != text {
		t.Errorf("got %q, want %q", got, text)
	}
	if none, err := ParseFaults(" "); err != nil || none.String() != "" {
		t.Errorf("got %q, %v, want no faults", none, err)
	}
}

func TestParseFaultsRefuses(t *testing.T) {
	tests := map[string]string{
		"slow":                  `unknown fault "slow"; allowed: errors=<0..1>`,
		"cors,":                 `unknown fault ""`,
		"CORS":                  `unknown fault "CORS"`,
		"cors,cors":             `fault "cors" is given twice`,
		"cors=true":             `fault "cors" takes no value, got "true"`,
		"errors":                `fault "errors": must be a share from 0 to 1, got ""`,
		"errors=1.1":            "must be a share from 0 to 1",
		"errors=-0.1":           "must be a share from 0 to 1",
		"errors=NaN":            "must be a share from 0 to 1",
		"errors=33%":            "must be a share from 0 to 1",
		"latency=800":           `fault "latency": must be a duration above 0 and up to 1h`,
		"latency=-1s":           "must be a duration above 0",
		"latency=2h":            "must be a duration above 0",
		"crash=now":             `fault "crash": must be a duration`,
		"latency-share=0.5":     `fault "latency-share" needs "latency"`,
		"errors=0.1,errors=0.2": `fault "errors" is given twice`,
	}
	for list, want := range tests {
		if got, err := ParseFaults(list); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: got %v, %v, want error %q", list, got, err, want)
		}
	}
}

// TestFaultsRoundTrip reads back what String writes, for any faults.
func TestFaultsRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		faults := Faults{
			ErrorShare:   rapid.Float64Range(0, 1).Draw(t, "errors"),
			LatencyShare: 1,
			CrashNext:    rapid.Bool().Draw(t, "crash"),
		}
		if rapid.Bool().Draw(t, "slow") {
			faults.Latency = time.Duration(rapid.Int64Range(1, int64(time.Hour)).Draw(t, "latency"))
			faults.LatencyShare = rapid.Float64Range(0, 1).Draw(t, "share")
		}
		for name, flag := range faults.flags() {
			*flag = rapid.Bool().Draw(t, name)
		}
		got, err := ParseFaults(faults.String())
		if err != nil || got != faults {
			t.Fatalf("%+v was read back as %+v, %v", faults, got, err)
		}
	})
}

// TestSpreadProperty shows that a share of a sequence is exact to one element at every point.
func TestSpreadProperty(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		share := float64(rapid.IntRange(0, 100).Draw(t, "percent")) / 100
		var s spread
		picked := 0
		for n := 1; n <= 500; n++ {
			if s.next(share) {
				picked++
			}
			if want := share * float64(n); math.Abs(float64(picked)-want) >= 1+1e-6 {
				t.Fatalf("picked %d of %d, want %v", picked, n, want)
			}
		}
	})
}

// variables is a complete environment; change replaces or, with an empty value, removes some of it.
func variables(change map[string]string) func(string) (string, bool) {
	set := map[string]string{
		"NODE_ENV": "production", "DATABASE_HOST": "db.example", "DATABASE_USERNAME": "finance",
		"DATABASE_PASSWORD": "pa55word", "DATABASE_NAME": "vextrus_finance", "JWT_SECRET": "jwt-5ecret",
		"EVENTSTORE_CONNECTION_STRING": "esdb://admin:chang3it@store:2113?tls=false",
		"CORS_ORIGIN":                  "https://a.example, https://b.example:8443",
	}
	for name, value := range change {
		set[name] = value
	}
	return func(name string) (string, bool) {
		value, ok := set[name]
		return value, ok
	}
}

func TestConfigFromEnv(t *testing.T) {
	got, err := ConfigFromEnv(variables(map[string]string{
		"KAFKA_BROKERS": "a:9092, b:9092", "OTEL_EXPORTER_OTLP_ENDPOINT": "http://signoz:4318", "LOG_LEVEL": "warn",
		"ENABLE_SWAGGER": "false", "DEPLOYMENT_TRACK": "canary", "DEPLOYMENT_VERSION": "week1", "RATE_LIMIT_MAX": "100",
		"FAULTS": "cors", "FAULTS_ENABLED": "true",
	}))
	if err != nil {
		t.Fatal(err)
	}
	want := Config{
		Environment: "production", Port: 3014,
		Database: DatabaseConfig{Host: "db.example", Username: "finance", Password: "pa55word", Port: 5432,
			Name: "vextrus_finance"},
		JWTSecret: "jwt-5ecret", EventStore: "esdb://admin:chang3it@store:2113?tls=false",
		AllowedOrigins: []string{"https://a.example", "https://b.example:8443"}, LogLevel: 4,
		Track: "canary", Version: "week1", RateLimit: RateLimit{Max: 100, Window: 15 * time.Minute},
		Faults: Faults{CORS: true, LatencyShare: 1}, FaultsPort: 9014,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("configuration (-want +got):\n%s", diff)
	}
	for _, text := range []string{fmt.Sprintf("%v", got), fmt.Sprintf("%+v", got), fmt.Sprintf("%#v", got)} {
		for _, secret := range []string{"pa55word", "5ecret", "chang3it"} {
			if strings.Contains(text, secret) {
				t.Errorf("the configuration prints a secret: %s", text)
			}
		}
	}
	staging, err := ConfigFromEnv(variables(map[string]string{"NODE_ENV": "staging", "CORS_ORIGIN": ""}))
	if err != nil || !staging.Introspection || got.Introspection || staging.FaultsPort != 0 {
		t.Errorf("staging without an origin: %v; introspection %t, in production %t; faults port %d",
			err, staging.Introspection, got.Introspection, staging.FaultsPort)
	}
}

func TestConfigFromEnvRefuses(t *testing.T) {
	tests := map[string]struct {
		change map[string]string
		want   []string
	}{
		"several missing": {
			map[string]string{"DATABASE_HOST": "", "JWT_SECRET": "", "CORS_ORIGIN": ""},
			[]string{"missing: DATABASE_HOST, JWT_SECRET, CORS_ORIGIN"},
		},
		"missing and wrong": {
			map[string]string{"NODE_ENV": "", "PORT": "http", "DATABASE_PORT": "0"},
			[]string{"missing: NODE_ENV", `PORT: must be a whole number from 1 to 65535, got "http"`,
				`DATABASE_PORT: must be a whole number from 1 to 65535, got "0"`},
		},
		"environment": {map[string]string{"NODE_ENV": "prod"},
			[]string{`NODE_ENV: must be one of staging, production, got "prod"`}},
		"boolean": {map[string]string{"ENABLE_SWAGGER": "yes"},
			[]string{`ENABLE_SWAGGER: must be true or false, got "yes"`}},
		"level": {map[string]string{"LOG_LEVEL": "loud"},
			[]string{`LOG_LEVEL: must be one of debug, info, warn, error, got "loud"`}},
		"wildcard": {map[string]string{"CORS_ORIGIN": "*"},
			[]string{`CORS_ORIGIN: must list origins such as https://app.example.com, got "*"`}},
		"origin with path": {map[string]string{"CORS_ORIGIN": "https://a.example/x"},
			[]string{"CORS_ORIGIN: must list origins"}},
		"event store": {map[string]string{"EVENTSTORE_CONNECTION_STRING": "http://admin:chang3it@store"},
			[]string{"EVENTSTORE_CONNECTION_STRING: must be esdb://host:port?tls=… or memory://"}},
		"event store's URL": {map[string]string{"EVENTSTORE_CONNECTION_STRING": "esdb://admin:chang3it@store:x"},
			[]string{"it cannot be read as a URL"}},
		"brokers": {map[string]string{"KAFKA_BROKERS": "kafka"},
			[]string{`KAFKA_BROKERS: must list host:port, got "kafka"`}},
		"telemetry": {map[string]string{"OTEL_EXPORTER_OTLP_ENDPOINT": "signoz:4318"},
			[]string{"OTEL_EXPORTER_OTLP_ENDPOINT: must be a URL"}},
		"window": {map[string]string{"RATE_LIMIT_WINDOW": "15"},
			[]string{`RATE_LIMIT_WINDOW: must be a duration such as 15m, got "15"`}},
		"faults": {map[string]string{"FAULTS": "gremlins"}, []string{`FAULTS: unknown fault "gremlins"`}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			_, err := ConfigFromEnv(variables(test.change))
			if err == nil {
				t.Fatal("accepted")
			}
			for _, want := range test.want {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("got error\n%v\nwant it to hold\n%s", err, want)
				}
			}
			for _, secret := range []string{"pa55word", "5ecret", "chang3it"} {
				if strings.Contains(err.Error(), secret) {
					t.Errorf("the error shows a secret: %v", err)
				}
			}
		})
	}
}

func TestAnswersNameTheirPod(t *testing.T) {
	for _, pod := range []string{"finance-service-week1-abc", ""} {
		recorder := httptest.NewRecorder()
		servedBy(pod, http.NotFoundHandler()).ServeHTTP(recorder, httptest.NewRequest(http.MethodGet, "/", nil))
		if got := recorder.Header().Get("X-Served-By"); got != pod {
			t.Errorf("pod %q signs as %q", pod, got)
		}
	}
}
