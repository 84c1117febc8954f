package ledger

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"
)

// ErrConflict says that somebody else wrote since the ledger was read.
var ErrConflict = errors.New("the ledger was written by somebody else meanwhile")

// Store keeps the data of a ledger.
type Store interface {
	// Load gives the data and the version that it has. What does not exist has no data and an empty version.
	Load(ctx context.Context) (data map[string]string, version string, err error)
	// Save writes the data if the version is still the one that is there, else it returns an error that is ErrConflict.
	Save(ctx context.Context, data map[string]string, version string) error
}

// Read loads the ledger.
func Read(ctx context.Context, store Store) (*Ledger, error) {
	ledger, _, err := load(ctx, store)
	return ledger, err
}

func load(ctx context.Context, store Store) (*Ledger, string, error) {
	data, version, err := store.Load(ctx)
	if err != nil {
		return nil, "", fmt.Errorf("load the ledger: %w", err)
	}
	ledger, err := Parse(data)
	return ledger, version, err
}

// attempts is how often a write that lost against another one is tried; each time at least one writer succeeds.
const attempts = 50

// Append adds what decide gives for the ledger as it is. When somebody else writes in between, decide is asked again
// about what is there then. No entries is no write. It returns the ledger as it was written.
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
		case <-time.After(rand.N(time.Duration(min(attempt, 10)) * 20 * time.Millisecond)): //nolint:gosec // spreads writers, hides nothing
		}
	}
}

func appendOnce(ctx context.Context, store Store, now func() time.Time, decide func(*Ledger) ([]Entry, error)) (*Ledger,
	error) {
	current, version, err := load(ctx, store)
	if err != nil {
		return nil, err
	}
	added, err := decide(current)
	if err != nil || len(added) == 0 {
		return current, err
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
	if err := store.Save(ctx, next.data(), version); err != nil {
		return nil, fmt.Errorf("write the ledger: %w", err)
	}
	return next, nil
}

// Write adds entries whatever the ledger holds.
func Write(ctx context.Context, store Store, now func() time.Time, entries ...Entry) (*Ledger, error) {
	return Append(ctx, store, now, func(*Ledger) ([]Entry, error) { return entries, nil })
}
