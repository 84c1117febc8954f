package shift

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/vextrus/finance-rollout/internal/shift/shifttest"
)

// foreign is a move of a stack whose route somebody else makes, with these weights of its backends.
func foreign(t *testing.T, w *shifttest.Cluster, weight int, weights map[string]int) *move {
	t.Helper()
	config := gatewayConfig(weight)
	config["gateway"] = `{"route":"shop"}`
	h := newMove(t, w, config)
	w.Gateway.Weights = weights
	return h
}

// A route that leads to the Service leads to the tracks when both are ready, with the weights of the plan at once.
func TestARouteThatExistsIsSplitWhenTheTracksAreReady(t *testing.T) {
	w := shifttest.New()
	h := foreign(t, w, 10, map[string]int{"finance-service": 1})
	if err := h.route.settle(t.Context()); err != nil {
		t.Fatal(err)
	}
	want := []string{stableReady, fmt.Sprintf(canaryReady, 1), stableReady, fmt.Sprintf(canaryReady, 1),
		"split finance-service of shop into 90/10", "accepted 90/10"}
	if diff := cmp.Diff(want, w.Gateway.Calls); diff != "" {
		t.Errorf("calls (-want +got):\n%s", diff)
	}
	if w.Gateway.Asked != "shop" {
		t.Errorf("asked for the route %q", w.Gateway.Asked)
	}
}

func TestARouteThatExistsIsShifted(t *testing.T) {
	w := shifttest.New()
	h := foreign(t, w, 30, map[string]int{"finance-service-stable": 90, "finance-service-canary": 10})
	if err := h.route.settle(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got := strings.Join(w.Gateway.Calls, ", "); !strings.HasSuffix(got, "set 70/30, accepted 70/30") ||
		strings.Contains(got, "split") {
		t.Errorf("calls %s", got)
	}
}

// A new rule that leads to the Service is split as the others are.
func TestARuleThatIsNewIsSplitToo(t *testing.T) {
	w := shifttest.New()
	h := foreign(t, w, 10, map[string]int{"finance-service-stable": 90, "finance-service-canary": 10,
		"finance-service": 1})
	if err := h.route.settle(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got := strings.Join(w.Gateway.Calls, ", "); !strings.HasSuffix(got,
		"split finance-service of shop into 90/10, accepted 90/10") {
		t.Errorf("calls %s", got)
	}
}

// A canary that the Gateway does not accept has none of the requests, and the route leads to the tracks by then.
func TestASplitThatIsNotAcceptedGivesTheCanaryNothing(t *testing.T) {
	w := shifttest.New()
	w.Gateway.Refuses = []string{"90/10"}
	h := foreign(t, w, 10, map[string]int{"finance-service": 1})
	err := h.route.settle(t.Context())
	if err == nil || !strings.Contains(err.Error(), "at 0 % for the canary") ||
		shifttest.Weights(w.Gateway.Weights) != "100/0" {
		t.Errorf("weights %v, error %v", w.Gateway.Weights, err)
	}
}

func TestARouteThatIsGoneFailsTheUpdate(t *testing.T) {
	w := shifttest.New()
	h := foreign(t, w, 10, nil)
	if err := h.route.settle(t.Context()); err == nil || !strings.Contains(err.Error(), "shop is gone") {
		t.Errorf("error %v", err)
	}
}
