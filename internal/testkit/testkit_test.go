package testkit

import (
	"slices"
	"testing"
	"time"
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

func TestAClockStandsStill(t *testing.T) {
	at := time.Unix(1700000000, 0)
	if clock := Clock(at); !clock.Now().Equal(at) || !(<-clock.After(time.Hour)).Equal(at) {
		t.Errorf("now %v", clock.Now())
	}
}
