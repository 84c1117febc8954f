package policy

import (
	"fmt"
	"strings"
)

func stagingPolicies() []Policy {
	return []Policy{
		{
			Name:        "staging-asked",
			Description: "Production asks the staging stack which image it has verified.",
			Stack:       stagingAsked,
		},
		{
			Name:        "staging-verified",
			Description: "The canary in production is the image that staging has verified last.",
			// Staging may have gone on to the next release while this one soaks, which is no fault.
			Level: Advisory,
			Stack: stagingVerified,
		},
	}
}

const stackReference = "pulumi:pulumi:StackReference"

// references lists the stack's references to other stacks.
func references(resources []Resource) []Resource {
	var list []Resource
	for _, r := range resources {
		if r.Type == stackReference {
			list = append(list, r)
		}
	}
	return list
}

func productionCanaries(resources []Resource) []track {
	var canaries []track
	for _, canary := range canariesOf(resources) {
		if canary.environment == production {
			canaries = append(canaries, canary)
		}
	}
	return canaries
}

func stagingAsked(resources []Resource) []Violation {
	if len(references(resources)) > 0 {
		return nil
	}
	var violations []Violation
	for _, canary := range productionCanaries(resources) {
		violations = append(violations, Violation{canary.URN, fmt.Sprintf("%s enters production without any stack having verified its image; "+
			"turn the check on by `pulumi config set --path staging.required true`", canary.name())})
	}
	return violations
}

func stagingVerified(resources []Resource) []Violation {
	var violations []Violation
	for _, canary := range productionCanaries(resources) {
		pod, _ := canary.pod()
		for _, c := range containersOf(pod, keyContainers) {
			_, digest, _ := strings.Cut(text(at(c.Value, "image")), "@")
			if message := stagingProblem(references(resources), digest); message != "" && c.where == "container "+canary.app {
				violations = append(violations, Violation{canary.URN, canary.name() + " runs " + digest + ", but " + message})
			}
		}
	}
	return violations
}

// stagingProblem compares a digest with what staging tells. It knows nothing while the answer or the digest is not known.
func stagingProblem(staging []Resource, digest string) string {
	for _, reference := range staging {
		outputs := reference.at("outputs")
		verified := at(outputs, "verifiedImage")
		if digest == "" || !outputs.IsMap() || unknown(verified) {
			continue
		}
		if text(verified) == "" {
			return fmt.Sprintf("stack %s has verified no image; run `pulumi up` there first", reference.Name)
		}
		if _, other, _ := strings.Cut(text(verified), "@"); other != digest {
			return fmt.Sprintf("stack %s has verified %s; verify this image there, unless staging has gone on to the next release while this one soaks", reference.Name, other)
		}
	}
	return ""
}
