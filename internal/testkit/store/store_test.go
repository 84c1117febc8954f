package store

import (
	"errors"
	"testing"
	"time"

	"github.com/vextrus/finance-rollout/internal/ledger"
)

func TestMemory(t *testing.T) {
	m, at := &Memory{}, time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC)
	m.Write(t, at, ledger.Entry{Kind: ledger.ShiftBegun, Release: "v2", Image: "sha256:11", Stable: "sha256:00", To: 10})
	_, version, err := m.Load(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	m.Write(t, at, ledger.Entry{Kind: ledger.ShiftReached, Release: "v2", Image: "sha256:11", Stable: "sha256:00", To: 10})
	if err := m.Save(t.Context(), nil, version); !errors.Is(err, ledger.ErrConflict) {
		t.Errorf("a write over an older version: %v", err)
	}
	if entries := m.Entries(t); len(entries) != 2 || !entries[1].Time.Equal(at) {
		t.Errorf("%+v", entries)
	}
	broken := errors.New("broken")
	m.Fail(broken)
	if err := m.Save(t.Context(), nil, "2"); !errors.Is(err, broken) {
		t.Errorf("%v", err)
	}
}
