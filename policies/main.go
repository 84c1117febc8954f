// Command policies is the policy pack: it hands the rules of internal/policy to Pulumi. It is run by the Pulumi CLI, by
// `pulumi preview --policy-pack policies`, and decides nothing itself.
package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"slices"

	"github.com/blang/semver"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi/policyx"

	"github.com/vextrus/finance-rollout/internal/policy"
	"github.com/vextrus/finance-rollout/internal/settings"
)

// version is the version of the pack.
var version = semver.MustParse("1.0.0")

func main() {
	if err := policyx.Main(pack); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// pack makes the pack for the stack that it is asked about.
func pack(ctx *pulumi.Context) (policyx.PolicyPack, error) {
	guard, _ := ctx.GetConfig(ctx.Project() + ":guard")
	facts := policy.Facts{Preview: ctx.DryRun(), GuardWanted: guardWanted(guard)}
	_, facts.HasLimits = limits{ctx}.Get("criteria")
	facts.LooseLimits = looseLimits(limits{ctx})
	var policies []policyx.Policy
	for _, p := range policy.All(facts) {
		policies = append(policies, wire(p))
	}
	return policyx.NewPolicyPack("finance-rollout", version, policyx.EnforcementLevelMandatory, policies)
}

// guardWanted reads the stack's setting of the guard: it is wanted unless it is turned off. A program without the
// setting, which is another one, has none to ask for.
func guardWanted(setting string) bool {
	guard := struct {
		Enabled bool `json:"enabled"`
	}{Enabled: true}
	return setting != "" && json.Unmarshal([]byte(setting), &guard) == nil && guard.Enabled
}

// limits is the part of the stack's configuration that says what a canary is judged by. A setting of another program is
// none of it.
type limits struct {
	stack interface {
		GetConfig(key string) (string, bool)
		Project() string
	}
}

// limitKeys are the settings that hold limits and floors.
var limitKeys = []string{"soak", "bake", "criteria", "floors"}

// Get implements [settings.Source].
func (l limits) Get(key string) (string, bool) {
	if !slices.Contains(limitKeys, key) {
		return "", false
	}
	return l.stack.GetConfig(l.stack.Project() + ":" + key)
}

// IsSecret implements [settings.Source].
func (l limits) IsSecret(string) bool { return false }

// Keys implements [settings.Source].
func (l limits) Keys() []string { return nil }

// looseLimits are the limits that are looser than their floors. What cannot be read is the program's to refuse, and
// counts with its default here.
func looseLimits(source settings.Source) []string {
	read, _ := settings.Load("", source)
	var loose []string
	for _, limit := range read.LooseLimits() {
		loose = append(loose, limit.String())
	}
	return append(loose, read.UnreasonedFloors()...)
}

// wire makes a policy of the SDK of one of ours. The level is set on each: the SDK does not take over the pack's.
func wire(p policy.Policy) policyx.Policy {
	level := policyx.EnforcementLevelMandatory
	if p.Level == policy.Advisory {
		level = policyx.EnforcementLevelAdvisory
	}
	if p.Stack != nil {
		return policyx.NewStackValidationPolicy(p.Name, policyx.StackValidationPolicyArgs{
			Description: p.Description, EnforcementLevel: level,
			ValidateStack: func(_ context.Context, args policyx.StackValidationArgs) error {
				var resources []policy.Resource
				for _, resource := range args.Resources {
					resources = append(resources, seen(resource))
				}
				for _, violation := range p.Stack(resources) {
					args.Manager.ReportViolation(violation.Message, violation.URN)
				}
				return nil
			},
		})
	}
	return policyx.NewResourceValidationPolicy(p.Name, policyx.ResourceValidationPolicyArgs{
		Description: p.Description, EnforcementLevel: level, ConfigSchema: schema(p),
		ValidateResource: func(_ context.Context, args policyx.ResourceValidationArgs) error {
			limits, err := p.With(args.Config)
			if err != nil {
				return err
			}
			for _, message := range p.Resource(seen(args.Resource), limits) {
				args.Manager.ReportViolation(message, "")
			}
			return nil
		},
	})
}

func seen(r policyx.AnalyzerResource) policy.Resource {
	return policy.Resource{Type: r.Type, Name: r.Name, URN: r.URN, Properties: r.Properties}
}

// schema describes the limits of a policy, for the CLI to check what is configured. Lists are []any: nothing else can
// be sent.
func schema(p policy.Policy) *policyx.ConfigSchema {
	if len(p.Limits) == 0 {
		return nil
	}
	properties := map[string]map[string]any{}
	for _, limit := range p.Limits {
		property := map[string]any{"description": limit.Description}
		switch standard := limit.Default.(type) {
		case []string:
			property["type"], property["items"], property["default"] = "array", map[string]any{"type": "string"}, plain(standard)
		case []float64:
			property["type"], property["items"], property["default"] = "array", map[string]any{"type": "number"}, plain(standard)
		default:
			property["type"], property["default"] = "number", standard
		}
		properties[limit.Name] = property
	}
	return &policyx.ConfigSchema{Properties: properties}
}

func plain[T any](list []T) []any {
	result := make([]any, len(list))
	for i, item := range list {
		result[i] = item
	}
	return result
}
