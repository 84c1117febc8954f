package shift

import (
	"strings"
	"testing"
	"time"

	"github.com/vextrus/finance-rollout/internal/gate"
	"github.com/vextrus/finance-rollout/internal/verify"
)

// The suite tests a canary again while its soak goes on, after a rotated secret for example: the note says when.
func TestTheGateNotesItsSmokeTestOfACanary(t *testing.T) {
	sent := verify.Report{Sent: gate.Window{Start: born, End: born.Add(3 * time.Second)}}
	for weight, want := range map[int]string{10: "shift-reached smoke-tested", 0: "shift-reached"} {
		tr := newTrial(t, weight, served{}, born)
		tr.standsAt(t, 10, born)
		if err := NewGate(tr.Shift, nil).noteSmokeTest(t.Context(), sent); err != nil || tr.kinds(t) != want {
			t.Errorf("at %d %%: %v, the ledger holds %s", weight, err, tr.kinds(t))
		}
	}
	broken := newTrial(t, 10, served{}, born)
	broken.standsAt(t, 10, born)
	broken.world.History["history"] = strings.Replace(broken.world.History["history"], `"to":10`, `"to":99`, 1)
	if err := NewGate(broken.Shift, nil).noteSmokeTest(t.Context(), sent); err != nil || len(broken.heard.warnings) != 1 ||
		!strings.Contains(broken.heard.warnings[0], "no evidence") {
		t.Errorf("a ledger that cannot be written: %v, %q", err, broken.heard.warnings)
	}
}
