package settings

import (
	"bytes"
	"encoding/json"
	"reflect"
	"strconv"
	"strings"
)

// unquoteNumbers makes numbers of the texts in an object where its Go type holds a fraction: `pulumi config set
// --path` stores 0.005 as the text "0.005", although it stores 5 as a number. What is no object, or no number, stays
// for the decoder to complain about.
func unquoteNumbers(raw string, of reflect.Type) string {
	decoder := json.NewDecoder(strings.NewReader(raw))
	decoder.UseNumber()
	var value any
	if err := decoder.Decode(&value); err != nil || decoder.More() {
		return raw
	}
	changed := false
	value = unquote(value, of, &changed)
	var text bytes.Buffer
	if err := json.NewEncoder(&text).Encode(value); err != nil || !changed {
		return raw
	}
	return text.String()
}

func unquote(value any, of reflect.Type, changed *bool) any {
	for of.Kind() == reflect.Pointer {
		of = of.Elem()
	}
	switch value := value.(type) {
	case string:
		if _, err := strconv.ParseFloat(value, 64); err == nil && of.Kind() == reflect.Float64 && json.Valid([]byte(value)) {
			*changed = true
			return json.Number(value)
		}
	case []any:
		if of.Kind() == reflect.Slice {
			for i := range value {
				value[i] = unquote(value[i], of.Elem(), changed)
			}
		}
	case map[string]any:
		if of.Kind() != reflect.Struct {
			return value
		}
		for _, field := range reflect.VisibleFields(of) {
			name, _, _ := strings.Cut(field.Tag.Get("json"), ",")
			if held, set := value[name]; set && name != "" {
				value[name] = unquote(held, field.Type, changed)
			}
		}
	}
	return value
}
