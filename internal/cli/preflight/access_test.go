package preflight

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"go.yaml.in/yaml/v3"

	"github.com/vextrus/finance-rollout/internal/settings"
)

// The rights are those of docs/rbac.yaml, no more and no less.
func TestNeededRightsAreTheDocumentedOnes(t *testing.T) {
	raw, err := os.ReadFile(filepath.Join("..", "..", "..", "docs", "rbac.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	scopes := map[string][]scope{
		"finance-rollout-namespace": {inCluster, onNamespace}, "finance-rollout-deploy": {inStack},
		"finance-rollout-prometheus": {inPrometheus}, "finance-rollout-gateway": {inGateway},
	}
	documented := map[string]bool{}
	decoder := yaml.NewDecoder(bytes.NewReader(raw))
	for {
		var role struct {
			Metadata struct{ Name string }
			Rules    []struct {
				APIGroups     []string `yaml:"apiGroups"`
				Resources     []string
				ResourceNames []string `yaml:"resourceNames"`
				Verbs         []string
			}
		}
		if err := decoder.Decode(&role); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			t.Fatal(err)
		}
		switch role.Metadata.Name {
		case "finance-rollout-look", "finance-rollout-preview", "finance-rollout-preview-namespace",
			"finance-rollout-preview-prometheus", "finance-rollout-oncall":
			// What the checklist itself looks at, without which rows are unknown; and what suffices for previews alone, and for
			// those on call.
			continue
		}
		places, known := scopes[role.Metadata.Name]
		if !known {
			t.Errorf("docs/rbac.yaml has a role %s that the checklist does not know", role.Metadata.Name)
			continue
		}
		for _, rule := range role.Rules {
			place := places[0]
			if len(rule.ResourceNames) > 0 {
				place = places[1]
			}
			if slices.Equal(rule.ResourceNames, []string{"kube-system"}) {
				place = onSystem
			}
			for _, resource := range rule.Resources {
				for _, verb := range rule.Verbs {
					documented[fmt.Sprint(place, " ", verb, " ", resource, ".", rule.APIGroups[0])] = true
				}
			}
		}
	}
	asked := map[string]bool{}
	for _, need := range needs {
		for _, resource := range need.resources {
			for _, verb := range need.verbs {
				asked[fmt.Sprint(need.scope, " ", verb, " ", resource, ".", need.group)] = true
			}
		}
	}
	if diff := cmp.Diff(documented, asked); diff != "" {
		t.Errorf("docs/rbac.yaml and the checklist (-documented +asked)\n%s", diff)
	}
}

func TestRightsFollowTheSettings(t *testing.T) {
	has := func(s *settings.Settings, resource string) bool {
		return slices.ContainsFunc(Needed(s), func(a Access) bool { return a.Resource == resource })
	}
	s := stack(t, nil)
	for resource, want := range map[string]bool{"leases": true, "roles": true, "services/proxy": true,
		"servicemonitors": true, "gateways": false, "httproutes": false} {
		if has(s, resource) != want {
			t.Errorf("%s: %v", resource, !want)
		}
	}
	s = stack(t, map[string]string{"guard": "{}", "prometheus": "http://prometheus.example",
		"monitoring": `{"enabled":false}`})
	for _, resource := range []string{"roles", "services/proxy", "servicemonitors"} {
		if has(s, resource) {
			t.Errorf("%s is asked for and not needed", resource)
		}
	}
	for text, want := range map[string][3]bool{
		`{"name":"web","namespace":"edge"}`:                    {true, false, true},
		`{"name":"web","namespace":"edge","kind":"GRPCRoute"}`: {false, true, true},
		`{"route":"shop"}`:                                     {true, false, false},
	} {
		s := stack(t, map[string]string{"traffic": "gateway", "gateway": text})
		if got := [3]bool{has(s, "httproutes"), has(s, "grpcroutes"), has(s, "gateways")}; got != want {
			t.Errorf("%s: HTTPRoutes, GRPCRoutes and Gateways %v, want %v", text, got, want)
		}
	}
	seen := map[Access]bool{}
	for _, access := range Needed(s) {
		access.For = ""
		if seen[access] {
			t.Errorf("%s is asked twice", access)
		}
		seen[access] = true
	}
}
