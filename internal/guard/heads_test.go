package guard

import (
	"errors"
	"testing"
	"time"

	"github.com/vextrus/finance-rollout/internal/ledger"
	"github.com/vextrus/finance-rollout/internal/testkit/store"
)

// The checksums of a ledger whose last lines were cut still fit: only its head tells.
func TestTheGuardSeesThatALedgerWasCut(t *testing.T) {
	memory, heads := &store.Memory{}, &heads{}
	write := func(entry ledger.Entry) *ledger.Ledger {
		t.Helper()
		history, err := ledger.Write(t.Context(), memory, time.Now, entry)
		if err != nil {
			t.Fatal(err)
		}
		return history
	}
	first := write(ledger.Entry{Kind: ledger.ShiftReached, Image: "sha256:11", To: 10})
	latched := write(ledger.Entry{Kind: ledger.RollbackBegun, Image: "sha256:11"})
	for _, history := range []*ledger.Ledger{first, latched, latched} {
		if err := heads.follow("vextrus-production/ledger", history); err != nil {
			t.Fatal(err)
		}
	}
	for name, cut := range map[string]*ledger.Ledger{"cut": first, "deleted": {}} {
		// It stays so at every reading.
		for range 2 {
			if err := heads.follow("vextrus-production/ledger", cut); !errors.Is(err, ledger.ErrCut) {
				t.Errorf("%s: error %v", name, err)
			}
		}
	}
	if err := heads.follow("vextrus-production/ledger", latched); err != nil {
		t.Errorf("restored: %v", err)
	}
	if err := heads.follow("another/ledger", first); err != nil {
		t.Errorf("another rollout: %v", err)
	}
}
