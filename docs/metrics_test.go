package docs

import (
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"sigs.k8s.io/yaml"

	"github.com/vextrus/finance-rollout/internal/settings"
)

// The snippet for Go is the code that an example runs with, in 20 lines.
func TestTheSnippetForGoIsTheExamples(t *testing.T) {
	code, err := os.ReadFile(filepath.Join(root, "examples", "vextrus-like", "metrics.go"))
	if err != nil {
		t.Fatal(err)
	}
	_, function, ok := strings.Cut(string(code), "func withMetrics")
	snippet := "func withMetrics" + strings.TrimRight(function, "\n")
	if !ok || !strings.Contains(read(t, filepath.Join(root, "docs", "metrics.md")), snippet) {
		t.Errorf("docs/metrics.md does not show\n%s", snippet)
	}
	if lines := strings.Count(snippet, "\n") + 1; lines > 20 {
		t.Errorf("it has %d lines", lines)
	}
}

var (
	block   = regexp.MustCompile("(?s)```yaml\n(.*?)```")
	indents = regexp.MustCompile(`(?m)(?:^    metrics:\n(?:      .*\n)+)`)
)

// Every example of settings on the page loads.
func TestSettingsOnThePageOfMetricsLoad(t *testing.T) {
	page := read(t, filepath.Join(root, "docs", "metrics.md"))
	var examples []string
	for _, match := range block.FindAllStringSubmatch(page, -1) {
		examples = append(examples, match[1])
	}
	examples = append(examples, indents.FindAllString(page, -1)...)
	if len(examples) < 6 {
		t.Errorf("%d examples", len(examples))
	}
	for _, example := range examples {
		var keys map[string]any
		if err := yaml.UnmarshalStrict([]byte(example), &keys); err != nil {
			t.Errorf("%v:\n%s", err, example)
			continue
		}
		if len(keys) == 0 {
			t.Errorf("an empty example:\n%s", example)
		}
		config := stack{"image": "a:2", "stableImage": "a:1", "prometheus": "a/b:9090", "secretEnv": "{}",
			"smoke": `{"originFrom":"","tokenFrom":""}`}
		for key, value := range keys {
			encoded, err := json.Marshal(value)
			if err != nil {
				t.Fatal(err)
			}
			config[key] = string(encoded)
		}
		if _, err := settings.Load("production", config); err != nil {
			t.Errorf("%v:\n%s", err, example)
		}
	}
}
