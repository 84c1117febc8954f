package ledger

import (
	"context"
	"crypto/ed25519"
	"errors"
	"fmt"

	"github.com/vextrus/finance-rollout/internal/signature"
)

// ErrUnsigned means that no key that is trusted has signed the ledger as it is: anybody who may write its ConfigMap may
// have written it. What it holds is readable all the same. It is an [ErrCut] too: any entry may be missing.
var ErrUnsigned = errors.New("the ledger is not signed by a trusted key")

// errNoKey means that the writer has no key.
var errNoKey = errors.New("there is no key to sign with")

// unsignedError is an [ErrUnsigned] with its reason.
type unsignedError struct{ why string }

// Error implements error.
func (e unsignedError) Error() string {
	return fmt.Sprintf("%s: %s; look for who wrote its ConfigMap, restore it from a backup, or trust what it holds by "+
		"`rollout ledger accept --reason WHY -s STACK`", ErrUnsigned, e.why)
}

// Is makes it an ErrUnsigned and an ErrCut.
func (unsignedError) Is(target error) bool { return target == ErrUnsigned || target == ErrCut }

// keySignature is the key of the ConfigMap with the signature.
const keySignature = "signature"

// Signing is how a ledger is signed. Without trusted keys it is not.
type Signing struct {
	// Subject names the ledger: the signature of another one does not count.
	Subject string
	// Trusted are the keys whose signature counts.
	Trusted []ed25519.PublicKey
	// Key gives the writer's own key; nil for a writer without one.
	Key func(context.Context) (ed25519.PrivateKey, error)
}

// Signed is a [Store] of a ledger that may be signed.
type Signed interface {
	Signing() Signing
}

// signingOf is how a store's ledger is signed.
func signingOf(store Store) Signing {
	if signed, ok := store.(Signed); ok {
		return signed.Signing()
	}
	return Signing{}
}

// text is what is signed of a ledger's data.
func (s Signing) text(data map[string]string) string {
	return "finance-rollout ledger\n" + s.Subject + "\n" + data[keyFormat] + "\n" + data[keyHistory]
}

// verify is an ErrUnsigned unless a trusted key has signed the data. What is not there needs no signature: that it was
// deleted is told by its head.
func (s Signing) verify(data map[string]string) error {
	switch {
	case len(s.Trusted) == 0 || len(data) == 0:
		return nil
	case data[keySignature] == "":
		return unsignedError{"it has no signature"}
	case !signature.Verify(s.Trusted, s.text(data), data[keySignature]):
		return unsignedError{"its signature is not by a trusted key, or is one of another text"}
	}
	return nil
}

// sign adds the signature to data.
func (s Signing) sign(ctx context.Context, data map[string]string) error {
	if len(s.Trusted) == 0 {
		return nil
	}
	if s.Key == nil {
		return errNoKey
	}
	key, err := s.Key(ctx)
	if err != nil {
		return fmt.Errorf("%w: %w", errNoKey, err)
	}
	made := signature.Sign(key, s.text(data))
	if !signature.Verify(s.Trusted, s.text(data), made) {
		return fmt.Errorf("%w: the key is none of those in `ledger.publicKeys`", errNoKey)
	}
	data[keySignature] = made
	return nil
}

// signed signs what is about to be written. A ledger that is not to be relied on gets a signature only from who goes on
// with it on purpose. An entry that keeps a canary out of traffic is written by anybody who can write: without a key it
// leaves a ledger that nothing goes up on.
func signed(ctx context.Context, store Store, data map[string]string, added []Entry, cut error) error {
	accepts, mends := false, true
	for _, entry := range added {
		accepts, mends = accepts || entry.accepts(), mends && entry.mends()
	}
	if cut != nil && !accepts {
		return nil
	}
	err := signingOf(store).sign(ctx, data)
	if err != nil && mends && !accepts {
		return nil
	}
	if err != nil {
		return fmt.Errorf("sign the ledger: %w", err)
	}
	return nil
}

// Unsigned is an [ErrUnsigned] when no trusted key has signed the ledger as it is.
func Unsigned(ctx context.Context, store Store) error {
	data, _, err := store.Load(ctx)
	if err != nil {
		return fmt.Errorf("load the ledger: %w", err)
	}
	return signingOf(store).verify(data)
}

// IsSigned reports whether the ledger of a store has to carry a signature.
func IsSigned(store Store) bool { return len(signingOf(store).Trusted) > 0 }
