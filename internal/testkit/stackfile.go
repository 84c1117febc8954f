package testkit

import (
	"encoding/json"
	"os"
	"strings"
	"testing"

	"sigs.k8s.io/yaml"
)

// StackFile is the configuration in a stack's file as Pulumi hands it to the program: text as it is, everything else as
// JSON. A key of another project fails the test.
func StackFile(t testing.TB, path string) Config {
	t.Helper()
	raw, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var file struct {
		Config map[string]any `json:"config"`
	}
	if err := yaml.UnmarshalStrict(raw, &file); err != nil {
		t.Fatal(err)
	}
	config := Config{}
	for key, value := range file.Config {
		name, ours := strings.CutPrefix(key, "finance-rollout:")
		if !ours {
			t.Errorf("%s: key %s is not of this project", path, key)
		}
		text, isText := value.(string)
		if !isText {
			encoded, err := json.Marshal(value)
			if err != nil {
				t.Fatal(err)
			}
			text = string(encoded)
		}
		config[name] = text
	}
	return config
}
