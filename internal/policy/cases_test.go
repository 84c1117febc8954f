package policy

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/pulumi/pulumi/sdk/v3/go/property"
	"sigs.k8s.io/yaml"
)

// cases are resources of one policy that keep it, break it, and cannot be judged yet.
type cases struct {
	Pass    []map[string]any `json:"pass"`
	Fail    []map[string]any `json:"fail"`
	Unknown []map[string]any `json:"unknown"`
}

// readCases reads testdata/cases. An item is a resource as YAML; or `container` or `pod` for a Deployment around one;
// or `resources` for several. The text (unknown) stands for an unknown value, and what begins with (secret) is
// secret.
func readCases(t *testing.T) map[string]cases {
	t.Helper()
	all := map[string]cases{}
	files, err := filepath.Glob("testdata/cases/*.yaml")
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		content, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		var some map[string]cases
		if err := yaml.UnmarshalStrict(content, &some); err != nil {
			t.Fatalf("%s: %v", file, err)
		}
		for name, one := range some {
			if _, twice := all[name]; twice {
				t.Errorf("%s is in two files", name)
			}
			all[name] = one
		}
	}
	return all
}

func resourcesOf(item map[string]any) []Resource {
	if several, ok := item["resources"].([]any); ok {
		var list []Resource
		for _, one := range several {
			list = append(list, resourceOf(one.(map[string]any)))
		}
		return list
	}
	return []Resource{resourceOf(item)}
}

func resourceOf(item map[string]any) Resource {
	if c, ok := item["container"].(map[string]any); ok {
		item = map[string]any{"pod": map[string]any{"containers": []any{c}}}
	}
	if pod, ok := item["pod"]; ok {
		item = map[string]any{
			"apiVersion": "apps/v1", "kind": "Deployment", "spec": map[string]any{"template": map[string]any{"spec": pod}},
		}
	}
	token, _ := item["type"].(string)
	if kind, ok := item["kind"].(string); ok {
		group, _ := item["apiVersion"].(string)
		if !strings.Contains(group, "/") {
			group = "core/" + group
		}
		token = "kubernetes:" + group + ":" + kind
	}
	name, _ := item["name"].(string)
	return Resource{Type: token, Name: name, URN: "urn:" + token, Properties: valueOf(item).AsMap()}
}

func valueOf(plain any) property.Value {
	switch plain := plain.(type) {
	case map[string]any:
		values := map[string]property.Value{}
		for key, inner := range plain {
			values[key] = valueOf(inner)
		}
		return property.New(values)
	case []any:
		values := []property.Value{}
		for _, inner := range plain {
			values = append(values, valueOf(inner))
		}
		return property.New(values)
	case string:
		if plain == "(unknown)" {
			return property.New(property.Computed)
		}
		if hidden, ok := strings.CutPrefix(plain, "(secret)"); ok {
			return property.New(hidden).WithSecret(true)
		}
		return property.New(plain)
	default:
		value, err := property.Any(plain)
		if err != nil {
			panic(err)
		}
		return value
	}
}

func judge(t *testing.T, p Policy, item map[string]any) []string {
	t.Helper()
	limits, err := p.With(nil)
	if err != nil {
		t.Fatal(err)
	}
	var messages []string
	for _, violation := range p.judge(resourcesOf(item), limits) {
		messages = append(messages, violation.Message)
	}
	return messages
}

func TestPolicies(t *testing.T) {
	known := readCases(t)
	for _, p := range All(Facts{}) {
		t.Run(p.Name, func(t *testing.T) {
			tried := known[p.Name]
			if len(tried.Pass) == 0 || len(tried.Fail) == 0 || len(tried.Unknown) == 0 {
				t.Fatalf("testdata/cases holds %d resources that pass, %d that fail and %d that are unknown; at least one of "+
					"each is needed",
					len(tried.Pass), len(tried.Fail), len(tried.Unknown))
			}
			for i, item := range append(tried.Pass, tried.Unknown...) {
				if messages := judge(t, p, item); len(messages) > 0 {
					t.Errorf("case %d of what passes or is unknown: %q", i, messages)
				}
			}
			for i, item := range tried.Fail {
				messages := strings.Join(judge(t, p, item), "\n")
				if says := item["says"].(string); !strings.Contains(messages, says) {
					t.Errorf("case %d of what fails says %q, want %q", i, messages, says)
				}
			}
		})
		delete(known, p.Name)
	}
	for name := range known {
		t.Errorf("testdata/cases tries %s, which is no policy", name)
	}
}
