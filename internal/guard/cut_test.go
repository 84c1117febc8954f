package guard

import (
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus/testutil"

	"github.com/vextrus/finance-rollout/internal/ledger"
)

// A guard that starts over a cut ledger knows it from the release record: it says so, and guards by what is left.
func TestAGuardTellsOfALedgerThatWasCut(t *testing.T) {
	w := newWorld(t, 3, 1)
	w.record(reached())
	w.mu.Lock()
	w.head = ledger.Head{Seq: 7, Sum: "0123456789abcdef"}.String()
	w.mu.Unlock()
	g, _ := w.guarded()
	w.eventually("an Event about the ledger", func() bool {
		w.mu.Lock()
		defer w.mu.Unlock()
		return strings.Contains(strings.Join(w.events, "\n"), "LedgerCut: the ledger has lost entries: it ended with entry 7")
	})
	w.eventually("a metric", func() bool {
		return testutil.ToFloat64(g.metrics.ledgerCut.WithLabelValues("finance")) == 1
	})
	w.eventually("a rollback of a bad canary all the same", func() bool {
		w.serve("canary", 0, 50)
		w.serve("stable", 50, 0)
		return w.out()
	})
	if kinds := w.kinds(); !strings.Contains(kinds, "rollback-begun") {
		t.Errorf("the ledger holds %s", kinds)
	}
}
