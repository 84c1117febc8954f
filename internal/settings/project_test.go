package settings

import (
	"encoding/json"
	"maps"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"sigs.k8s.io/yaml"

	"github.com/vextrus/finance-rollout/internal/testkit"
)

// projectFile gives the configuration section of a Pulumi project or stack file with each value as the engine passes
// it.
func projectFile(t *testing.T, path string, value func(any) (any, bool)) map[string]string {
	t.Helper()
	raw, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var file struct {
		Config map[string]any `json:"config"`
	}
	if err := yaml.Unmarshal(raw, &file); err != nil {
		t.Fatal(err)
	}
	values := map[string]string{}
	for key, entry := range file.Config {
		given, ok := value(entry)
		if !ok {
			t.Fatalf("%s: %s has no value", path, key)
		}
		text, isText := given.(string)
		if !isText {
			encoded, err := json.Marshal(given)
			if err != nil {
				t.Fatal(err)
			}
			text = string(encoded)
		}
		values[strings.TrimPrefix(key, "finance-rollout:")] = text
	}
	return values
}

func schemaDefaults(t *testing.T) map[string]string {
	return projectFile(t, "../../Pulumi.yaml", func(entry any) (any, bool) {
		declaration, ok := entry.(map[string]any)
		if !ok || declaration["description"] == nil {
			return nil, false
		}
		value, ok := declaration["default"]
		// A key without a type takes a text as well as an object.
		_, isObject := value.(map[string]any)
		return value, ok && (declaration["type"] != nil || isObject)
	})
}

var compareSettings = cmp.Options{cmpopts.IgnoreUnexported(Settings{}), cmpopts.EquateEmpty()}

func TestTheProjectFileHoldsEveryKeyWithItsDefault(t *testing.T) {
	defaults := schemaDefaults(t)
	if diff := cmp.Diff(Keys(), slices.Sorted(maps.Keys(defaults))); diff != "" {
		t.Errorf("keys (-settings +Pulumi.yaml):\n%s", diff)
	}
	fromFile, _ := Load("production", testkit.Config(defaults))
	fromNothing, _ := Load("production", testkit.Config{})
	if diff := cmp.Diff(fromNothing, fromFile, compareSettings); diff != "" {
		t.Errorf("defaults (-settings +Pulumi.yaml):\n%s", diff)
	}
}

func TestCommittedStacksAreCompleteButForImagesAndSecrets(t *testing.T) {
	// Production takes the image that staging has verified where it names none.
	for stack, missing := range map[string]string{"staging": "config image", "production": "config stableImage"} {
		values := schemaDefaults(t)
		maps.Copy(values, projectFile(t, "../../Pulumi."+stack+".yaml", func(entry any) (any, bool) { return entry, true }))
		if _, err := Load(stack, testkit.Config(values)); err == nil || !strings.Contains(err.Error(), missing) {
			t.Errorf("%s without an image: %v", stack, err)
		}
		maps.Copy(values, map[string]string{"image": "a:v2", "stableImage": "a:v1",
			"secrets": strings.Replace(goodSecrets, `"jwt-secret"`, `"encryption-key":"k","jwt-secret"`, 1)})
		s, err := Load(stack, testkit.Config(values))
		if err != nil {
			t.Fatalf("%s: %v", stack, err)
		}
		if want := map[string]int{"staging": 2, "production": 10}[stack]; s.Position().Capacity() != want ||
			s.Namespace != "vextrus-"+stack {
			t.Errorf("%s: %+v in %s", stack, s.Position(), s.Namespace)
		}
		// The committed stacks name no image of a guard: every team builds its own.
		for _, warning := range s.Warnings() {
			if !strings.Contains(warning, "guard.image is empty") {
				t.Errorf("%s: %s", stack, warning)
			}
		}
	}
}
