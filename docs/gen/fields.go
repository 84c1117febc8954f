package main

import (
	"encoding"
	"fmt"
	"reflect"
	"slices"
	"strings"

	"github.com/prometheus/common/model"

	"github.com/vextrus/finance-rollout/internal/settings"
)

// walk visits the leaves of an object in the order of its type.
func walk(path string, value reflect.Value, visit func(path string, value reflect.Value)) {
	if value.Kind() != reflect.Struct || value.Type().Implements(reflect.TypeFor[encoding.TextMarshaler]()) {
		visit(path, value)
		return
	}
	for _, field := range reflect.VisibleFields(value.Type()) {
		name, _, _ := strings.Cut(field.Tag.Get("json"), ",")
		walk(path+"."+name, value.FieldByIndex(field.Index), visit)
	}
}

// writeFields writes the table of an object's fields, or of a map's entries.
func writeFields(text *strings.Builder, path string, value reflect.Value, meanings map[string]string) {
	if value.Kind() == reflect.Map {
		writeEntries(text, path, value)
		return
	}
	text.WriteString("| field | type | default | meaning |\n|---|---|---|---|\n")
	walk(path, value, func(path string, value reflect.Value) {
		fmt.Fprintf(text, "| `%s` | %s | %s | %s |\n", path, typeName(value.Type()), defaultOf(value), cell(meanings[path]))
	})
}

func writeEntries(text *strings.Builder, path string, value reflect.Value) {
	if value.Len() == 0 {
		fmt.Fprintf(text, "It has no default entries.\n")
		return
	}
	text.WriteString("| default entry | value |\n|---|---|\n")
	for _, name := range sortedKeys(value) {
		fmt.Fprintf(text, "| `%s.%s` | %s |\n", path, name, defaultOf(value.MapIndex(name)))
	}
}

func sortedKeys(value reflect.Value) []reflect.Value {
	return slices.SortedFunc(slices.Values(value.MapKeys()), func(a,
		b reflect.Value) int {
		return strings.Compare(a.String(), b.String())
	})
}

// typeName is how the reference calls a type.
func typeName(of reflect.Type) string {
	switch of {
	case reflect.TypeFor[model.Duration]():
		return "duration"
	case reflect.TypeFor[settings.Secret]():
		return "secret"
	case reflect.TypeFor[settings.SecretRef]():
		return "secret/key"
	case reflect.TypeFor[settings.Port]():
		return "port"
	case reflect.TypeFor[settings.Overlay]():
		return "as `pod`"
	case reflect.TypeFor[settings.Latency]():
		return "duration"
	case reflect.TypeFor[settings.Matcher]():
		return "matcher"
	case reflect.TypeFor[settings.Exclusions]():
		return "map or list"
	}
	switch of.Kind() {
	case reflect.Pointer:
		if of.Elem().Kind() == reflect.Bool {
			return "boolean"
		}
		key := strings.ToLower(of.Elem().Name())
		if _, ok := settingOf(key); !ok {
			return "object"
		}
		return "as `" + key + "`"
	case reflect.Map:
		return "map of " + typeName(of.Elem())
	case reflect.Slice:
		return "list of " + typeName(of.Elem())
	case reflect.Int:
		return "integer"
	case reflect.Float64:
		return "number"
	case reflect.Bool:
		return "boolean"
	case reflect.Struct:
		return "object"
	default:
		return of.Kind().String()
	}
}

// defaultOf is a default value in a cell of a table.
func defaultOf(value reflect.Value) string {
	switch value.Kind() {
	case reflect.Map:
		var entries []string
		for _, name := range sortedKeys(value) {
			entries = append(entries, fmt.Sprintf("%v: %v", name, value.MapIndex(name)))
		}
		return code(strings.Join(entries, ", "))
	case reflect.Slice:
		var items []string
		for i := range value.Len() {
			items = append(items, fmt.Sprint(value.Index(i)))
		}
		return code(strings.Join(items, ", "))
	case reflect.Pointer:
		return code("")
	case reflect.String:
		return code(value.String())
	default:
		return code(fmt.Sprint(value))
	}
}
