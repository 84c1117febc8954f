package admission

import (
	"fmt"
	"strings"

	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/yaml"
)

// List is the objects as one list, in the form that kubectl reads.
func (r Rollout) List() (map[string]any, error) {
	items, err := r.items()
	if err != nil {
		return nil, err
	}
	return map[string]any{"apiVersion": "v1", "kind": "List", "items": items}, nil
}

// YAML is the objects as documents of YAML.
func (r Rollout) YAML() (string, error) {
	items, err := r.items()
	if err != nil {
		return "", err
	}
	var out strings.Builder
	for _, item := range items {
		text, err := yaml.Marshal(item)
		if err != nil {
			return "", fmt.Errorf("encode the policies: %w", err)
		}
		out.WriteString("---\n" + string(text))
	}
	return out.String(), nil
}

// items are the objects without what only the API server writes.
func (r Rollout) items() ([]map[string]any, error) {
	objects, err := r.Objects()
	if err != nil {
		return nil, err
	}
	var items []map[string]any
	for _, object := range objects {
		item, err := runtime.DefaultUnstructuredConverter.ToUnstructured(object)
		if err != nil {
			return nil, fmt.Errorf("encode the policies: %w", err)
		}
		delete(item, "status")
		if metadata, ok := item["metadata"].(map[string]any); ok {
			delete(metadata, "creationTimestamp")
		}
		items = append(items, item)
	}
	return items, nil
}
