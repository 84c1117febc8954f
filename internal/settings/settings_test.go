package settings

import (
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"pgregory.net/rapid"
	"sigs.k8s.io/yaml"

	"github.com/vextrus/finance-rollout/internal/plan"
)

// source is a Source over a map. Its secrets key counts as encrypted unless plain is set.
type source struct {
	values map[string]string
	plain  bool
}

func (s source) Get(key string) (string, bool) { value, ok := s.values[key]; return value, ok }
func (s source) IsSecret(key string) bool      { return key == "secrets" && !s.plain }
func (s source) Keys() []string                { return slices.Sorted(maps.Keys(s.values)) }

const goodSecrets = `{"finance-db":{"host":"db","username":"finance","password":"s3cr3t-value"},
	"finance-secrets":{"jwt-secret":"sign-with-me","eventstore-connection":"esdb://es:2113?tls=true","cors-origin":"https://app.vextrus.com"}}`

func production(changes ...string) source {
	values := map[string]string{
		"week": "1", "image": "vextrus/finance:v2", "stableImage": "vextrus/finance:v1",
		"secrets": goodSecrets, "prometheus": "monitoring/prometheus-operated:9090",
	}
	for i := 0; i < len(changes); i += 2 {
		values[changes[i]] = changes[i+1]
	}
	return source{values: values}
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
		told         bool
	}{
		{"2", "10", true}, {"1", "0", true}, {"1", "30", false}, {"2", "30", false}, {"2", "", false},
	} {
		source := production("week", tt.week)
		if tt.weight != "" {
			source.values["canaryWeight"] = tt.weight
		}
		s, err := Load("production", source)
		if err != nil {
			t.Fatal(err)
		}
		note := s.HeldBack()
		if (note != "") != tt.told || tt.told && !strings.Contains(note, "week "+tt.week) {
			t.Errorf("week %s, canaryWeight %q: told %q", tt.week, tt.weight, note)
		}
	}
}

