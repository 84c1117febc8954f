package settings

import (
	"bytes"
	"encoding/json"
	"reflect"
	"strconv"
	"strings"
)

// unquote makes numbers and booleans of the texts in an object where its Go type holds one: `pulumi config set --path`
// stores 0.005 as the text "0.005", although it stores 5 as a number, and people quote numbers in YAML. Texts that hold
// none are left to the decoder, which refuses them.
func unquote(raw string, of reflect.Type) string {
	decoder := json.NewDecoder(strings.NewReader(raw))
	decoder.UseNumber()
	var value any
	if err := decoder.Decode(&value); err != nil || decoder.More() {
		return raw
	}
	changed := false
	value = unquoteValue(value, of, &changed)
	var text bytes.Buffer
	if err := json.NewEncoder(&text).Encode(value); err != nil || !changed {
		return raw
	}
	return text.String()
}

func unquoteValue(value any, of reflect.Type, changed *bool) any {
	for of.Kind() == reflect.Pointer {
		of = of.Elem()
	}
	switch value := value.(type) {
	case string:
		if isLiteral(value, of.Kind()) {
			*changed = true
			return json.RawMessage(value)
		}
	case []any:
		if of.Kind() == reflect.Slice {
			for i := range value {
				value[i] = unquoteValue(value[i], of.Elem(), changed)
			}
		}
	case map[string]any:
		if of.Kind() != reflect.Struct {
			return value
		}
		for _, field := range reflect.VisibleFields(of) {
			name, _, _ := strings.Cut(field.Tag.Get("json"), ",")
			if held, set := value[name]; set && name != "" {
				value[name] = unquoteValue(held, field.Type, changed)
			}
		}
	}
	return value
}

// isLiteral reports whether a text is a literal of JSON that a type of that kind takes.
func isLiteral(text string, kind reflect.Kind) bool {
	if !json.Valid([]byte(text)) {
		return false
	}
	var err error
	switch kind {
	case reflect.Float64:
		_, err = strconv.ParseFloat(text, 64)
	case reflect.Int:
		_, err = strconv.Atoi(text)
	case reflect.Bool:
		return text == "true" || text == "false"
	default:
		return false
	}
	return err == nil
}
