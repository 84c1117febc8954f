package stack

import (
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"

	"github.com/pulumi/pulumi/sdk/v3/go/common/diag"
	"github.com/pulumi/pulumi/sdk/v3/go/common/diag/colors"
	"github.com/pulumi/pulumi/sdk/v3/go/common/resource/config"
	"github.com/pulumi/pulumi/sdk/v3/go/common/workspace"

	"github.com/vextrus/finance-rollout/internal/settings"
)

// source is the configuration of one rollout: a namespace of the stack's.
type source struct {
	values  map[string]string
	secrets map[string]bool
}

var _ settings.Source = (*source)(nil)

func newSource() *source { return &source{values: map[string]string{}, secrets: map[string]bool{}} }

// Get implements settings.Source.
func (s *source) Get(key string) (string, bool) {
	value, ok := s.values[key]
	return value, ok
}

// IsSecret implements settings.Source.
func (s *source) IsSecret(key string) bool { return s.secrets[key] }

// Keys implements settings.Source.
func (s *source) Keys() []string { return slices.Sorted(maps.Keys(s.values)) }

// sources is the whole configuration of a stack, by its namespaces.
type sources map[string]*source

// of is the configuration in a namespace, which may be empty.
func (s sources) of(namespace string) *source {
	if s[namespace] == nil {
		s[namespace] = newSource()
	}
	return s[namespace]
}

// fromFile reads the stack's file and masks its secrets. It returns nil when the file refers to a Pulumi ESC
// environment.
func fromFile(project *workspace.Project, path string) (sources, error) {
	stack, err := loadStack(project, path)
	if err != nil {
		return nil, err
	}
	if stack.Environment != nil {
		return nil, nil
	}
	read := sources{}
	for key, value := range stack.Config {
		text, err := value.Value(config.NewBlindingDecrypter())
		if err != nil {
			return nil, fmt.Errorf("config %s: %w", key, err)
		}
		of := read.of(key.Namespace())
		of.values[key.Name()], of.secrets[key.Name()] = text, value.Secure()
	}
	err = read.complete(project)
	return read, err
}

// Values returns values of the stack's own file by the path of their key, in the form that Set takes. A key that the
// file does not set is empty. Inside an object only scalar fields can be read.
func (s *Stack) Values(paths []string) (map[string]string, error) {
	stack, err := s.loadFile()
	if err != nil {
		return nil, err
	}
	values := map[string]string{}
	for _, path := range paths {
		key, err := config.ParseKey(s.ConfigNamespace() + ":" + path)
		if err != nil {
			return nil, fmt.Errorf("config %s: %w", path, err)
		}
		value, given, err := stack.Config.Get(key, true)
		if err != nil {
			return nil, fmt.Errorf("config %s: %w", path, err)
		}
		values[path] = ""
		if !given {
			continue
		}
		if values[path], err = value.Value(config.NewBlindingDecrypter()); err != nil {
			return nil, fmt.Errorf("config %s: %w", path, err)
		}
	}
	return values, nil
}

func loadStack(project *workspace.Project, path string) (*workspace.ProjectStack, error) {
	sink := diag.DefaultSink(io.Discard, io.Discard, diag.FormatOptions{Color: colors.Never})
	return workspace.LoadProjectStack(sink, project, path)
}

// complete adds the project's values and defaults for keys that the stack does not set. A key without a namespace is
// the project's own.
func (s sources) complete(project *workspace.Project) error {
	for name, key := range project.Config {
		value := key.Value
		if value == nil {
			value = key.Default
		}
		namespace, name, named := strings.Cut(name, ":")
		if !named {
			namespace, name = project.Name.String(), namespace
		}
		if value == nil {
			continue
		}
		of := s.of(namespace)
		if _, given := of.values[name]; given {
			continue
		}
		if text, ok := value.(string); ok {
			of.values[name] = text
			continue
		}
		text, err := json.Marshal(value)
		if err != nil {
			return fmt.Errorf("config %s of the project: %w", name, err)
		}
		of.values[name] = string(text)
	}
	return nil
}
