package docs

import (
	"encoding/json"
	"maps"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"sigs.k8s.io/yaml"

	"github.com/vextrus/finance-rollout/internal/settings"
)

// stack is a stack's configuration while somebody follows the README.
type stack map[string]string

func (s stack) Get(key string) (string, bool) { value, ok := s[key]; return value, ok }
func (s stack) IsSecret(key string) bool      { return key == "secrets" }
func (s stack) Keys() []string                { return slices.Sorted(maps.Keys(s)) }

// committed reads a stack's file as the Pulumi CLI does: objects become JSON.
func committed(t *testing.T, name string) stack {
	t.Helper()
	var file struct {
		Config map[string]any `json:"config"`
	}
	if err := yaml.Unmarshal([]byte(read(t, filepath.Join(root, "Pulumi."+name+".yaml"))), &file); err != nil {
		t.Fatal(err)
	}
	config := stack{}
	for key, value := range file.Config {
		text, ok := value.(string)
		if !ok {
			encoded, err := json.Marshal(value)
			if err != nil {
				t.Fatal(err)
			}
			text = string(encoded)
		}
		config[strings.TrimPrefix(key, "finance-rollout:")] = text
	}
	return config
}

var (
	setting = regexp.MustCompile(`^pulumi config set (\w+) (.+) -s (\w+)$`)
	update  = regexp.MustCompile(`^pulumi up -s (\w+)$`)
	secret  = regexp.MustCompile(`\b(finance-(?:db|secrets))\.([a-z-]+)\b`)
)

// loads says whether the preview accepts a stack with these secrets.
func loads(name string, config stack, secrets []string) error {
	named := map[string]map[string]string{}
	for _, path := range secrets {
		name, key, _ := strings.Cut(path, ".")
		if named[name] == nil {
			named[name] = map[string]string{}
		}
		named[name][key] = "value-of-" + key
	}
	encoded, err := json.Marshal(named)
	if err != nil {
		return err
	}
	config = maps.Clone(config)
	config["secrets"] = string(encoded)
	_, err = settings.Load(name, config)
	return err
}

func TestANewcomerCanFollowTheREADME(t *testing.T) {
	_, text, _ := strings.Cut(read(t, filepath.Join(root, "README.md")), "\n## Use it on your cluster\n")
	text, _, _ = strings.Cut(text, "\n### ")
	stacks := map[string]stack{"staging": committed(t, "staging"), "production": committed(t, "production")}
	var secrets, updates []string
	for line := range strings.Lines(text) {
		for _, match := range secret.FindAllString(line, -1) {
			if !slices.Contains(secrets, match) {
				secrets = append(secrets, match)
			}
		}
		command, _, _ := strings.Cut(strings.TrimSpace(line), "  #")
		command = strings.TrimSpace(command)
		if match := setting.FindStringSubmatch(command); match != nil {
			value := match[2]
			if strings.Contains(value, "verifiedImage") {
				value = "vextrus/finance@sha256:" + strings.Repeat("0", 64)
			}
			stacks[match[3]][match[1]] = value
		}
		if match := update.FindStringSubmatch(command); match != nil {
			name := match[1]
			updates = append(updates, name)
			if err := loads(name, stacks[name], secrets); err != nil {
				t.Errorf("update %d, of %s, is refused:\n%v", len(updates), name, err)
			}
			for i, path := range secrets {
				if loads(name, stacks[name], slices.Delete(slices.Clone(secrets), i, i+1)) == nil {
					t.Errorf("%s does not need the secret %s", name, path)
				}
			}
		}
	}
	if want := []string{"staging", "production", "production"}; !slices.Equal(updates, want) {
		t.Errorf("the README updates %q, want %q: a digest is verified in staging first", updates, want)
	}
	if weight := stacks["production"]["canaryWeight"]; weight != "10" {
		t.Errorf("the canary ends at %s %%", weight)
	}
}