func TestLoadRefuses(t *testing.T) {
	tests := []struct {
		name    string
		changes []string
		want    []string // what the error must name: the key, the value, what is allowed
	}{
		{"weight below", []string{"canaryWeight", "-1"}, []string{"canaryWeight", `"-1"`, "0 to 100"}},
		{"weight above", []string{"canaryWeight", "101"}, []string{"canaryWeight", `"101"`, "0 to 100"}},
		{"weight that ten pods cannot express", []string{"canaryWeight", "33"},
			[]string{"canaryWeight", `"33"`, "30 %", "40 %", "pulumi config set canaryWeight 30"}},
		{"weight with a percent sign", []string{"canaryWeight", "30%"},
			[]string{"canaryWeight", `"30%"`, "0 to 100", "percent sign"}},
		{"week 0", []string{"week", "0"}, []string{"config week", `"0"`, "1 to 4"}},
		{"week 5", []string{"week", "5"}, []string{"config week", `"5"`, "1 to 4"}},
		{"week of words", []string{"week", "one"}, []string{"config week", `"one"`, "whole number"}},
		{"week that four pods cannot express", []string{"replicas", "4"}, []string{"config week", "25 %"}},
		{"no image", []string{"image", ""}, []string{"config image", "pulumi config set image"}},
		{"no stable image", []string{"stableImage", ""}, []string{"config stableImage"}},
		{"a digest to build", []string{"build", `{"context":"."}`, "image", "a@sha256:0"}, []string{"config image", "tag"}},
		{"unknown key", []string{"canaryWieght", "30"}, []string{"canaryWieght", "no such key", "canaryWeight"}},
		{"unknown field", []string{"service", `{"prot":80}`}, []string{"config service", "prot", "port, type, nodePort"}},
		{"wrong type of field", []string{"service", `{"port":"x"}`}, []string{"config service", "port"}},
		{"no JSON", []string{"probes", `{`}, []string{"config probes"}},
		{"missing secret", []string{"secrets", `{"finance-db":{"host":"db","username":"u"}}`},
			[]string{"secrets.finance-db.password", "missing", "DATABASE_PASSWORD",
				"pulumi config set --secret --path secrets.finance-db.password"}},
		{"placeholder", []string{"secrets", strings.Replace(goodSecrets, "s3cr3t-value", "<SECURE_PASSWORD>", 1)},
			[]string{"secrets.finance-db.password", "placeholder", "--secret"}},
		{"service type", []string{"service", `{"type":"Ingress"}`}, []string{"service.type", `"Ingress"`, "ClusterIP"}},
		{"port", []string{"containerPort", "70000"}, []string{"containerPort", "70000", "65535"}},
		{"strategy", []string{"strategy", "blue-green"}, []string{"strategy", "blue-green", "canary, single"}},
		{"traffic", []string{"traffic", "mesh"}, []string{"traffic", "mesh", "replicas"}},
		{"release", []string{"release", "Week 1"}, []string{"release", "Week 1"}},
		{"release like stable", []string{"release", "stable"}, []string{"release", "another name"}},
		{"request above limit", []string{"resources", `{"requests":{"cpu":"2"}}`},
			[]string{"resources.requests.cpu", `"2"`, "limit 1"}},
		{"quantity", []string{"resources", `{"limits":{"memory":"much"}}`}, []string{"resources.limits.memory", "much"}},
		{"probe path", []string{"probes", `{"liveness":{"path":"health"}}`},
			[]string{"probes.liveness.path", "begin with /"}},
		{"grace", []string{"shutdown", `{"gracePeriodSeconds":5}`}, []string{"gracePeriodSeconds", "preStopSeconds"}},
		{"prometheus missing", []string{"prometheus", ""}, []string{"config prometheus", "namespace/service:port"}},
		{"prometheus for the soak alone", []string{"prometheus", "", "bake", `{"duration": "0s"}`},
			[]string{"config prometheus", "the soak"}},
		{"prometheus", []string{"prometheus", "prom:9090"}, []string{"config prometheus", "prom:9090"}},
		{"error rates", []string{"criteria", `{"errorRate":0.02}`}, []string{"criteria.errorRate", "0.02"}},
		{"share", []string{"criteria", `{"slowShare":5}`}, []string{"criteria.slowShare", "5"}},
		{"guard replicas", []string{"guard", `{"replicas":0}`}, []string{"guard.replicas", `"0"`, "1 to 5"}},
		{"guard interval", []string{"guard", `{"interval":"1ms"}`}, []string{"guard.interval", "1ms", "200ms"}},
		{"guard confidence", []string{"guard", `{"confidence":1}`}, []string{"guard.confidence", "less than 1"}},
		{"guard alertmanager", []string{"guard", `{"alertmanager":"am:9093"}`},
			[]string{"guard.alertmanager", "am:9093", "namespace/service:port"}},
		{"guard token", []string{"guard", `{"webhookToken":"guard/webhook"}`},
			[]string{"secrets.guard.webhook", "missing", "guard.webhookToken"}},
		{"bake interval", []string{"bake", `{"interval":"1h"}`}, []string{"bake.interval", "1h", "5m"}},
		{"secret reference", []string{"secretEnv", `{"A":"nope"}`}, []string{"secretEnv", "secret/key"}},
		{"metric name", []string{"metrics", `{"statusLabel":"a\"}"}`}, []string{"metrics.statusLabel"}},
		{"scrape interval", []string{"metrics", `{"interval":"10ms"}`}, []string{"metrics.interval", "1s"}},
		{"stages that fall", []string{"stages", "[30,10,100]"}, []string{"config stages", "30, 10, 100", "must rise"}},
		{"stages without an end", []string{"stages", "[10,30]"}, []string{"config stages", "must be 100"}},
		{"warm pods", []string{"warmStable", "11"}, []string{"warmStable", `"11"`, "0 to replicas"}},
		{"soak", []string{"soak", `{"duration":"-1h"}`}, []string{"config soak"}},
		{"soak extension", []string{"soak", `{"extension":"0s"}`}, []string{"config soak", "more than 0"}},
		{"no staging stack", []string{"staging", `{"stack":""}`}, []string{"staging.stack", "staging.required false"}},
		{"latch without a reason", []string{"latch", `{"release":4}`}, []string{"latch.reason", "with a reason only"}},
		{"override without a reason", []string{"override", `{"weight":30}`},
			[]string{"override.reason", "with a reason only"}},
		{"override of no weight", []string{"override", `{"weight":"much","reason":"x"}`},
			[]string{"config override", "whole number"}},
		{"confidence", []string{"criteria", `{"confidence":1}`}, []string{"criteria.confidence", "less than 1"}},
		{"own criterion without a query", []string{"criteria", `{"own":[{"name":"csat","direction":"above"}]}`},
			[]string{"criteria.own[0]", "query"}},
		{"own criterion without a direction", []string{"criteria",
			`{"own":[{"name":"csat","query":"up","direction":"over"}]}`},
			[]string{"criteria.own[0].direction", `"over"`, "below, above"}},
		{"progress timeout", []string{"progressTimeout", "1s"}, []string{"progressTimeout", "10s"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := Load("production", production(tt.changes...))
			if err == nil {
				t.Fatal("accepted")
			}
			for _, word := range tt.want {
				if !strings.Contains(err.Error(), word) {
					t.Errorf("error does not name %q: %v", word, err)
				}
			}
			if strings.Contains(err.Error(), "sign-with-me") || strings.Contains(err.Error(), "s3cr3t") {
				t.Errorf("error shows a secret: %v", err)
			}
			var typed *Error
			if !errors.As(err, &typed) {
				t.Errorf("error holds no *Error: %v", err)
			}
		})
	}
}

