package settings

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/vextrus/finance-rollout/internal/plan"
	"github.com/vextrus/finance-rollout/internal/testkit"
)

const goodSecrets = `{"finance-db":{"host":"db","username":"finance","password":"s3cr3t-value"},
	"finance-secrets":{"jwt-secret":"sign-with-me","eventstore-connection":"esdb://es:2113?tls=true","cors-origin":"https://app.vextrus.com"}}`

func production(changes ...string) testkit.Config {
	values := testkit.Config{
		"week": "1", "image": "vextrus/finance:v2", "stableImage": "vextrus/finance:v1",
		"secrets": goodSecrets, "prometheus": "monitoring/prometheus-operated:9090",
	}
	for i := 0; i < len(changes); i += 2 {
		values[changes[i]] = changes[i+1]
	}
	return values
}

func TestLoadProduction(t *testing.T) {
	s, err := Load("production", production())
	if err != nil {
		t.Fatal(err)
	}
	if want := (plan.Position{Week: 1, Weight: 10, Stable: 9, Canary: 1}); s.Position() != want {
		t.Errorf("position %+v, want %+v", s.Position(), want)
	}
	got := []string{s.Environment, s.Release, s.ServiceName, s.Namespace, s.SecretName("finance-db"), s.DashboardUID()}
	want := []string{"production", "week1", "finance-service", "finance-service-production", "finance-db-production",
		"finance-week1"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	password, ok := s.Secret(SecretRef{"finance-db", "password"})
	if !ok || password.Reveal() != "s3cr3t-value" {
		t.Errorf("password %v %v", password, ok)
	}
}

func TestCanaryWeightOverridesTheWeek(t *testing.T) {
	for weight, want := range map[string]plan.Position{
		"30": {Week: 1, Weight: 30, Stable: 7, Canary: 3},
		"0":  {Week: 1, Weight: 0, Stable: 10, Canary: 0},
		"":   {Week: 1, Weight: 10, Stable: 9, Canary: 1},
	} {
		s, err := Load("production", production("canaryWeight", weight))
		if err != nil || s.Position() != want {
			t.Errorf("canaryWeight %q: %+v, %v; want %+v", weight, s.Position(), err, want)
		}
	}
}

func TestWhatIsNotWatchedNeedsNoPrometheus(t *testing.T) {
	quiet := []string{"prometheus", "", "bake", `{"duration": "0s"}`}
	for _, changes := range [][]string{{"canaryWeight", "0"}, {"strategy", "single"}} {
		if _, err := Load("production", production(append(changes, quiet...)...)); err != nil {
			t.Errorf("%v: %v", changes, err)
		}
	}
}

func TestAWeekThatDoesNotCountIsTold(t *testing.T) {
	for _, tt := range []struct {
		week, weight string
		reported     bool
	}{
		{"2", "10", true}, {"1", "0", true}, {"1", "30", false}, {"2", "30", false}, {"2", "", false},
	} {
		source := production("week", tt.week)
		if tt.weight != "" {
			source["canaryWeight"] = tt.weight
		}
		s, err := Load("production", source)
		if err != nil {
			t.Fatal(err)
		}
		note := s.HeldBack()
		if (note != "") != tt.reported || tt.reported && !strings.Contains(note, "week "+tt.week) {
			t.Errorf("week %s, canaryWeight %q: told %q", tt.week, tt.weight, note)
		}
	}
}

func TestObjectsKeepDefaultsAndMapsDoNot(t *testing.T) {
	s, err := Load("production", production(
		"probes", `{"readiness":{"path":"/ready"}}`, "env", `{"A":"b"}`, "secretEnv", `{}`, "monitoring", `{"labels":{}}`,
		"smoke", `{"originFrom":"","suite":"x.yaml"}`))
	if err != nil {
		t.Fatal(err)
	}
	if s.Probes.Readiness.Path != "/ready" || s.Probes.Readiness.Period != 5 || s.Probes.Liveness.Path != "/health/live" {
		t.Errorf("probes %+v", s.Probes)
	}
	if len(s.Monitoring.Labels) != 0 || s.Monitoring.DashboardLabels["grafana_dashboard"] != "1" {
		t.Errorf("monitoring %+v", s.Monitoring)
	}
	if len(s.Env) != 1 || len(s.SecretEnv) != 0 || s.Smoke.OriginFrom != (SecretRef{}) {
		t.Errorf("env %v, secretEnv %v, originFrom %v", s.Env, s.SecretEnv, s.Smoke.OriginFrom)
	}
}

// `pulumi config set --path` stores what looks like a number or a boolean as one.
func TestNumbersAndBooleansAreTexts(t *testing.T) {
	s, err := Load("production", production(
		"env", `{"A":2,"B":true,"C":1.50,"D":"x"}`, "resources", `{"limits":{"cpu":2}}`, "canary", `{"env":{"E":3}}`,
		"secrets", strings.Replace(goodSecrets, `"s3cr3t-value"`, "12345678", 1)))
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(Values{"A": "2", "B": "true", "C": "1.50", "D": "x"}, s.Env); diff != "" {
		t.Error(diff)
	}
	password, _ := s.Secret(SecretRef{"finance-db", "password"})
	if s.Resources.Limits.CPU != "2" || s.Canary.Env["E"] != "3" || password.Reveal() != "12345678" {
		t.Errorf("limit %s, env %v", s.Resources.Limits.CPU, s.Canary.Env)
	}
	if _, err := Load("production", production("env", `{"A":{"b":"c"}}`)); err == nil ||
		!strings.Contains(err.Error(), "config env") {
		t.Errorf("an object for a text: %v", err)
	}
}

// Whatever is written into any key, loading answers with settings or with errors that name keys; it never panics.
func TestLoadNeverPanics(t *testing.T) {
	keys := Keys()
	rapid.Check(t, func(t *rapid.T) {
		given := production(rapid.SampledFrom(keys).Draw(t, "key"), rapid.OneOf(rapid.String(),
			rapid.SampledFrom([]string{"{}", "[]", "null", `""`, "-1", "1e9", `{"a":{"b":"c"}}`})).Draw(t, "value"))
		s, err := Load("production", given)
		if err == nil && s.Position().Capacity() != s.Replicas {
			t.Fatalf("accepted with position %+v of %d replicas", s.Position(), s.Replicas)
		}
	})
}

func FuzzLoad(f *testing.F) {
	f.Add("canaryWeight", "30")
	f.Add("probes", `{"readiness":{"path":"/x"}}`)
	f.Fuzz(func(t *testing.T, key, value string) {
		if _, err := Load("production", production(key, value)); err != nil && err.Error() == "" {
			t.Error("an error without text")
		}
	})
}

func TestOnlyACanaryStackWithAnImageIsGuarded(t *testing.T) {
	for _, tt := range []struct {
		changes []string
		want    bool
	}{
		{nil, false},
		{[]string{"guard", `{"image":"vextrus/rollout:v1"}`}, true},
		{[]string{"guard", `{"image":"vextrus/rollout:v1","enabled":false}`}, false},
		{[]string{"guard", `{"image":"vextrus/rollout:v1"}`, "strategy", "single"}, false},
	} {
		s, err := Load("production", production(tt.changes...))
		if err != nil {
			t.Fatal(err)
		}
		if s.IsGuarded() != tt.want {
			t.Errorf("%v: guarded %v", tt.changes, s.IsGuarded())
		}
	}
}
