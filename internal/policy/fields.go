package policy

import (
	"fmt"
	"slices"
	"strings"

	"github.com/pulumi/pulumi/sdk/v3/go/property"

	"github.com/vextrus/finance-rollout/internal/redact"
)

// credentialsInFields reads every field of an object of Kubernetes that no other policy of credentials reads: the
// headers and commands of probes and hooks, the options of volumes, and all of a custom resource.
func credentialsInFields(r Resource, _ Limits) []string {
	switch r.kind() {
	case "", "ConfigMap", "Secret":
		return nil
	}
	reader := fieldReader{}
	entries(r.root(), func(key string, value property.Value) {
		if key != "metadata" {
			reader.read([]string{key}, key, value)
		}
	})
	var messages []string
	for _, match := range reader.matches {
		messages = append(messages, fmt.Sprintf("%s of %s %s holds %s; let it come from a Secret, then change it", match.path,
			r.kind(), r.name(), match.kind))
	}
	return messages
}

// fieldReader collects the fields that hold a credential.
type fieldReader struct {
	matches []struct{ path, kind string }
}

func (f *fieldReader) add(path []string, kind string) {
	field := strings.ReplaceAll(strings.Join(path, "."), ".[]", "[]")
	f.matches = append(f.matches, struct{ path, kind string }{field, kind})
}

// read looks at a value and all that is below it. The name is that of the field, or of the list around it.
func (f *fieldReader) read(path []string, name string, value property.Value) {
	switch {
	case value.IsString():
		if kind := kindOf(name, value); kind != "" {
			f.add(path, kind)
		}
	case value.IsMap():
		f.readMap(path, value)
	case value.IsArray():
		if kind := credentialInWords(items(value)); isWords(value) && kind != "" {
			f.add(path, kind)
			return
		}
		for _, item := range items(value) {
			f.read(append(slices.Clip(path), "[]"), name, item)
		}
	}
}

// readMap reads the fields of an object. In {name, value} the name is a name of the value.
func (f *fieldReader) readMap(path []string, value property.Value) {
	pod := isPodSpec(value)
	named := text(at(value, "name"))
	if named == "" {
		named = text(at(value, "key"))
	}
	entries(value, func(key string, inner property.Value) {
		below := append(slices.Clip(path), key)
		switch {
		case key == "metadata" && isTemplate(value):
			// credential-in-metadata reads it.
		case pod && slices.Contains([]string{keyContainers, keyInitContainers, keyEphemeral}, key):
			for _, c := range items(inner) {
				f.readContainer(append(below, "[]"), c)
			}
		case key == "value" && named != "":
			f.read(below, named, inner)
		default:
			f.read(below, key, inner)
		}
	})
}

// readContainer leaves out what credential-in-env and credential-in-args read.
func (f *fieldReader) readContainer(path []string, c property.Value) {
	entries(c, func(key string, inner property.Value) {
		if !slices.Contains([]string{"env", "command", "args", "image"}, key) {
			f.read(append(slices.Clip(path), key), key, inner)
		}
	})
}

func isTemplate(value property.Value) bool { return isPodSpec(at(value, "spec")) }

// isWords tells that a list is one of texts.
func isWords(value property.Value) bool {
	return !slices.ContainsFunc(items(value), func(item property.Value) bool { return !item.IsString() })
}

func kindOf(name string, value property.Value) string {
	if value.Secret() {
		return "a Pulumi secret, which the object shows in the open"
	}
	return redact.KindOf(name, text(value))
}
