package testkit

import (
	"slices"
	"testing"
)

func TestConfig(t *testing.T) {
	stack := Config{"week": "1", "secrets": "{}"}
	changed := stack.With(map[string]string{"week": "2", "app": "shop"})
	if value, ok := changed.Get("week"); !ok || value != "2" || stack["week"] != "1" {
		t.Errorf("%q, %v, %v", value, ok, stack)
	}
	if _, ok := stack.Get("app"); ok {
		t.Error("a key that is not set has a value")
	}
	if !slices.Equal(changed.Keys(), []string{"app", "secrets", "week"}) || !changed.IsSecret("secrets") ||
		changed.IsSecret("week") {
		t.Errorf("keys %v", changed.Keys())
	}
}
