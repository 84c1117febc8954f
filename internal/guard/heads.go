package guard

import (
	"sync"

	"github.com/vextrus/finance-rollout/internal/ledger"
)

// heads are the ends of the ledgers that this guard has read. They stay while a rollout's configuration changes and
// are lost when the guard restarts: a cut made while no guard runs is not seen.
type heads struct {
	mu   sync.Mutex
	last map[string]ledger.Head
}

// follow compares a ledger with its head at the reading before, and keeps the new one. The error is a [ledger.ErrCut];
// the old head stays then.
func (h *heads) follow(name string, history *ledger.Ledger) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	if err := history.Follows(h.last[name]); err != nil {
		return err
	}
	if h.last == nil {
		h.last = map[string]ledger.Head{}
	}
	h.last[name] = history.Head()
	return nil
}
