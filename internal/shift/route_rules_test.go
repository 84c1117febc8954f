package shift

import (
	"strings"
	"testing"

	"github.com/vextrus/finance-rollout/internal/shift/shifttest"
)

// Changed rules are for both tracks, and the preview says so.
func TestChangedRulesAreForBothTracks(t *testing.T) {
	for changes, want := range map[string]int{"": 0, "rule 1.timeouts.request 10s -> 20s": 1} {
		h := newMove(t, shifttest.New(), gatewayConfig(10), 90, 10)
		if err := h.route.ExplainRules(changes); err != nil {
			t.Fatal(err)
		}
		told := h.shift.log.(*heard).infos
		if len(told) != want {
			t.Fatalf("told %q", told)
		}
		for _, text := range told {
			if !strings.Contains(text, "for both tracks") || !strings.Contains(text, changes) ||
				!strings.Contains(text, "-s production") {
				t.Errorf("told %q", text)
			}
		}
	}
}
