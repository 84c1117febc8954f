package policy

import (
	"os"
	"strings"
	"testing"

	"sigs.k8s.io/yaml"
)

// A limit that asks for nothing breaks the policy at the canary that is judged by it.
func TestLooseLimitsBreakThePolicy(t *testing.T) {
	content, err := os.ReadFile("testdata/guide.yaml")
	if err != nil {
		t.Fatal(err)
	}
	var guide map[string]any
	if err := yaml.Unmarshal(content, &guide); err != nil {
		t.Fatal(err)
	}
	all := resourcesOf(guide)
	for _, facts := range []Facts{
		{HasLimits: true},
		{HasLimits: true, LooseLimits: []string{"criteria.errorRate is 0.9, and at most 0.05 is allowed"}},
	} {
		violations := floorPolicies(facts)[0].Stack(all)
		if len(violations) != len(facts.LooseLimits) ||
			len(violations) == 1 && !strings.Contains(violations[0].Message, "errorRate is 0.9") {
			t.Errorf("%q: found %+v", facts.LooseLimits, violations)
		}
	}
}
