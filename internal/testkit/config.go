package testkit

import (
	"maps"
	"slices"
)

// Config is the configuration of a stack by key, without the project's name: a settings.Source. The values of the key
// "secrets" count as encrypted.
type Config map[string]string

// Get gives the value of a key, and false when it is not set.
func (c Config) Get(key string) (string, bool) {
	value, ok := c[key]
	return value, ok
}

// IsSecret reports whether the value of a key is encrypted.
func (c Config) IsSecret(key string) bool { return key == "secrets" }

// Keys lists the keys, sorted.
func (c Config) Keys() []string { return slices.Sorted(maps.Keys(c)) }

// With gives a copy with some keys changed.
func (c Config) With(changes map[string]string) Config {
	changed := maps.Clone(c)
	maps.Copy(changed, changes)
	return changed
}
