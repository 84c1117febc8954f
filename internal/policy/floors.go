package policy

import "strings"

// floorPolicies hold the limits of the stack above their floors. The numbers are the stack's own: the advance gate
// refuses by the same. A program without these settings, which is another one, has none to judge.
func floorPolicies(facts Facts) []Policy {
	if !facts.HasLimits {
		return nil
	}
	return []Policy{{
		Name:        "limits-floor",
		Description: "A canary is judged by limits that ask for something: none is looser than its floor.",
		Stack: func(resources []Resource) []Violation {
			var violations []Violation
			if len(facts.LooseLimits) == 0 {
				return violations
			}
			for _, canary := range canariesOf(resources) {
				violations = append(violations, Violation{canary.URN, canary.name() + ": " +
					strings.Join(facts.LooseLimits, "; ") + "; tighten the limit, or lower its floor with a reason: " +
					"`pulumi config set --path floors.reason WHY`"})
			}
			return violations
		},
	}}
}
