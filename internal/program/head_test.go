package program

import (
	"strings"
	"testing"
	"time"

	"github.com/vextrus/finance-rollout/internal/ledger"
)

// The stack's outputs remember the ledger's end: an update notices a ledger that was deleted with the release record.
func TestAnUpdateComparesTheLedgerWithTheStacksOutputs(t *testing.T) {
	for name, tt := range map[string]struct {
		entries    int
		remembered ledger.Head
		cut        bool
	}{
		"a new stack":               {},
		"the ledger goes on":        {entries: 3, remembered: ledger.Head{}},
		"the ledger was deleted":    {remembered: ledger.Head{Seq: 9, Sum: "0123456789abcdef"}, cut: true},
		"the ledger was cut":        {entries: 3, remembered: ledger.Head{Seq: 9, Sum: "0123456789abcdef"}, cut: true},
		"the ledger is another one": {entries: 9, remembered: ledger.Head{Seq: 9, Sum: "0123456789abcdef"}, cut: true},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld()
			store := ledger.InConfigMap{Cluster: w.Cluster}
			for range tt.entries {
				if _, err := ledger.Write(t.Context(), store, time.Now, ledger.Entry{Kind: ledger.Attested}); err != nil {
					t.Fatal(err)
				}
			}
			w.rememberedHead = tt.remembered.String()
			if err := w.run(t, "production", productionConfig()); err != nil {
				t.Fatal(err)
			}
			// Where the ledger has lost entries, the errand's hook makes an Event of it: nothing holds its input back.
			if errand := len(w.ignored["pulumi:index:Stash/errand"]) == 0; errand != tt.cut {
				t.Errorf("there is an errand: %v", errand)
			}
			// No hook ran, as in a destroy that runs the program: the record and the cluster stay as they were.
			if w.Head != "" || len(w.Announced) > 0 {
				t.Errorf("the record keeps %q, Events %q", w.Head, w.Announced)
			}
		})
	}
}

func TestAnOutputThatIsNoHeadIsRefused(t *testing.T) {
	w := newWorld()
	w.rememberedHead = "no head"
	if err := w.run(t, "production", productionConfig()); err == nil || !strings.Contains(err.Error(), "ledgerHead") {
		t.Errorf("error %v", err)
	}
}
