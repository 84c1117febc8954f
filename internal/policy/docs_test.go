package policy

import (
	"fmt"
	"os"
	"strings"
	"testing"
)

func TestPoliciesAreDocumented(t *testing.T) {
	content, err := os.ReadFile("../../docs/policies.md")
	if err != nil {
		t.Fatal(err)
	}
	document := string(content)
	for _, p := range All(Facts{GuardWanted: true, HasLimits: true}) {
		kind, limits := "resource", []string{}
		if p.Stack != nil {
			kind = "stack"
		}
		for _, limit := range p.Limits {
			limits = append(limits, "`"+limit.Name+"`")
			if !strings.Contains(document, "| `"+limit.Name+"`") {
				t.Errorf("docs/policies.md does not tell the default of %s", limit.Name)
			}
		}
		row := strings.Join(strings.Fields(fmt.Sprintf("| %s | %s | %s | %s |", "`"+p.Name+"`",
			strings.TrimSuffix(p.Description, "."), kind, strings.Join(limits, ", "))), " ")
		if !strings.Contains(document, row) {
			t.Errorf("docs/policies.md does not hold the row\n%s", row)
		}
	}
}
