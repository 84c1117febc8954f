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

	"github.com/vextrus/finance-rollout/internal/settings"
)

const checkout = "../.."

func TestTheCommittedFileIsWhatIsGenerated(t *testing.T) {
	want, err := reference(checkout)
	if err != nil {
		t.Fatal(err)
	}
	committed, err := os.ReadFile(filepath.Join(checkout, "docs", "configuration.md"))
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, string(committed)); diff != "" {
		t.Errorf("docs/configuration.md is out of date; run `make docs` (-generated +committed):\n%s", diff)
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
		if k.Description == "" || k.Type == "" {
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
		if k.Type == "object" && value.Kind() != reflect.Map {
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
