package policy

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"sigs.k8s.io/yaml"
)

// bypasses reads testdata/bypasses.yaml.
func bypasses(t *testing.T) (harmless, violations map[string]map[string]any) {
	t.Helper()
	content, err := os.ReadFile("testdata/bypasses.yaml")
	if err != nil {
		t.Fatal(err)
	}
	var file struct {
		Harmless, Bypasses map[string]map[string]any
	}
	if err := yaml.Unmarshal(content, &file); err != nil {
		t.Fatal(err)
	}
	if len(file.Bypasses) == 0 || len(file.Harmless) == 0 {
		t.Fatal("testdata/bypasses.yaml holds nothing")
	}
	return file.Harmless, file.Bypasses
}

// findings lists which policies find something in a resource, with what they say.
func findings(t *testing.T, item map[string]any) (names []string, said string) {
	t.Helper()
	violations, err := Check(Facts{}, resourcesOf(item))
	if err != nil {
		t.Fatal(err)
	}
	var lines []string
	for _, one := range violations {
		names = append(names, one.Policy.Name)
		lines = append(lines, fmt.Sprintf("%s: %s", one.Policy.Name, one.Message))
	}
	return names, strings.Join(lines, "\n")
}

func TestNoWayPastThePack(t *testing.T) {
	_, all := bypasses(t)
	for name, item := range all {
		t.Run(name, func(t *testing.T) {
			if names, said := findings(t, item); !slices.Contains(names, item["finds"].(string)) {
				t.Errorf("%s does not find it; found is:\n%s", item["finds"], said)
			}
		})
	}
}

func TestTheSameWithoutTheBypassIsRight(t *testing.T) {
	harmless, _ := bypasses(t)
	for name, item := range harmless {
		t.Run(name, func(t *testing.T) {
			if names, said := findings(t, item); len(names) > 0 {
				t.Errorf("found is:\n%s", said)
			}
		})
	}
}
