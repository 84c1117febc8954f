package rollout

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/vextrus/finance-rollout/internal/ledger"
	"github.com/vextrus/finance-rollout/internal/settings"
	"github.com/vextrus/finance-rollout/internal/shift/shifttest"
	"github.com/vextrus/finance-rollout/internal/testkit"
)

// The ledger is signed by the stack's key, which a command decrypts only when it writes; readers need the public key.
func TestTheLedgerIsSignedByTheStacksKey(t *testing.T) {
	private, public := testkit.SigningKey(t)
	_, others := testkit.SigningKey(t)
	s := settings.Defaults()
	s.Ledger = settings.Ledger{PublicKeys: []string{public},
		SigningKey: settings.SecretRef{Secret: "ledger", Key: "operator"}}
	open := *s
	open.Secrets = map[string]map[string]settings.Secret{"ledger": {"operator": settings.Secret(private)}}
	cluster, asked := shifttest.New(), 0
	r := &Rollout{Settings: s, Cluster: cluster, Secrets: func(context.Context) (*settings.Settings, error) {
		asked++
		return &open, nil
	}}
	if _, err := ledger.Read(t.Context(), r.Ledger()); err != nil || asked > 0 {
		t.Errorf("asked %d times for the key to read, %v", asked, err)
	}
	entry := ledger.Entry{Kind: ledger.ShiftReached, Image: "sha256:11", To: 10}
	if _, err := ledger.Write(t.Context(), r.Ledger(), time.Now, entry); err != nil {
		t.Fatal(err)
	}
	if _, err := ledger.Read(t.Context(), LedgerIn(cluster, s)); err != nil {
		t.Errorf("its own signature: %v", err)
	}
	foreign := *s
	foreign.Ledger.PublicKeys = []string{others}
	if _, err := ledger.Read(t.Context(), LedgerIn(cluster, &foreign)); !errors.Is(err, ledger.ErrUnsigned) {
		t.Errorf("with another key: %v", err)
	}
	if strings.Contains(cluster.History["signature"]+cluster.History["history"], "PRIVATE") {
		t.Error("the key is in the ledger")
	}
	r.Secrets = func(context.Context) (*settings.Settings, error) { return nil, errors.New("no passphrase") }
	_, err := ledger.Write(t.Context(), r.Ledger(), time.Now, entry)
	testkit.WantError(t, err, "sign the ledger", "decrypt the ledger's key: no passphrase")
	if strings.Contains(err.Error(), private) {
		t.Error("the error holds the key")
	}
}
