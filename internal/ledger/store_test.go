package ledger

import (
	"context"
	"errors"
	"testing"
)

// unreachable is a store whose server does not answer.
type unreachable struct {
	memory
	err error
}

func (u *unreachable) Load(context.Context) (map[string]string, string, error) { return nil, "", u.err }

// Without the ledger nobody decides: an empty one would have no latch.
func TestALedgerThatCannotBeLoadedDecidesNothing(t *testing.T) {
	refused := errors.New("connection refused")
	store := &unreachable{err: refused}
	_, err := Append(t.Context(), store, clock(), func(*Ledger) ([]Entry, error) {
		t.Error("decided without the ledger")
		return []Entry{begun(onTrial, 0, 10)}, nil
	})
	if !errors.Is(err, refused) || err.Error() != "load the ledger: connection refused" || store.version != 0 {
		t.Errorf("error %v, version %d", err, store.version)
	}
}

// busy is a store that somebody else always writes first.
type busy struct {
	memory
	saves int
	then  func()
}

func (b *busy) Save(context.Context, map[string]string, string) error {
	b.saves++
	if b.then != nil {
		b.then()
	}
	return ErrConflict
}

// A writer who is called off between two tries says so, and that nothing was written.
func TestACanceledWriterGivesUp(t *testing.T) {
	called := errors.New("interrupted by the operator")
	ctx, cancel := context.WithCancelCause(t.Context())
	store := &busy{then: func() { cancel(called) }}
	// The pause between two tries is short, and may be over at the same moment.
	_, err := Write(ctx, store, clock(), begun(onTrial, 0, 10))
	if !errors.Is(err, ErrConflict) || store.saves < attempts && !errors.Is(err, called) {
		t.Errorf("error %v after %d tries", err, store.saves)
	}
}

// An edit that keeps every checksum right but repeats a number is an edit all the same.
func TestEntriesWithoutTheirOrderAreAnEdit(t *testing.T) {
	store := &memory{}
	ledger := write(t, store, clock(), begun(onTrial, 0, 10), reached(onTrial, 10))
	entries := ledger.Entries()
	twice := entries[1]
	twice.line, twice.Seq = "", 2
	again, err := seal(twice, entries[1].Sum)
	if err != nil {
		t.Fatal(err)
	}
	_, err = Parse((&Ledger{entries: append(entries, again)}).data())
	if !errors.Is(err, ErrEdited) || err.Error() != "line 3: the ledger was edited by hand: entry 2 follows entry 2" {
		t.Errorf("error %v", err)
	}
}
