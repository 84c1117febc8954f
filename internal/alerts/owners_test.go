package alerts

import (
	"strings"
	"testing"
)

// The pods of v2-hotfix begin with v2, and a long name is cut: an alert on pods goes by their owners.
func TestAlertsOnPodsGoByTheirOwners(t *testing.T) {
	spec, err := Rules(params())
	if err != nil {
		t.Fatal(err)
	}
	owner := `owner_name="` + params().Deployment + `"`
	byOwner := 0
	for _, group := range spec["groups"].([]any) {
		for _, rule := range group.(map[string]any)["rules"].([]any) {
			expr := rule.(map[string]any)["expr"].(string)
			if strings.Contains(expr, "pod=~") {
				t.Errorf("%v matches pods by a pattern: %s", rule.(map[string]any)["alert"], expr)
			}
			if strings.Contains(expr, "kube_pod_owner") != strings.Contains(expr, owner) {
				t.Errorf("%v asks for other owners: %s", rule.(map[string]any)["alert"], expr)
			}
			if strings.Contains(expr, owner) {
				byOwner++
			}
		}
	}
	// Crash loops, restarts and memory.
	if byOwner != 3 {
		t.Errorf("%d alerts go by the owner", byOwner)
	}
}
