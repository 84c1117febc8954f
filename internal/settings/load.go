package settings

import (
	"encoding"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/vextrus/finance-rollout/internal/redact"
)

// Source is where configuration comes from.
type Source interface {
	// Get gives the raw value of a key: text, or JSON for an object or a list. The second result is false when it is not
	// set.
	Get(key string) (string, bool)
	// IsSecret reports whether the value of a key is encrypted in the stack's file.
	IsSecret(key string) bool
	// Keys lists every key that is set.
	Keys() []string
}

// Load reads and validates the settings of a stack. The environment is the stack's name unless it is configured. The
// error joins one *Error for each problem. The settings come with it all the same, with the default in place of a value
// that cannot be read, because a rollback must work on a stack whose configuration is wrong.
func Load(stack string, source Source) (*Settings, error) {
	s := Defaults()
	s.Environment, s.stack = stack, stack
	errs := problems{commands: commands{stack}}
	errs.unknownKeys(source)
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
		target := value.FieldByIndex(field.Index)
		if short, ok := target.Interface().(shorthand); ok {
			raw = short.expand(raw)
		}
		err := decode(raw, s.inherited(raw, target))
		if err != nil && !errs.explain(key, raw, field.Type, isHidden(source, key)) {
			errs.add(key, shownValue(source, key, raw), "", "%s", err)
		}
	}
	s.secretsFromKey = source.IsSecret("secrets")
	s.buildEncrypted = source.IsSecret("build")
	s.refuseEncrypted(source, &errs)
	s.derive()
	if len(errs.list) == 0 {
		s.validate(&errs)
	}
	return s, errors.Join(errs.list...)
}

// IsRollout reports whether a source holds what nothing but a rollout has. The namespace of a provider, such as
// aws:region, or of another component does not.
func IsRollout(source Source) bool {
	for _, key := range []string{"stableImage", "week", "canaryWeight"} {
		if _, given := source.Get(key); given {
			return true
		}
	}
	strategy, _ := source.Get("strategy")
	return strategy == StrategySingle || strategy == StrategyCanary
}

// shorthand is an object that a single word can stand for.
type shorthand interface{ expand(raw string) string }

// inherited gives the value that raw is decoded into. Where a track overrides a part of its probes or resources, that
// is a copy of the stack's, whose other parts it keeps.
func (s *Settings) inherited(raw string, target reflect.Value) reflect.Value {
	override, ok := target.Addr().Interface().(*TrackOverride)
	if !ok {
		return target
	}
	var given map[string]json.RawMessage
	if err := json.Unmarshal([]byte(raw), &given); err != nil {
		return target
	}
	for name, value := range given {
		switch {
		case string(value) == "null":
		case strings.EqualFold(name, "probes"):
			probes := s.Probes
			override.Probes = &probes
		case strings.EqualFold(name, "resources"):
			resources := s.Resources
			override.Resources = &resources
		}
	}
	return target
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
		if slices.Contains(known, key) {
			continue
		}
		if head, _, isPath := strings.Cut(key, "."); isPath && slices.Contains(known, head) {
			p.forgottenPath(source, key, head)
			continue
		}
		meant := nearest(key, known)
		if meant == "" {
			p.add(key, "", p.remove(key), "no such key; allowed are %s", strings.Join(known, ", "))
			continue
		}
		fix := p.remove(key)
		if value, _ := source.Get(key); !isHidden(source, key) && !isHidden(source, meant) && plainWord.MatchString(value) &&
			redact.Kind(value) == "" {
			fix += " && " + p.set(meant, value)
		}
		p.add(key, "", fix, "no such key; did you mean %s?", meant)
	}
}

// forgottenPath reports the path of a field that was set as a key, as `pulumi config set` without --path does.
func (p *problems) forgottenPath(source Source, key, head string) {
	value, _ := source.Get(key)
	fix := p.setPath(key, value)
	switch {
	case isHidden(source, key) || isHidden(source, head):
		fix = p.setSecret(key)
	case !plainWord.MatchString(value) || redact.Kind(value) != "":
		fix = p.setPath(key, "VALUE")
	}
	p.add(key, "", p.config("rm "+word(key))+" && "+fix, "no such key; %s is an object, and its fields are set with "+
		"--path", head)
}

// plainWord is a value that a shell takes as it is.
var plainWord = regexp.MustCompile(`^[\w./:@-]{1,80}$`)

// isHidden reports whether the value of a key may hold a secret.
func isHidden(source Source, key string) bool {
	hidden := []string{"secrets", "registry", "build", prometheusAuth, alertmanagerAuth}
	return source.IsSecret(key) || slices.Contains(hidden, key)
}

// shownValue keeps what may hold a secret out of error messages.
func shownValue(source Source, key, raw string) string {
	if isHidden(source, key) {
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
	decoder := json.NewDecoder(strings.NewReader(unquote(raw, target.Type())))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(target.Addr().Interface()); err != nil {
		return fmt.Errorf("not a valid object: %w", err)
	}
	return nil
}
