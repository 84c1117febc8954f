package settings

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/vextrus/finance-rollout/internal/testkit"
)

// The usual mistakes: each error names the field, the value and the way out.
func TestUsualMistakes(t *testing.T) {
	tests := []struct {
		name    string
		changes []string
		want    []string
	}{
		{"a duration without a unit", []string{"bake", `{"duration":300}`},
			[]string{`config bake.duration is "300"`, `write 300s or 5m`,
				"pulumi config set --path bake.duration 300s -s production"}},
		{"a duration without a unit in quotes", []string{"soak", `{"duration":"3600"}`},
			[]string{`config soak.duration is "3600"`, "write 3600s or 1h", "--path soak.duration 3600s -s production"}},
		{"a duration without a unit at the top", []string{"progressTimeout", "90"},
			[]string{`config progressTimeout is "90"`, "write 90s", "pulumi config set progressTimeout 90s -s production"}},
		{"a bake that is off", []string{"bake", `{"duration":0}`}, []string{"write 0s", "bake.duration 0s -s production"}},
		{"a duration in words", []string{"bake", `{"interval":"quarter"}`},
			[]string{"config bake.interval", "15s, 5m or 48h"}},
		{"a percentage", []string{"criteria", `{"errorRate":"5%"}`},
			[]string{`config criteria.errorRate is "5%"`, "write 0.05",
				"pulumi config set --path criteria.errorRate 0.05 -s production"}},
		{"a port with a protocol", []string{"network", `{"egressPorts":["8125/UDP"]}`},
			[]string{`config network.egressPorts[0] is "8125/UDP"`, "whole number"}},
		{"a typo in a key", []string{"canaryWieght", "30"},
			[]string{"config canaryWieght", "no such key", "did you mean canaryWeight?",
				"pulumi config rm canaryWieght -s production && pulumi config set canaryWeight 30 -s production"}},
		{"a key in another case", []string{"stableimage", "a:1"}, []string{"did you mean stableImage?"}},
		{"a typo in a field", []string{"bake", `{"duraton":"5m"}`},
			[]string{"config bake.duraton", "no such field", "did you mean duration?",
				"allowed are duration, interval, minRequests, confidence",
				"pulumi config rm --path bake.duraton -s production"}},
		{"a typo deep down", []string{"canary", `{"probes":{"readiness":{"pth":"/x"}}}`},
			[]string{"config canary.probes.readiness.pth", "did you mean path?"}},
		{"a typo in a secret's object shows no value", []string{"registry", `{"pasword":"s3cr3t-value"}`},
			[]string{"config registry.pasword", "did you mean password?"}},
		{"a version as a release", []string{"release", "v2.0.0"},
			[]string{`config release is "v2.0.0"`, "pulumi config set release v2-0-0 -s production"}},
		{"a version without a letter", []string{"release", "2.0.0"}, []string{"set release v2-0-0 -s production"}},
		{"a name that holds nothing", []string{"namespace", "___"}, []string{"set namespace NAME -s production"}},
		{"counts that fit no stage", []string{"replicas", "4"},
			[]string{"config week", "with 4 pods, stages can be 25, 50, 75, 100", "need a multiple of 10 pods",
				"pulumi config set replicas 10 -s production"}},
		{"a count below the number of stages", []string{"replicas", "2"},
			[]string{"need a multiple of 10 pods", "pulumi config set replicas 10 -s production"}},
		{"a list for an object", []string{"service", `[80]`}, []string{"config service", "an object is needed"}},
		{"a text for a list", []string{"network", `{"egressPorts":"5432"}`},
			[]string{"config network.egressPorts", "a list is needed"}},
		{"a text for a switch", []string{"guard", `{"dryRun":"maybe"}`}, []string{"config guard.dryRun", "true or false"}},
		{"several in one object", []string{"bake", `{"duration":300,"confidence":"99%"}`},
			[]string{"bake.duration", "bake.confidence", "write 0.99"}},
		{"no sleep before the end", []string{"shutdown", `{"preStopSeconds":0}`},
			[]string{"shutdown.preStopSeconds", "at least 1", "--path shutdown.preStopSeconds 5 -s production"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := Load("production", production(tt.changes...))
			testkit.WantError(t, err, tt.want...)
			if strings.Contains(err.Error(), "s3cr3t-value") {
				t.Errorf("the error shows a secret: %v", err)
			}
		})
	}
}

