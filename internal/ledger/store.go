package ledger

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"time"
)

// ErrConflict means that somebody else wrote the ledger since it was read.
var ErrConflict = errors.New("somebody else wrote the ledger in the meantime")

// Store keeps the data of a ledger.
type Store interface {
	// Load gives the data and its version. A ledger that does not exist has no data and an empty version.
	Load(ctx context.Context) (data map[string]string, version string, err error)
	// Save writes the data if the stored version is still the given one. Otherwise the error is ErrConflict.
	Save(ctx context.Context, data map[string]string, version string) error
}

// Authenticator is a [Store] whose server knows the writer by a name. The name is empty where the server does not tell:
// an entry is never lost for lack of it.
type Authenticator interface {
	Account(ctx context.Context) string
}

// Read loads the ledger. Its errors are those of [Parse] and the store's, and an [ErrCut] or [ErrUnsigned], with which
// the ledger is what is left of it.
func Read(ctx context.Context, store Store) (*Ledger, error) {
	ledger, _, err := load(ctx, store)
	return ledger, err
}

func load(ctx context.Context, store Store) (*Ledger, string, error) {
	heads, err := seen(ctx, store)
	if err != nil {
		return nil, "", err
	}
	data, version, err := store.Load(ctx)
	if err != nil {
		return nil, "", fmt.Errorf("load the ledger: %w", err)
	}
	ledger, err := Parse(data)
	if err != nil {
		return nil, version, err
	}
	if err := ledger.follows(heads); err != nil {
		return ledger, version, err
	}
	return ledger, version, signingOf(store).verify(data)
}

// attempts bounds how often a write is repeated after a conflict. In every round at least one writer succeeds.
const attempts = 50

// Append adds the entries that decide returns for the current ledger, and returns the ledger as written. If somebody
// else writes in between, decide is called again with the newer ledger. Without entries nothing is written. A ledger
// that has lost entries takes only what keeps a canary out of traffic, and the word of who goes on without them.
func Append(ctx context.Context, store Store, now func() time.Time,
	decide func(current *Ledger) ([]Entry, error)) (*Ledger, error) {
	for attempt := 1; ; attempt++ {
		ledger, err := appendOnce(ctx, store, now, decide)
		if !errors.Is(err, ErrConflict) || attempt == attempts {
			return ledger, err
		}
		select {
		case <-ctx.Done():
			return nil, fmt.Errorf("write the ledger: %w", errors.Join(context.Cause(ctx), err))
		case <-time.After(backoff(attempt)):
		}
	}
}

// backoff spreads concurrent writers over a growing time.
func backoff(attempt int) time.Duration {
	return rand.N(time.Duration(min(attempt, 10)) * 20 * time.Millisecond) //nolint:gosec // not a secret
}

func appendOnce(ctx context.Context, store Store, now func() time.Time, decide func(*Ledger) ([]Entry, error)) (*Ledger,
	error) {
	current, version, cut := load(ctx, store)
	if cut != nil && !errors.Is(cut, ErrCut) {
		return nil, cut
	}
	added, err := decide(current)
	if err != nil || len(added) == 0 {
		return current, err
	}
	if cut != nil && slices.ContainsFunc(added, func(entry Entry) bool { return !entry.mends() }) {
		return nil, cut
	}
	if server, ok := store.(Authenticator); ok {
		account := server.Account(ctx)
		added = slices.Clone(added)
		for i := range added {
			added[i].Account = account
		}
	}
	next, err := current.with(now(), added)
	if err != nil {
		return nil, err
	}
	safety := false
	for _, entry := range added {
		safety = safety || entry.safety()
	}
	if next, err = next.fitted(safety); err != nil {
		return nil, err
	}
	data := next.data()
	if err := signed(ctx, store, data, added, cut); err != nil {
		return nil, err
	}
	if err := store.Save(ctx, data, version); err != nil {
		return nil, fmt.Errorf("write the ledger: %w", err)
	}
	if witness, ok := store.(Witness); ok && (cut == nil || slices.ContainsFunc(added, Entry.accepts)) {
		// The entry is written: a head that lags behind hides no loss but that of the newest entries, until the next one.
		_ = witness.Keep(ctx, next.Head())
	}
	return next, nil
}

// Write appends entries without looking at the ledger's content.
func Write(ctx context.Context, store Store, now func() time.Time, entries ...Entry) (*Ledger, error) {
	return Append(ctx, store, now, func(*Ledger) ([]Entry, error) { return entries, nil })
}
