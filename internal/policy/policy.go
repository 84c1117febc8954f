package policy

import (
	"fmt"
	"slices"
	"strings"

	"github.com/pulumi/pulumi/sdk/v3/go/property"
)

// Level is what a violation does.
type Level int

// Levels of a policy.
const (
	// Mandatory violations fail the preview and stop the update.
	Mandatory Level = iota
	// Advisory violations are shown and stop nothing.
	Advisory
)

// Resource is a resource as a policy sees it.
type Resource struct {
	// Type is the type token, for example kubernetes:apps/v1:Deployment. Name and URN are Pulumi's.
	Type, Name, URN string
	// Properties are the inputs where a resource is judged alone, and the outputs where the whole stack is.
	Properties property.Map
}

// Violation is one broken rule.
type Violation struct {
	// URN is the resource that broke it; empty for the stack as a whole.
	URN string
	// Message says what was found and what to change.
	Message string
}

// Limit is a number or a list of words that a policy can be configured with.
type Limit struct {
	Name, Description string
	// Default is a float64, a []string or a []float64.
	Default any
}

// Policy is one rule. Exactly one of Resource and Stack is set.
type Policy struct {
	// Name is lower case with hyphens. It is the key of the policy in the pack's configuration.
	Name string
	// Description is one sentence: what must be so.
	Description string
	Level       Level
	Limits      []Limit

	// Resource judges one resource and gives a message for each violation.
	Resource func(Resource, Limits) []string
	// Stack judges all resources together.
	Stack func([]Resource) []Violation
}

// Facts are what is known about the stack beside its resources.
type Facts struct {
	// Preview tells that nothing is changed yet.
	Preview bool
	// GuardWanted tells that the stack has a guard and did not turn it off.
	GuardWanted bool
	// HasLimits tells that the stack's configuration has the limits that a canary is judged by. LooseLimits are those that
	// are looser than their floors, for people.
	HasLimits   bool
	LooseLimits []string
}

// All lists the policies of a stack, in the order of their themes.
func All(facts Facts) []Policy {
	all := slices.Concat(
		kindPolicies(), imagePolicies(), podPolicies(), standardPolicies(), runPolicies(), credentialPolicies(),
		originPolicies(),
		weightPolicies(), trackPolicies(), monitoringPolicies(facts), stagingPolicies(facts), rbacPolicies(),
		storagePolicies(), namespacePolicies(), floorPolicies(facts),
	)
	for i := range all {
		all[i].spread()
	}
	return all
}

// spread makes the policy judge the items of a List as the objects that they are.
func (p *Policy) spread() {
	if judge := p.Stack; judge != nil {
		p.Stack = func(resources []Resource) []Violation {
			var all []Resource
			for _, r := range resources {
				all = append(all, spread(r)...)
			}
			return judge(all)
		}
		return
	}
	judge := p.Resource
	p.Resource = func(r Resource, limits Limits) []string {
		var messages []string
		for _, one := range spread(r) {
			messages = append(messages, judge(one, limits)...)
		}
		return messages
	}
}

// Limits are the values of a policy's limits, by name.
type Limits map[string]any

// With gives the policy's limits with the configured values over the defaults. It refuses an unknown name and a value
// of another kind.
func (p Policy) With(configured map[string]any) (Limits, error) {
	limits := Limits{}
	for _, limit := range p.Limits {
		limits[limit.Name] = limit.Default
	}
	for name, value := range configured {
		standard, known := limits[name]
		if !known {
			return nil, fmt.Errorf("policy %s has no limit %q: it has %s", p.Name, name, p.limitNames())
		}
		converted, err := convert(value, standard)
		if err != nil {
			return nil, fmt.Errorf("limit %s of policy %s: %w", name, p.Name, err)
		}
		limits[name] = converted
	}
	return limits, nil
}

func (p Policy) limitNames() string {
	var names []string
	for _, limit := range p.Limits {
		names = append(names, limit.Name)
	}
	if len(names) == 0 {
		return "none"
	}
	return strings.Join(names, ", ")
}

// convert brings a value of the configuration, as JSON has it, to the kind of the default.
func convert(value, standard any) (any, error) {
	switch standard.(type) {
	case []string:
		return list[string](value, "a list of words")
	case []float64:
		return list[float64](value, "a list of numbers")
	default:
		if number, ok := value.(float64); ok {
			return number, nil
		}
		return nil, fmt.Errorf("%v is no number", value)
	}
}

func list[T any](value any, what string) ([]T, error) {
	items, ok := value.([]any)
	if !ok {
		return nil, fmt.Errorf("%v is not %s", value, what)
	}
	converted := make([]T, 0, len(items))
	for _, item := range items {
		one, ok := item.(T)
		if !ok {
			return nil, fmt.Errorf("%v is not %s", value, what)
		}
		converted = append(converted, one)
	}
	return converted, nil
}

func (l Limits) words(name string) []string {
	words, _ := l[name].([]string)
	return words
}

func (l Limits) numbers(name string) []float64 {
	numbers, _ := l[name].([]float64)
	return numbers
}

func (l Limits) number(name string) float64 {
	number, _ := l[name].(float64)
	return number
}

// Found is a violation with the policy that caught it.
type Found struct {
	Policy Policy
	Violation
}

// Check judges resources by all policies with their default limits, each alone and all together, as Pulumi does with
// the pack.
func Check(facts Facts, resources []Resource) ([]Found, error) {
	var caught []Found
	for _, policy := range All(facts) {
		limits, err := policy.With(nil)
		if err != nil {
			return nil, err
		}
		for _, violation := range policy.judge(resources, limits) {
			caught = append(caught, Found{policy, violation})
		}
	}
	return caught, nil
}

func (p Policy) judge(resources []Resource, limits Limits) []Violation {
	if p.Stack != nil {
		return p.Stack(resources)
	}
	var violations []Violation
	for _, resource := range resources {
		for _, message := range p.Resource(resource, limits) {
			violations = append(violations, Violation{resource.URN, message})
		}
	}
	return violations
}
