package guard

import (
	"context"
	"crypto/ed25519"
	"strings"
	"testing"
	"time"

	"github.com/vextrus/finance-rollout/internal/ledger"
	"github.com/vextrus/finance-rollout/internal/signature"
	"github.com/vextrus/finance-rollout/internal/testkit"
)

// signedBy is the ledger of the world, signed by a key.
func (w *world) signedBy(private string, public ...string) ledger.InConfigMap {
	w.t.Helper()
	trusted, err := signature.ParsePublics(public)
	if err != nil {
		w.t.Fatal(err)
	}
	return ledger.InConfigMap{Cluster: w, Namespace: space, Name: "finance-ledger", Signature: ledger.Signing{
		Trusted: trusted,
		Key:     func(context.Context) (ed25519.PrivateKey, error) { return signature.ParsePrivate(private) }}}
}

// What the guard notes is signed with its own key, so that the next update believes it.
func TestTheGuardSignsWhatItNotes(t *testing.T) {
	w := newWorld(t, 3, 1)
	operator, operators := testkit.SigningKey(t)
	own, owns := testkit.SigningKey(t)
	store := w.signedBy(operator, operators, owns)
	if _, err := ledger.Write(t.Context(), store, time.Now, reached()); err != nil {
		t.Fatal(err)
	}
	w.ledgerKey = func() (string, error) { return own, nil }
	w.guarded(func(c *Config) { c.LedgerKeys = []string{operators, owns} })
	w.eventually("a rollback", func() bool {
		w.serve("canary", 0, 50)
		w.serve("stable", 50, 0)
		return w.out() && strings.Contains(w.kinds(), "rolled-back")
	})
	if err := ledger.Unsigned(t.Context(), store); err != nil {
		t.Error(err)
	}
	if err := ledger.Unsigned(t.Context(), w.signedBy(operator, operators)); err == nil {
		t.Error("the guard signs with the key of the updates")
	}
}

// A ledger that somebody else has written is an Event, and a bad canary leaves all the same.
func TestAGuardTellsOfAForgedLedger(t *testing.T) {
	w := newWorld(t, 3, 1)
	own, owns := testkit.SigningKey(t)
	w.record(reached())
	w.ledgerKey = func() (string, error) { return own, nil }
	w.guarded(func(c *Config) { c.LedgerKeys = []string{owns} })
	w.eventually("an Event about the ledger", func() bool {
		w.mu.Lock()
		defer w.mu.Unlock()
		return strings.Contains(strings.Join(w.events, "\n"), "LedgerCut: the ledger is not signed by a trusted key")
	})
	w.eventually("a rollback all the same", func() bool {
		w.serve("canary", 0, 50)
		w.serve("stable", 50, 0)
		return w.out() && strings.Contains(w.kinds(), "rollback-begun")
	})
	if err := ledger.Unsigned(t.Context(), w.signedBy(own, owns)); err == nil {
		t.Error("the guard has signed the forged ledger")
	}
}

func TestAConfigurationWithAKeyThatIsNone(t *testing.T) {
	testkit.WantError(t, Config{Format: Format, LedgerKeys: []string{"x"}}.Validate(), "ledgerKeys: no public key")
}
