package smoke

import (
	"fmt"
	"reflect"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"
)

// decodeStrict decodes a YAML document into out, a pointer to a struct. The decoder's own strictness knows neither the
// check that a mistake is in nor what would have been allowed there, so the document is compared with the struct's type
// first.
func decodeStrict(document *yaml.Node, out any) error {
	root := document
	if root.Kind == yaml.DocumentNode && len(root.Content) == 1 {
		root = root.Content[0]
	}
	if err := compare(root, reflect.TypeOf(out).Elem(), place{}); err != nil {
		return err
	}
	return root.Decode(out)
}

// place is where in a suite file a node is.
type place struct{ check, field string }

func (p place) at(field string) place {
	if p.field != "" && !strings.HasPrefix(field, "[") {
		field = "." + field
	}
	return place{check: p.check, field: p.field + field}
}

func (p place) errorf(node *yaml.Node, format string, args ...any) error {
	prefix := fmt.Sprintf("line %d: ", node.Line)
	if p.check != "" {
		prefix += fmt.Sprintf("check %q: ", clip(p.check, 64))
	}
	if p.field != "" {
		prefix += clip(p.field, 128) + ": "
	}
	return fmt.Errorf("%s%w", prefix, fmt.Errorf(format, args...))
}

// compare reports the first node that does not fit the type.
func compare(node *yaml.Node, t reflect.Type, at place) error {
	if t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	switch {
	case node.Kind == yaml.AliasNode || node.Anchor != "":
		return at.errorf(node, "anchors and aliases are not supported; write the value out")
	case t.Kind() == reflect.Interface:
		return compareFree(node, at)
	case node.Tag == "!!null":
		return at.errorf(node, "has no value; give it one or remove it")
	case t == reflect.TypeFor[time.Duration]():
		return compareScalar(node, t, at, "a duration such as 500ms or 5s")
	case t == reflect.TypeFor[StatusRange]():
		return compareScalar(node, t, at, `a status code such as 200 or a range such as "400-499"`)
	}
	switch t.Kind() {
	case reflect.Struct:
		return compareStruct(node, t, at)
	case reflect.Map:
		return compareMap(node, t, at)
	case reflect.Slice:
		return compareList(node, t, at)
	case reflect.Int:
		return compareScalar(node, t, at, "a whole number")
	case reflect.Bool:
		return compareScalar(node, t, at, "true or false")
	default:
		return compareScalar(node, t, at, "a text")
	}
}

// compareFree accepts any value; duplicate keys within it are found by the decoder.
func compareFree(node *yaml.Node, at place) error {
	if node.Kind == yaml.AliasNode || node.Anchor != "" {
		return at.errorf(node, "anchors and aliases are not supported; write the value out")
	}
	for _, child := range node.Content {
		if err := compareFree(child, at); err != nil {
			return err
		}
	}
	return nil
}

func compareScalar(node *yaml.Node, t reflect.Type, at place, allowed string) error {
	if node.Kind != yaml.ScalarNode {
		return at.errorf(node, "must be %s, not a %s", allowed, kindName(node))
	}
	// A duration without a unit would be taken as nanoseconds.
	bare := t == reflect.TypeFor[time.Duration]() && node.ShortTag() != "!!str"
	if err := node.Decode(reflect.New(t).Interface()); err != nil || bare {
		return at.errorf(node, "must be %s, got %q", allowed, clip(node.Value, 64))
	}
	return nil
}

func compareStruct(node *yaml.Node, t reflect.Type, at place) error {
	if node.Kind != yaml.MappingNode {
		return at.errorf(node, "must be a mapping with the fields %s, not a %s", strings.Join(fieldNames(t), ", "),
			kindName(node))
	}
	types := make(map[string]reflect.Type, t.NumField())
	for i := range t.NumField() {
		types[t.Field(i).Tag.Get("yaml")] = t.Field(i).Type
	}
	if t == reflect.TypeFor[checkFile]() {
		at = place{check: scalarField(node, "name"), field: at.field}
		if at.check != "" {
			at.field = ""
		}
	}
	return eachEntry(node, at, func(key, value *yaml.Node) error {
		fieldType, ok := types[key.Value]
		if !ok {
			return at.errorf(key, "unknown field %q; allowed: %s", clip(key.Value, 64), strings.Join(fieldNames(t), ", "))
		}
		return compare(value, fieldType, at.at(key.Value))
	})
}

func compareMap(node *yaml.Node, t reflect.Type, at place) error {
	if node.Kind != yaml.MappingNode {
		return at.errorf(node, "must be a mapping, not a %s", kindName(node))
	}
	return eachEntry(node, at, func(key, value *yaml.Node) error {
		return compare(value, t.Elem(), at.at(key.Value))
	})
}

func compareList(node *yaml.Node, t reflect.Type, at place) error {
	if node.Kind != yaml.SequenceNode {
		return at.errorf(node, "must be a list, not a %s", kindName(node))
	}
	for i, item := range node.Content {
		if err := compare(item, t.Elem(), at.at(fmt.Sprintf("[%d]", i))); err != nil {
			return err
		}
	}
	return nil
}

// eachEntry visits the entries of a mapping and refuses keys that are not plain or occur twice.
func eachEntry(node *yaml.Node, at place, visit func(key, value *yaml.Node) error) error {
	seen := make(map[string]bool)
	for i := 0; i+1 < len(node.Content); i += 2 {
		key, value := node.Content[i], node.Content[i+1]
		if key.Kind != yaml.ScalarNode || key.Anchor != "" || key.ShortTag() == "!!merge" {
			return at.errorf(key, "every key must be a plain text")
		}
		if seen[key.Value] {
			return at.errorf(key, "field %q is given twice", clip(key.Value, 64))
		}
		seen[key.Value] = true
		if err := visit(key, value); err != nil {
			return err
		}
	}
	return nil
}

func fieldNames(t reflect.Type) []string {
	names := make([]string, t.NumField())
	for i := range names {
		names[i] = t.Field(i).Tag.Get("yaml")
	}
	return names
}

func scalarField(node *yaml.Node, name string) string {
	for i := 0; i+1 < len(node.Content); i += 2 {
		if node.Content[i].Value == name && node.Content[i+1].Kind == yaml.ScalarNode {
			return node.Content[i+1].Value
		}
	}
	return ""
}

func kindName(node *yaml.Node) string {
	switch node.Kind {
	case yaml.MappingNode:
		return "mapping"
	case yaml.SequenceNode:
		return "list"
	default:
		return "single value"
	}
}
