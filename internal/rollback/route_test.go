package rollback

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
)

// RouteWeights implements Router.
func (w *world) RouteWeights(context.Context, string, string) (map[string]int, error) {
	return w.weights, nil
}

// SetRouteWeights implements Router.
func (w *world) SetRouteWeights(_ context.Context, _, route string, weights map[string]int) error {
	return w.simple(fmt.Sprintf("set %s %v", route, weights))
}

// WaitRoute implements Router.
func (w *world) WaitRoute(context.Context, string, string, map[string]int) error {
	return w.simple("accepted")
}

func divertedOptions(w *world) Options {
	set := options()
	set.AtOnce = true
	set.Divert = ByWeights(w, "shop", "finance", map[string]int{"finance-stable": 100, "finance-canary": 0})
	return set
}

// The requests are gone before the first pod is touched.
func TestTheWeightComesBeforeTheIsolation(t *testing.T) {
	w := newWorld()
	outcome := Run(t.Context(), w, w, divertedOptions(w))
	if err := outcome.Err(); err != nil {
		t.Fatal(err)
	}
	want := []string{"begin", "growth", "scale finance-stable", "set finance map[finance-canary:0 finance-stable:100]",
		"accepted", "label"}
	if calls := w.called(); len(calls) < len(want) || !slices.Equal(calls[:len(want)], want) {
		t.Errorf("called %v, want first %v", calls, want)
	}
	if !strings.Contains(outcome.String(), "route finance, accepted by its Gateway") {
		t.Errorf("the outcome does not tell of the route:\n%s", outcome)
	}
	w.expectOut(t)
}

// A route that cannot be changed, or a Gateway that does not answer, keeps no pod in traffic.
func TestAFailingRouteStillIsolates(t *testing.T) {
	for _, step := range []string{"set finance map[finance-canary:0 finance-stable:100]", "accepted"} {
		w := newWorld()
		w.failing = step
		if outcome := Run(t.Context(), w, w, divertedOptions(w)); !errors.Is(outcome.Err(), errTest) ||
			!strings.Contains(outcome.Err().Error(), "divert") {
			t.Errorf("the failure of %q is not reported: %v", step, outcome.Err())
		}
		w.expectOut(t)
		if err := Run(t.Context(), w, w, divertedOptions(w)).Err(); err != nil {
			t.Errorf("the second run fails: %v", err)
		}
	}
}

// A route of somebody else leads to the Service until the first shift: a canary that fails before gets nothing by it.
func TestARouteThatLeadsElsewhereStays(t *testing.T) {
	w := newWorld()
	w.weights = map[string]int{"finance": 1}
	outcome := Run(t.Context(), w, w, divertedOptions(w))
	if err := outcome.Err(); err != nil {
		t.Fatal(err)
	}
	for _, call := range w.called() {
		if strings.HasPrefix(call, "set ") || call == "accepted" {
			t.Errorf("called %s", call)
		}
	}
	if !strings.Contains(outcome.String(), "route finance has not led to the tracks yet") {
		t.Errorf("the outcome does not tell of the route:\n%s", outcome)
	}
	w.expectOut(t)
}
