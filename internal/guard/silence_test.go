package guard

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/vextrus/finance-rollout/internal/guard/blame"
)

// One cause may keep stable from answering and make the canary fail.
func TestACanaryIsNotBlamedWithoutAWordFromStable(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 3, 1)
	w.silent.Store(true)
	w.record(reached())
	w.guarded()
	w.customers(2, 1, 0)
	w.eventually("the report", func() bool {
		w.mu.Lock()
		defer w.mu.Unlock()
		return slices.ContainsFunc(w.events, func(e string) bool { return strings.Contains(e, "no stable pod has answered") })
	})
	w.skew.Store(int64(blame.SilentLimit)) // a third of the requests fail: not far worse
	time.Sleep(time.Second)
	if w.out() || w.kinds() != "shift-reached" {
		t.Errorf("the ledger holds %s", w.kinds())
	}
}

func TestACanaryThatServesNothingButErrorsIsBlamedInTheEnd(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 3, 1)
	w.silent.Store(true)
	w.record(reached())
	w.guarded()
	w.customers(0, 3, 0)
	w.eventually("the report", func() bool {
		w.mu.Lock()
		defer w.mu.Unlock()
		return slices.ContainsFunc(w.events, func(e string) bool { return strings.Contains(e, "no stable pod has answered") })
	})
	if w.kinds() != "shift-reached" {
		t.Errorf("the ledger holds %s", w.kinds())
	}
	w.skew.Store(int64(blame.SilentLimit))
	w.eventually("rolled back", w.out)
}
