package main

import (
	_ "embed"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/vextrus/finance-rollout/internal/settings"
)

//go:embed preamble.md
var preamble string

//go:embed meanings.yaml
var meaningsFile []byte

// key is a key of Pulumi.yaml.
type key struct {
	Name        string
	Type        string    `yaml:"type"`
	Default     yaml.Node `yaml:"default"`
	Description string    `yaml:"description"`
}

// reference writes the whole document.
func reference(root string) (string, error) {
	keys, err := readKeys(filepath.Join(root, "Pulumi.yaml"))
	if err != nil {
		return "", err
	}
	meanings, err := readMeanings()
	if err != nil {
		return "", err
	}
	var text strings.Builder
	text.WriteString(preamble)
	text.WriteString("\n## Keys\n\n| key | type | default | meaning |\n|---|---|---|---|\n")
	for _, k := range keys {
		fmt.Fprintf(&text, "| `%s` | %s | %s | %s |\n", k.Name, k.typeName(), k.shownDefault(), cell(k.Description))
	}
	text.WriteString("\n## Fields of the objects\n")
	for _, k := range keys {
		if !k.isObject() {
			continue
		}
		field, ok := settingOf(k.Name)
		if !ok {
			return "", fmt.Errorf("key %s of Pulumi.yaml is read by no field of the settings", k.Name)
		}
		fmt.Fprintf(&text, "\n### %s\n\n%s\n\n", k.Name, k.Description)
		writeFields(&text, k.Name, field, meanings)
	}
	return text.String(), nil
}

// readMeanings reads what the fields of the objects mean, by their path.
func readMeanings() (map[string]string, error) {
	meanings := map[string]string{}
	err := yaml.Unmarshal(meaningsFile, &meanings)
	return meanings, err
}

// readKeys reads the configuration schema of a project, in its order.
func readKeys(path string) ([]key, error) {
	raw, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	var project struct {
		Config yaml.Node `yaml:"config"`
	}
	if err := yaml.Unmarshal(raw, &project); err != nil {
		return nil, fmt.Errorf("parse %s: %w", path, err)
	}
	var keys []key
	for i := 0; i+1 < len(project.Config.Content); i += 2 {
		k := key{Name: project.Config.Content[i].Value}
		if err := project.Config.Content[i+1].Decode(&k); err != nil {
			return nil, fmt.Errorf("%s: key %s: %w", path, k.Name, err)
		}
		keys = append(keys, k)
	}
	if len(keys) == 0 {
		return nil, fmt.Errorf("%s holds no config", path)
	}
	return keys, nil
}

// isObject reports whether the key has fields. One without a type takes a text that stands for the object as well.
func (k key) isObject() bool { return k.Type == "object" || k.Type == "" }

func (k key) typeName() string {
	if k.Type == "" {
		return "text or object"
	}
	return k.Type
}

// shownDefault is the default in a cell of the table of keys.
func (k key) shownDefault() string {
	switch {
	case k.isObject():
		return "[below](#" + strings.ToLower(k.Name) + ")"
	case k.Default.Kind == yaml.SequenceNode:
		var items []string
		for _, item := range k.Default.Content {
			items = append(items, item.Value)
		}
		return code(strings.Join(items, ", "))
	default:
		return code(k.Default.Value)
	}
}

// settingOf finds the field of the settings that a key is read into, with its default.
func settingOf(name string) (reflect.Value, bool) {
	defaults := reflect.ValueOf(settings.Defaults()).Elem()
	for _, field := range reflect.VisibleFields(defaults.Type()) {
		if field.Tag.Get("config") == name {
			return defaults.FieldByIndex(field.Index), true
		}
	}
	return reflect.Value{}, false
}

func code(text string) string {
	if text == "" {
		return "empty"
	}
	return "`" + strings.ReplaceAll(text, "|", `\|`) + "`"
}

// cell keeps a text in one cell of a table.
func cell(text string) string {
	return strings.ReplaceAll(strings.Join(strings.Fields(text), " "), "|", `\|`)
}
