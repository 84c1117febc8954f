package ledger

import (
	"context"
	"fmt"
)

// Witness is a [Store] that also keeps the ledger's end outside of the ledger. Reading compares the two: the error is
// an [ErrCut] when the ledger does not go on from what the witness has seen.
type Witness interface {
	// Seen are the heads that the ledger had. They are read before the ledger, which may grow meanwhile.
	Seen(ctx context.Context) ([]Head, error)
	// Keep remembers a head. A head that is not kept is no danger: the next one is.
	Keep(ctx context.Context, head Head) error
}

// seen asks a store that is a witness.
func seen(ctx context.Context, store Store) ([]Head, error) {
	witness, ok := store.(Witness)
	if !ok {
		return nil, nil
	}
	heads, err := witness.Seen(ctx)
	if err != nil {
		return nil, fmt.Errorf("read the head of the ledger: %w", err)
	}
	return heads, nil
}

// follows is the first ErrCut among heads that the ledger had.
func (l *Ledger) follows(heads []Head) error {
	for _, head := range heads {
		if err := l.Follows(head); err != nil {
			return err
		}
	}
	return nil
}

// KeepHead lets a store that is a witness remember the ledger's present end. The ledger is as it was read; the error is
// an [ErrCut] when it has lost entries, and nothing is kept then.
func KeepHead(ctx context.Context, store Store) (*Ledger, error) {
	history, err := Read(ctx, store)
	if err != nil {
		return history, err
	}
	if witness, ok := store.(Witness); ok && history.Head() != (Head{}) {
		if err := witness.Keep(ctx, history.Head()); err != nil {
			return history, fmt.Errorf("keep the head of the ledger: %w", err)
		}
	}
	return history, nil
}

// Lost is the longest head that a ledger does not go on from; the second result is false when it goes on from all.
func Lost(ctx context.Context, store Store) (*Ledger, Head, bool, error) {
	heads, err := seen(ctx, store)
	if err != nil {
		return nil, Head{}, false, err
	}
	data, _, err := store.Load(ctx)
	if err != nil {
		return nil, Head{}, false, fmt.Errorf("load the ledger: %w", err)
	}
	history, err := Parse(data)
	if err != nil {
		return nil, Head{}, false, err
	}
	var lost Head
	for _, head := range heads {
		if history.Follows(head) != nil && head.Seq > lost.Seq {
			lost = head
		}
	}
	return history, lost, lost.Seq > 0, nil
}
