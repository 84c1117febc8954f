// Package store keeps a ledger in memory, for tests.
package store

import (
	"context"
	"maps"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/vextrus/finance-rollout/internal/ledger"
)

// Memory is a ledger.Store. The zero Memory holds an empty ledger. It is safe for concurrent use.
type Memory struct {
	mu      sync.Mutex
	data    map[string]string
	version int
	failure error
}

// Load gives what was saved last, and its version.
func (m *Memory) Load(context.Context) (data map[string]string, version string, err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return maps.Clone(m.data), strconv.Itoa(m.version), nil
}

// Save keeps data over the version that it was read with; any other is ledger.ErrConflict.
func (m *Memory) Save(_ context.Context, data map[string]string, version string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.failure != nil {
		return m.failure
	}
	if version != strconv.Itoa(m.version) {
		return ledger.ErrConflict
	}
	m.data, m.version = maps.Clone(data), m.version+1
	return nil
}

// Fail lets Save end with the error from now on; nil mends it.
func (m *Memory) Fail(err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.failure = err
}

// Write appends entries that happen at that time.
func (m *Memory) Write(t testing.TB, at time.Time, entries ...ledger.Entry) {
	t.Helper()
	if _, err := ledger.Write(t.Context(), m, func() time.Time { return at }, entries...); err != nil {
		t.Fatal(err)
	}
}

// Entries reads the ledger.
func (m *Memory) Entries(t testing.TB) []ledger.Entry {
	t.Helper()
	history, err := ledger.Read(t.Context(), m)
	if err != nil {
		t.Fatal(err)
	}
	return history.Entries()
}
