package settings

import (
	"encoding"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strconv"
	"strings"
)

// Source is where configuration comes from.
type Source interface {
	// Get gives the raw value of a key: text, or JSON for an object or a list. The second result is false when it is not
	// set.
	Get(key string) (string, bool)
	// IsSecret tells whether the value of a key is encrypted in the stack's file.
	IsSecret(key string) bool
	// Keys lists every key that is set.
	Keys() []string
}

// Load reads and validates the settings of a stack. The environment is the stack's name unless it is configured. The
// error joins one *Error for each problem found. The settings come with it all the same, a value that cannot be read
// being at its default, for whoever must act on a stack whose configuration is wrong.
func Load(stack string, source Source) (*Settings, error) {
	s := Defaults()
	s.Environment = stack
	var found problems
	found.unknownKeys(source)
	value := reflect.ValueOf(s).Elem()
	for _, field := range reflect.VisibleFields(value.Type()) {
		key := field.Tag.Get("config")
		if key == "" {
			continue
		}
		raw, given := source.Get(key)
		if !given || raw == "" && key == "environment" {
			continue
		}
		if err := decode(raw, value.FieldByIndex(field.Index)); err != nil {
			found.add(key, shownValue(source, key, raw), "", "%s", err)
		}
	}
	s.secretsFromKey = source.IsSecret("secrets")
	s.derive()
	if len(found) == 0 {
		found = s.validate()
	}
	return s, errors.Join(found...)
}

// Keys lists every configuration key, sorted.
func Keys() []string {
	var keys []string
	for _, field := range reflect.VisibleFields(reflect.TypeFor[Settings]()) {
		if key := field.Tag.Get("config"); key != "" {
			keys = append(keys, key)
		}
	}
	slices.Sort(keys)
	return keys
}

func (p *problems) unknownKeys(source Source) {
	known := Keys()
	for _, key := range source.Keys() {
		if !slices.Contains(known, key) {
			p.add(key, "", "pulumi config rm "+key, "no such key; allowed are %s", strings.Join(known, ", "))
		}
	}
}

// shownValue keeps what may hold a secret out of error messages.
func shownValue(source Source, key, raw string) string {
	if source.IsSecret(key) || key == "secrets" || key == "registry" {
		return ""
	}
	return raw
}

// decode reads raw into target. The fields of an object that raw does not hold keep their defaults; a map or a list is
// replaced as a whole, so that a service need not inherit the names of another one.
func decode(raw string, target reflect.Value) error {
	if text, ok := target.Addr().Interface().(encoding.TextUnmarshaler); ok {
		return text.UnmarshalText([]byte(raw))
	}
	switch target.Kind() {
	case reflect.String:
		target.SetString(strings.TrimSpace(raw))
		return nil
	case reflect.Int:
		number, err := strconv.Atoi(strings.TrimSpace(raw))
		if err != nil {
			return errors.New("not a whole number")
		}
		target.SetInt(int64(number))
		return nil
	case reflect.Map, reflect.Slice:
		target.SetZero()
	}
	return decodeObject(raw, target)
}

func decodeObject(raw string, target reflect.Value) error {
	decoder := json.NewDecoder(strings.NewReader(unquoteNumbers(raw, target.Type())))
	decoder.DisallowUnknownFields()
	err := decoder.Decode(target.Addr().Interface())
	var mismatch *json.UnmarshalTypeError
	switch {
	case errors.As(err, &mismatch):
		return fmt.Errorf("field %s must be of type %s, not %s", mismatch.Field, mismatch.Type, mismatch.Value)
	case err != nil && strings.HasPrefix(err.Error(), "json: unknown field "):
		return fmt.Errorf("%s; allowed are %s", strings.TrimPrefix(err.Error(), "json: "), fieldsOf(target.Type()))
	case err != nil:
		return fmt.Errorf("not a valid object: %w", err)
	}
	return nil
}

// fieldsOf names every field that an object may hold, those of its own objects with their path.
func fieldsOf(of reflect.Type) string {
	var names []string
	var walk func(prefix string, of reflect.Type)
	walk = func(prefix string, of reflect.Type) {
		if of.Kind() == reflect.Pointer {
			of = of.Elem()
		}
		if of.Kind() != reflect.Struct {
			names = append(names, strings.TrimSuffix(prefix, "."))
			return
		}
		for _, field := range reflect.VisibleFields(of) {
			name, _, _ := strings.Cut(field.Tag.Get("json"), ",")
			if name == "" {
				names = append(names, strings.TrimSuffix(prefix, "."))
				return
			}
			walk(prefix+name+".", field.Type)
		}
	}
	walk("", of)
	return strings.Join(names, ", ")
}
