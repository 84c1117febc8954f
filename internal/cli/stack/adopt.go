package stack

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"

	"github.com/pulumi/pulumi/sdk/v3/go/common/resource/config"
	"github.com/pulumi/pulumi/sdk/v3/go/common/workspace"

	"github.com/vextrus/finance-rollout/internal/settings"
)

// Sealed stands for a value of the stack's file that is encrypted, as a whole or in part.
type Sealed struct{}

// Given lists what the stack's own file sets: values by their keys, as JSON data. Encrypted ones are Sealed.
func (s *Stack) Given() (map[string]any, error) {
	stack, err := s.loadFile()
	if err != nil {
		return nil, err
	}
	given := map[string]any{}
	for key, value := range stack.Config {
		if key.Namespace() != s.ConfigNamespace() {
			continue
		}
		if value.Secure() {
			given[key.Name()] = Sealed{}
			continue
		}
		text, err := value.Value(config.NewBlindingDecrypter())
		if err != nil {
			return nil, fmt.Errorf("config %s: %w", key.Name(), err)
		}
		given[key.Name()] = dataOf(text, value.Object())
	}
	return given, nil
}

// Reopen opens the stack again, with what was written since.
func (s *Stack) Reopen(ctx context.Context) (*Stack, error) {
	return Open(ctx, s.options())
}

// dataOf reads a value as JSON data. A text that is a number or a boolean counts as one.
func dataOf(text string, isObject bool) any {
	var data any
	if err := json.Unmarshal([]byte(text), &data); err != nil {
		return text
	}
	switch data.(type) {
	case map[string]any, []any:
		if !isObject && !strings.HasPrefix(strings.TrimSpace(text), "{") {
			return text
		}
	case string, nil:
		return text
	}
	return data
}

// With reads the settings as they are with these values of whole keys, and changes nothing. Secrets stay masked.
func (s *Stack) With(values map[string]any) (*settings.Settings, error) {
	project, _, err := findProject(s.Dir)
	if err != nil {
		return nil, err
	}
	file, err := fromFile(project, s.file)
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", s.file, err)
	}
	if file == nil {
		return nil, fmt.Errorf("%s refers to a Pulumi ESC environment: set its values by hand", s.file)
	}
	base := file.of(s.ConfigNamespace())
	for key, value := range values {
		if base.values[key], err = textOf(value); err != nil {
			return nil, fmt.Errorf("config %s: %w", key, err)
		}
		base.secrets[key] = false
	}
	return s.settingsOf(file)
}

// Write writes values of whole keys, none of them secret, into the stack's file. The rest of the file stays as it is.
func (s *Stack) Write(values map[string]any) error {
	stack, err := s.loadFile()
	if err != nil {
		return err
	}
	for name, value := range values {
		key, err := config.ParseKey(s.ConfigNamespace() + ":" + name)
		if err != nil {
			return fmt.Errorf("config %s: %w", name, err)
		}
		text, err := textOf(value)
		if err != nil {
			return fmt.Errorf("config %s: %w", name, err)
		}
		written := config.NewValue(text)
		switch value.(type) {
		case string:
		case int, int64, float64, bool:
			written = config.NewTypedValue(text, typeOf(value))
		default:
			written = config.NewObjectValue(text)
		}
		if err := stack.Config.Set(key, written, false); err != nil {
			return fmt.Errorf("config %s: %w", name, err)
		}
	}
	if err := stack.Save(s.file); err != nil {
		return fmt.Errorf("write %s: %w", s.file, err)
	}
	return nil
}

func typeOf(value any) config.Type {
	switch value.(type) {
	case bool:
		return config.TypeBool
	case float64:
		return config.TypeFloat
	default:
		return config.TypeInt
	}
}

// textOf is a value in the form of the configuration: a text as it is, everything else as JSON.
func textOf(value any) (string, error) {
	if text, ok := value.(string); ok {
		return text, nil
	}
	encoded, err := json.Marshal(value)
	return string(encoded), err
}

func (s *Stack) loadFile() (*workspace.ProjectStack, error) {
	project, _, err := findProject(s.Dir)
	if err != nil {
		return nil, err
	}
	stack, err := loadStack(project, s.file)
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", s.file, err)
	}
	return stack, nil
}
