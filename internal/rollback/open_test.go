package rollback

import (
	"context"
	"slices"
	"strings"
	"testing"
)

// narrowed is a world whose Service selects the canary alone.
type narrowed struct {
	*world
	narrow bool
	err    error
}

func (n *narrowed) OpenService(context.Context, string, string, string) (bool, error) {
	was := n.narrow
	if n.err == nil {
		n.narrow = false
	}
	_ = n.simple("open")
	return was, n.err
}

func TestTheServiceIsOpenedBeforeTheCanaryIsIsolated(t *testing.T) {
	w := &narrowed{world: newWorld(), narrow: true}
	set := options()
	set.Divert = ByOpening(w, "track", set)
	outcome := Run(t.Context(), w, w, set)
	if err := outcome.Err(); err != nil {
		t.Fatal(err)
	}
	want := []string{"begin", "growth", "scale finance-stable", "open", "growth", "label"}
	if !slices.Equal(w.called()[:6], want) || !strings.Contains(outcome.String(), "selects both tracks now") {
		t.Errorf("called %v: %s", w.calls, outcome)
	}
}

func TestAServiceThatSelectsBothTracksIsLeftAsItIs(t *testing.T) {
	w := &narrowed{world: newWorld()}
	set := options()
	set.Divert = ByOpening(w, "track", set)
	if err := Run(t.Context(), w, w, set).Err(); err != nil {
		t.Fatal(err)
	}
	if want := []string{"begin", "growth", "scale finance-stable", "open"}; !slices.Equal(w.called()[:4], want) {
		t.Errorf("called %v", w.calls)
	}
}

func TestAServiceThatCannotBeOpenedKeepsNoCanaryInTraffic(t *testing.T) {
	w := &narrowed{world: newWorld(), narrow: true, err: errTest}
	set := options()
	set.Divert = ByOpening(w, "track", set)
	outcome := Run(t.Context(), w, w, set)
	if outcome.Err() == nil {
		t.Error("the failure is not reported")
	}
	w.expectOut(t)
}