func TestPlainSecretsAreRefused(t *testing.T) {
	plain := production()
	plain.plain = true
	if _, err := Load("production", plain); err == nil || !strings.Contains(err.Error(), "plain text") {
		t.Errorf("plain secrets: %v", err)
	}
}

func TestAllProblemsAreReportedAtOnce(t *testing.T) {
	_, err := Load("production", production("image", "", "stableImage", "", "traffic", "mesh"))
	for _, key := range []string{"config image", "config stableImage", "config traffic"} {
		if err == nil || !strings.Contains(err.Error(), key) {
			t.Errorf("error does not name %s: %v", key, err)
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

// projectFile gives the configuration section of a Pulumi project or stack file with each value as the engine passes
// it.
func projectFile(t *testing.T, path string, value func(any) (any, bool)) map[string]string {
	t.Helper()
	raw, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var file struct {
		Config map[string]any `json:"config"`
	}
	if err := yaml.Unmarshal(raw, &file); err != nil {
		t.Fatal(err)
	}
	values := map[string]string{}
	for key, entry := range file.Config {
		given, ok := value(entry)
		if !ok {
			t.Fatalf("%s: %s has no value", path, key)
		}
		text, isText := given.(string)
		if !isText {
			encoded, err := json.Marshal(given)
			if err != nil {
				t.Fatal(err)
			}
			text = string(encoded)
		}
		values[strings.TrimPrefix(key, "finance-rollout:")] = text
	}
	return values
}

func schemaDefaults(t *testing.T) map[string]string {
	return projectFile(t, "../../Pulumi.yaml", func(entry any) (any, bool) {
		declaration, ok := entry.(map[string]any)
		if !ok || declaration["type"] == nil || declaration["description"] == nil {
			return nil, false
		}
		value, ok := declaration["default"]
		return value, ok
	})
}

var compareSettings = cmp.Options{cmpopts.IgnoreUnexported(Settings{}), cmpopts.EquateEmpty()}

func TestTheProjectFileHoldsEveryKeyWithItsDefault(t *testing.T) {
	defaults := schemaDefaults(t)
	if diff := cmp.Diff(Keys(), slices.Sorted(maps.Keys(defaults))); diff != "" {
		t.Errorf("keys (-settings +Pulumi.yaml):\n%s", diff)
	}
	fromFile, _ := Load("production", source{values: defaults})
	fromNothing, _ := Load("production", source{})
	if diff := cmp.Diff(fromNothing, fromFile, compareSettings); diff != "" {
		t.Errorf("defaults (-settings +Pulumi.yaml):\n%s", diff)
	}
}

func TestCommittedStacksAreCompleteButForImagesAndSecrets(t *testing.T) {
	for _, stack := range []string{"staging", "production"} {
		values := schemaDefaults(t)
		maps.Copy(values, projectFile(t, "../../Pulumi."+stack+".yaml", func(entry any) (any, bool) { return entry, true }))
		if _, err := Load(stack, source{values: values}); err == nil || !strings.Contains(err.Error(), "config image") {
			t.Errorf("%s without an image: %v", stack, err)
		}
		maps.Copy(values, map[string]string{"image": "a:v2", "stableImage": "a:v1", "secrets": goodSecrets})
		s, err := Load(stack, source{values: values})
		if err != nil {
			t.Fatalf("%s: %v", stack, err)
		}
		if want := map[string]int{"staging": 2, "production": 10}[stack]; s.Position().Capacity() != want ||
			s.Namespace != "vextrus-"+stack {
			t.Errorf("%s: %+v in %s", stack, s.Position(), s.Namespace)
		}
	}
}

func TestSecretsAreNeverShown(t *testing.T) {
	secret := Secret("s3cr3t-value")
	encoded, err := json.Marshal(map[string]any{"a": secret})
	if err != nil {
		t.Fatal(err)
	}
	var logged strings.Builder
	slog.New(slog.NewTextHandler(&logged, nil)).Info("x", "secret", secret)
	s, err := Load("production", production())
	if err != nil {
		t.Fatal(err)
	}
	for _, shown := range []string{
		fmt.Sprint(secret), fmt.Sprintf("%s %v %+v %#v %q", secret, secret, secret, secret, secret), string(encoded),
		logged.String(),
		fmt.Sprintf("%+v", s.Secrets), fmt.Sprintf("%#v", s.Secrets),
	} {
		if strings.Contains(shown, "s3cr3t") {
			t.Errorf("shown: %s", shown)
		}
	}
}

func TestPlaceholders(t *testing.T) {
	for text, want := range map[string]bool{
		"<SECURE_PASSWORD>": true, "changeme": true, "CHANGE_ME": true, "TODO": true, "xxxx": true, " ": true, "a<b>c": true,
		"correct horse": false, "x1xx": false, "https://a": false, "todo-list-9": false,
	} {
		if got := Secret(text).IsPlaceholder(); got != want {
			t.Errorf("IsPlaceholder(%q) = %v", text, got)
		}
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
