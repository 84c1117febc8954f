package policy

import (
	"strings"
	"testing"
)

func named(t *testing.T, name string) Policy {
	t.Helper()
	for _, p := range All(Facts{}) {
		if p.Name == name {
			return p
		}
	}
	t.Fatalf("no policy %s", name)
	return Policy{}
}

func TestConfiguredLimits(t *testing.T) {
	image := resourceOf(map[string]any{"container": map[string]any{"image": "registry.example.com/finance@sha256:aa"}})
	weight := resourceOf(map[string]any{"apiVersion": "v1", "kind": "ConfigMap",
		"data": map[string]any{"weight": "25", "canaryReplicas": "1"}})
	grace := resourceOf(map[string]any{"pod": map[string]any{"containers": []any{map[string]any{
		"lifecycle": map[string]any{"preStop": map[string]any{"sleep": map[string]any{"seconds": 20.0}}},
	}}}})
	unthrottled := resourceOf(map[string]any{"container": map[string]any{"resources": map[string]any{
		"requests": map[string]any{"cpu": "1", "memory": "1Gi"}, "limits": map[string]any{"memory": "1Gi"}}}})
	tests := map[string]struct {
		policy     string
		resource   Resource
		configured map[string]any
		violations int
	}{
		"no CPU limit":           {"pod-resources", unthrottled, nil, 1},
		"memory is limited":      {"pod-resources", unthrottled, map[string]any{"limited": []any{"memory"}}, 0},
		"registry not allowed":   {"image-registry", image, nil, 1},
		"registry allowed":       {"image-registry", image, map[string]any{"registries": []any{"registry.example.com/"}}, 0},
		"no stage":               {"weight-on-stage", weight, nil, 1},
		"a stage of the stack":   {"weight-on-stage", weight, map[string]any{"stages": []any{25.0, 100.0}}, 0},
		"time enough":            {"pod-grace-period", grace, nil, 0},
		"more time is asked for": {"pod-grace-period", grace, map[string]any{"seconds": 15.0}, 1},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			p := named(t, tt.policy)
			limits, err := p.With(tt.configured)
			if err != nil {
				t.Fatal(err)
			}
			if messages := p.Resource(tt.resource, limits); len(messages) != tt.violations {
				t.Errorf("%d violations, want %d: %q", len(messages), tt.violations, messages)
			}
		})
	}
}

func TestRefusedLimits(t *testing.T) {
	tests := map[string]struct {
		policy     string
		configured map[string]any
		want       string
	}{
		"unknown name": {"image-registry", map[string]any{"registrys": []any{}},
			`no limit "registrys": it has registries`},
		"no limits":       {"image-digest", map[string]any{"anything": 1.0}, "it has none"},
		"word for list":   {"image-registry", map[string]any{"registries": "docker.io/"}, "not a list of words"},
		"number in list":  {"image-registry", map[string]any{"registries": []any{1.0}}, "not a list of words"},
		"word for stage":  {"weight-on-stage", map[string]any{"stages": []any{"10"}}, "not a list of numbers"},
		"word for number": {"pod-grace-period", map[string]any{"seconds": "5"}, "no number"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			if _, err := named(t, tt.policy).With(tt.configured); err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("error %v, want %q", err, tt.want)
			}
		})
	}
}

func TestLevels(t *testing.T) {
	level := func(facts Facts, name string) Level {
		for _, p := range All(facts) {
			if p.Name == name {
				return p.Level
			}
		}
		t.Fatalf("no policy %s", name)
		return 0
	}
	if level(Facts{GuardWanted: true}, "canary-guarded") != Mandatory || level(Facts{}, "canary-guarded") != Advisory {
		t.Error("a guard is mandatory where the stack wants one, and advice where it turned it off")
	}
	if level(Facts{}, "staging-verified") != Mandatory || level(Facts{Preview: true}, "staging-verified") != Advisory {
		t.Error("the word of staging is mandatory for an update, and advice for a preview")
	}
	for _, p := range All(Facts{GuardWanted: true}) {
		if p.Level != Mandatory {
			t.Errorf("%s is advice", p.Name)
		}
		if (p.Resource == nil) == (p.Stack == nil) {
			t.Errorf("%s judges neither or both of a resource and the stack", p.Name)
		}
		if p.Stack != nil && len(p.Limits) > 0 {
			t.Errorf("%s has limits, which the SDK gives to no policy of a whole stack", p.Name)
		}
	}
}
