package main

import (
	"maps"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"go.yaml.in/yaml/v3"

	"github.com/vextrus/finance-rollout/internal/settings"
)

const checkout = "../.."

func TestTheCommittedFilesAreWhatIsGenerated(t *testing.T) {
	for _, document := range documents {
		want, err := document.write(checkout)
		if err != nil {
			t.Fatal(err)
		}
		committed, err := os.ReadFile(filepath.Join(checkout, "docs", document.name))
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, string(committed)); diff != "" {
			t.Errorf("docs/%s is out of date; run `make docs` (-generated +committed):\n%s", document.name, diff)
		}
	}
}

// The page has the fields as a file spells them, and every field has a meaning.
func TestTheReferenceOfSuites(t *testing.T) {
	text, err := suiteReference(checkout)
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		"| `maxRequests` | integer | `maxRequests` is the most requests", "| `kind` | `http` or `latency` |",
		"| `expectIn` | map of [expectation](#an-expectation) |", "| `max` | duration |", "| `{{expiredToken}}` |",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("the reference holds no %q", want)
		}
	}
	if strings.Contains(text, "|  |") {
		t.Error("a field has no meaning")
	}
}

func TestEveryKeyIsDescribed(t *testing.T) {
	keys, err := readKeys(filepath.Join(checkout, "Pulumi.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, k := range keys {
		names = append(names, k.Name)
		// A key without a type takes a text that stands for its object.
		if k.Description == "" || k.Type == "" && k.Default.Kind != yaml.MappingNode {
			t.Errorf("key %s has no description or no type", k.Name)
		}
	}
	slices.Sort(names)
	if diff := cmp.Diff(settings.Keys(), names); diff != "" {
		t.Error(diff)
	}
}

func TestEveryFieldHasItsMeaning(t *testing.T) {
	meanings, err := readMeanings()
	if err != nil {
		t.Fatal(err)
	}
	keys, err := readKeys(filepath.Join(checkout, "Pulumi.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	var fields []string
	for _, k := range keys {
		value, ok := settingOf(k.Name)
		if !ok {
			t.Fatalf("no setting reads %s", k.Name)
		}
		if k.isObject() && value.Kind() != reflect.Map {
			walk(k.Name, value, func(path string, _ reflect.Value) { fields = append(fields, path) })
		}
	}
	slices.Sort(fields)
	if diff := cmp.Diff(fields, slices.Sorted(maps.Keys(meanings))); diff != "" {
		t.Errorf("meanings.yaml (-fields +meanings):\n%s", diff)
	}
}

func TestFieldsHaveTypeAndDefault(t *testing.T) {
	text, err := reference(checkout)
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		"| `week` | integer | `1` | Stage of the rollout",
		"| `criteria.latency` | duration | `500ms` | Latency",
		"| `secretEnv.DATABASE_PASSWORD` | `finance-db/password` |",
		"| `monitoring.labels` | map of string | `release: kube-prometheus-stack` |",
		"| `smoke.tokenFrom` | secret/key | `finance-secrets/jwt-secret` |",
		"| `registry.password` | secret | empty |",
		"| `canary.resources` | as `resources` | empty |",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("the reference holds no %q", want)
		}
	}
}

func TestAProjectWithoutConfigurationIsRefused(t *testing.T) {
	path := filepath.Join(t.TempDir(), "Pulumi.yaml")
	for _, content := range []string{"name: x\n", "config: [", "config:\n  a: 1\n"} {
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		if keys, err := readKeys(path); err == nil {
			t.Errorf("%q gives %v", content, keys)
		}
	}
}