// Two objects of the rollout must not have one name, and a pod must carry the whole name of its Deployment.
func TestNamesThatCollide(t *testing.T) {
	long := strings.Repeat("payments-", 5) + "eu"
	for name, tt := range map[string]struct {
		changes []string
		want    []string
	}{
		"the canary is the guard": {[]string{"release", "guard"},
			[]string{"config release", "finance-service-guard"}},
		"the canary is the stable track": {[]string{"release", "stable", "stableVersion", "v1"},
			[]string{"config release", "finance-service-stable"}},
		"the canary is named like stable": {[]string{"release", "v1", "stableVersion", "v1"},
			[]string{"config release", "another name"}},
		"the Service is the guard's": {[]string{"serviceName", "finance-service-guard-webhook"},
			[]string{"config serviceName", "the guard's webhook"}},
		"a pod's name is cut": {[]string{"app", long, "release", "rel-2026-11-28"},
			[]string{"config release", "57 characters"}},
		"an app's name is too long": {[]string{"app", strings.Repeat("a", 63), "namespace", "shop"},
			[]string{"config app", "50 characters"}},
	} {
		_, err := Load("production", production(tt.changes...))
		if err == nil {
			t.Errorf("%s: accepted", name)
			continue
		}
		testkit.WantError(t, err, tt.want...)
	}
	if _, err := Load("staging", production("strategy", "single", "release", "stable")); err != nil {
		t.Errorf("a stack with one track has no stable Deployment: %v", err)
	}
}

func TestNumbersMayBeTexts(t *testing.T) {
	s, err := Load("production", production("network", `{"egressPorts":["5432",9092]}`, "bake", `{"minRequests":"50"}`,
		"guard", `{"replicas":"3","dryRun":"true"}`))
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]Port{5432, 9092}, s.Network.EgressPorts); diff != "" || s.Bake.MinRequests != 50 ||
		s.Guard.Replicas != 3 || !s.Guard.DryRun {
		t.Errorf("ports %v, minRequests %d, guard %+v", s.Network.EgressPorts, s.Bake.MinRequests, s.Guard)
	}
}

// A track's override changes what it names and keeps the rest of the stack's.
func TestPartialOverridesOfATrack(t *testing.T) {
	s, err := Load("production", production(
		"probes", `{"liveness":{"path":"/live"},"startup":{"failureThreshold":30}}`,
		"canary",
		`{"probes":{"readiness":{"path":"/ready"},"startup":{"failureThreshold":0}},"resources":{"requests":{"cpu":"250m"}}}`,
		"stable", `{"env":{"A":"b"},"probes":null}`))
	if err != nil {
		t.Fatal(err)
	}
	want := s.Probes
	want.Readiness.Path, want.Startup.FailureThreshold = "/ready", 0
	if s.Canary.Probes == nil || *s.Canary.Probes != want || s.Probes.Readiness.Path != "/health/ready" {
		t.Errorf("the canary's probes are %+v, the stack's %+v", s.Canary.Probes, s.Probes)
	}
	resources := s.Resources
	resources.Requests.CPU = "250m"
	if s.Canary.Resources == nil || *s.Canary.Resources != resources || s.Resources.Requests.CPU != "500m" {
		t.Errorf("the canary's resources are %+v, the stack's %+v", s.Canary.Resources, s.Resources)
	}
	if s.Stable.Probes != nil || s.Stable.Resources != nil {
		t.Errorf("stable overrides %+v", s.Stable)
	}
}

// Every command that resolves a problem names its stack.
func TestEveryCommandNamesTheStack(t *testing.T) {
	keys := Keys()
	rapid.Check(t, func(t *rapid.T) {
		changes := map[string]string{}
		for range rapid.IntRange(1, 4).Draw(t, "count") {
			changes[rapid.SampledFrom(append(keys, "wek")).Draw(t, "key")] = rapid.SampledFrom([]string{
				"", "-1", "300", "A b", "{}", "[]", `{"duration":300}`, `{"path":"x"}`, `{"release":-1}`, `{"autoscale":{}}`,
				`{"a":{"b":"c"}}`, "single", "gateway",
			}).Draw(t, "value")
		}
		s, err := Load("production", production().With(changes))
		text := s.HeldBack()
		if err != nil {
			text += "\n" + err.Error()
		}
		commands := strings.Count(text, "pulumi config ")
		if named := strings.Count(text, " -s production"); commands != named {
			t.Fatalf("%d commands, %d of them with a stack:\n%s", commands, named, text)
		}
	})
}
