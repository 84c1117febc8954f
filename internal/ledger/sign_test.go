package ledger

import (
	"context"
	"crypto/ed25519"
	"errors"
	"maps"
	"strings"
	"testing"
	"time"
)

// signedMemory is a memory whose ledger is signed.
type signedMemory struct {
	*memory
	signing Signing
}

func (m signedMemory) Signing() Signing { return m.signing }

func newKey(t *testing.T) (ed25519.PublicKey, ed25519.PrivateKey) {
	t.Helper()
	public, private, err := ed25519.GenerateKey(nil)
	if err != nil {
		t.Fatal(err)
	}
	return public, private
}

func giving(key ed25519.PrivateKey) func(context.Context) (ed25519.PrivateKey, error) {
	return func(context.Context) (ed25519.PrivateKey, error) { return key, nil }
}

func TestASignedLedgerCannotBeForged(t *testing.T) {
	public, private := newKey(t)
	_, foreign := newKey(t)
	signing := Signing{Subject: "shop/ledger", Trusted: []ed25519.PublicKey{public}, Key: giving(private)}
	genuine := func(t *testing.T) signedMemory {
		store := signedMemory{&memory{}, signing}
		if _, err := Write(t.Context(), store, time.Now, begun(onTrial, 0, 10), reached(onTrial, 10)); err != nil {
			t.Fatal(err)
		}
		return store
	}
	// forge lets somebody who may write the ConfigMap write a ledger of a soak that never was.
	forge := func(t *testing.T, signing Signing) map[string]string {
		forged := signedMemory{&memory{}, signing}
		if _, err := Write(t.Context(), forged, func() time.Time { return start }, begun(onTrial, 0, 10),
			reached(onTrial, 10)); err != nil {
			t.Fatal(err)
		}
		return forged.data
	}
	for name, data := range map[string]map[string]string{
		"without a signature": forge(t, Signing{}),
		"by another key": forge(t, Signing{Subject: "shop/ledger", Key: giving(foreign),
			Trusted: []ed25519.PublicKey{foreign.Public().(ed25519.PublicKey)}}),
		"of another rollout": forge(t, Signing{Subject: "staging/ledger", Trusted: signing.Trusted, Key: signing.Key}),
		"with the signature of an earlier text": func() map[string]string {
			data := forge(t, Signing{})
			data[keySignature] = genuine(t).data[keySignature]
			return data
		}(),
	} {
		t.Run(name, func(t *testing.T) {
			store := genuine(t)
			if read, err := Read(t.Context(), store); err != nil || len(read.entries) != 2 {
				t.Fatalf("the genuine one: %v", err)
			}
			store.data = data
			read, err := Read(t.Context(), store)
			if !errors.Is(err, ErrUnsigned) || !errors.Is(err, ErrCut) || read == nil ||
				!strings.Contains(err.Error(), "rollout ledger accept") {
				t.Errorf("read %v, %v", read, err)
			}
			if _, err := Write(t.Context(), store, time.Now, reached(onTrial, 30)); !errors.Is(err, ErrUnsigned) {
				t.Errorf("a shift is noted: %v", err)
			}
			// Who keeps a canary out does not vouch for the rest.
			if _, err := Write(t.Context(), store, time.Now, Entry{Kind: RollbackBegun, Image: onTrial}); err != nil {
				t.Fatal(err)
			}
			if err := Unsigned(t.Context(), store); !errors.Is(err, ErrUnsigned) {
				t.Errorf("a rollback signed the forged ledger: %v", err)
			}
			accepted := Entry{Kind: Accepted, Reason: "looked at", Lost: &Head{Seq: 3, Sum: "x"}}
			if _, err := Write(t.Context(), store, time.Now, accepted); err != nil {
				t.Fatal(err)
			}
			if _, err := Read(t.Context(), store); err != nil {
				t.Errorf("after it was accepted: %v", err)
			}
		})
	}
}

// A writer without the key may keep a canary out, and nothing else.
func TestAWriterWithoutTheKey(t *testing.T) {
	public, private := newKey(t)
	_, foreign := newKey(t)
	for name, key := range map[string]func(context.Context) (ed25519.PrivateKey, error){
		"none": nil, "one that nobody trusts": giving(foreign),
		"one that cannot be decrypted": func(context.Context) (ed25519.PrivateKey, error) {
			return nil, errors.New("no passphrase")
		},
	} {
		t.Run(name, func(t *testing.T) {
			store := signedMemory{&memory{}, Signing{Trusted: []ed25519.PublicKey{public}, Key: giving(private)}}
			if _, err := Write(t.Context(), store, time.Now, begun(onTrial, 0, 10)); err != nil {
				t.Fatal(err)
			}
			before := maps.Clone(store.data)
			store.signing.Key = key
			if _, err := Write(t.Context(), store, time.Now, reached(onTrial, 10)); !errors.Is(err, errNoKey) {
				t.Errorf("a shift is noted: %v", err)
			}
			if !maps.Equal(before, store.data) {
				t.Error("the refused entry was written")
			}
			written, err := Write(t.Context(), store, time.Now, Entry{Kind: RollbackBegun, Image: onTrial})
			if err != nil {
				t.Fatal(err)
			}
			if _, latched := written.State().Latch(onTrial); !latched || store.data[keySignature] != "" {
				t.Errorf("latched %t, signature %q", latched, store.data[keySignature])
			}
		})
	}
}

func TestALedgerWithoutTrustedKeysNeedsNoSignature(t *testing.T) {
	store := signedMemory{&memory{}, Signing{Subject: "shop/ledger"}}
	if _, err := Write(t.Context(), store, time.Now, begun(onTrial, 0, 10)); err != nil || IsSigned(store) {
		t.Error(err)
	}
	if _, has := store.data[keySignature]; has {
		t.Error("it has one")
	}
	if err := Unsigned(t.Context(), store); err != nil {
		t.Error(err)
	}
}
