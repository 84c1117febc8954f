package main

import (
	"testing"

	"github.com/pulumi/pulumi/sdk/v3/go/property"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi/policyx"
	"google.golang.org/protobuf/types/known/structpb"

	"github.com/vextrus/finance-rollout/internal/policy"
)

// reported collects what policies report.
type reported []string

func (r *reported) ReportViolation(message, urn string) { *r = append(*r, urn+": "+message) }

func TestEveryPolicyIsWired(t *testing.T) {
	for _, p := range policy.All(policy.Facts{GuardWanted: true, HasLimits: true}) {
		wired := wire(p)
		if wired.Name() != p.Name || wired.Description() != p.Description ||
			wired.EnforcementLevel() != policyx.EnforcementLevelMandatory {
			t.Errorf("%s is wired as %s at level %d", p.Name, wired.Name(), wired.EnforcementLevel())
		}
		if schema := wired.ConfigSchema(); schema != nil {
			for name, described := range schema.Properties {
				if _, err := structpb.NewStruct(described); err != nil {
					t.Errorf("limit %s of %s cannot be sent to the CLI: %v", name, p.Name, err)
				}
			}
		}
	}
	if wire(policy.Policy{Level: policy.Advisory}).EnforcementLevel() != policyx.EnforcementLevelAdvisory {
		t.Error("advice is mandatory")
	}
}

func TestViolationsAreReported(t *testing.T) {
	var report reported
	service := policyx.AnalyzerResource{Type: "kubernetes:core/v1:Service", URN: "urn:s",
		Properties: property.NewMap(map[string]property.Value{
			"metadata": property.New(
				map[string]property.Value{"labels": property.New(map[string]property.Value{"token": property.New("abcdef")})}),
		})}
	for _, p := range policy.All(policy.Facts{}) {
		var err error
		switch wired := wire(p).(type) {
		case policyx.ResourceValidationPolicy:
			err = wired.Validate(t.Context(), policyx.ResourceValidationArgs{Manager: &report, Resource: service})
		case policyx.StackValidationPolicy:
			err = wired.Validate(t.Context(), policyx.StackValidationArgs{Manager: &report,
				Resources: []policyx.AnalyzerResource{service}})
		}
		if err != nil {
			t.Errorf("%s: %v", p.Name, err)
		}
	}
	if len(report) != 1 {
		t.Errorf("reported %q", report)
	}
}

func TestALimitOfAnotherKindStopsThePolicy(t *testing.T) {
	for _, p := range policy.All(policy.Facts{}) {
		if p.Name != "image-registry" {
			continue
		}
		wired := wire(p).(policyx.ResourceValidationPolicy)
		err := wired.Validate(t.Context(), policyx.ResourceValidationArgs{Config: map[string]any{"registries": "docker.io/"}})
		if err == nil {
			t.Error("accepted")
		}
	}
}

func TestGuardWanted(t *testing.T) {
	for setting, want := range map[string]bool{
		"": false, "{}": true, `{"enabled":true}`: true, `{"enabled":false}`: false, "no JSON": false,
	} {
		if guardWanted(setting) != want {
			t.Errorf("%q: %v", setting, !want)
		}
	}
}

// config is the configuration of a stack of the project "p".
type config map[string]string

func (c config) GetConfig(key string) (string, bool) { value, set := c[key]; return value, set }
func (c config) Project() string                     { return "p" }

func TestLooseLimitsOfTheStack(t *testing.T) {
	for _, tt := range []struct {
		name  string
		stack config
		want  int
	}{
		{"another program", config{}, 0},
		{"limits that ask for nothing", config{"p:soak": `{"duration":"0s"}`,
			"p:criteria": `{"errorRate":0.9,"rollbackErrorRate":0.9}`}, 3},
		{"with lowered floors", config{"p:soak": `{"duration":"0s"}`, "p:floors": `{"soak":"0s","reason":"a drill"}`}, 0},
		{"with floors that were lowered without a reason", config{"p:soak": `{"duration":"0s"}`,
			"p:floors": `{"soak":"0s"}`}, 1},
	} {
		if got := looseLimits(limits{tt.stack}); len(got) != tt.want {
			t.Errorf("%s: %q", tt.name, got)
		}
	}
}
