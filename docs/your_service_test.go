package docs

import (
	"encoding/json"
	"regexp"
	"strings"
	"testing"

	"sigs.k8s.io/yaml"

	"github.com/vextrus/finance-rollout/internal/settings"
	"github.com/vextrus/finance-rollout/internal/testkit"
)

var example = regexp.MustCompile("(?s)```yaml\n(.*?)\n```")

// The examples are stacks that can be deployed once they have images and secrets.
func TestTheExamplesOfYourServiceLoad(t *testing.T) {
	matches := example.FindAllStringSubmatch(read(t, "your-service.md"), -1)
	if len(matches) != 2 {
		t.Fatalf("docs/your-service.md holds %d examples", len(matches))
	}
	for _, text := range matches {
		var file struct {
			Config map[string]any `json:"config"`
		}
		if err := yaml.UnmarshalStrict([]byte(text[1]), &file); err != nil {
			t.Fatal(err)
		}
		config := testkit.Config{
			"image": "a:v2", "stableImage": "a:v1", "prometheus": "monitoring/prometheus-operated:9090",
			"secrets": `{"finance-db":{"host":"a","username":"b","password":"c"},
				"finance-secrets":{"jwt-secret":"d","eventstore-connection":"e","cors-origin":"https://f"}}`,
		}
		for key, value := range file.Config {
			encoded, err := json.Marshal(value)
			if err != nil {
				t.Fatal(err)
			}
			name, plain := strings.TrimPrefix(key, "finance-rollout:"), string(encoded)
			if word, ok := value.(string); ok {
				plain = word
			}
			config[name] = plain
		}
		if _, err := settings.Load("production", config); err != nil {
			t.Errorf("%s\n%v", text[1], err)
		}
	}
}
