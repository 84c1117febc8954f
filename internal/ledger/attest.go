package ledger

import (
	"maps"
	"slices"
	"strings"
	"time"
)

// Attestations are the newest attestation of each name, sorted by name. They may have expired.
func (l *Ledger) Attestations() []Entry {
	newest := map[string]Entry{}
	for _, entry := range l.entries {
		if entry.Kind == Attested {
			newest[entry.Name] = entry
		}
	}
	return slices.SortedFunc(maps.Values(newest), func(a, b Entry) int { return strings.Compare(a.Name, b.Name) })
}

// Attestation is the newest attestation of a name. The second result is false if there is none.
func (l *Ledger) Attestation(name string) (Entry, bool) {
	all := l.Attestations()
	i := slices.IndexFunc(all, func(e Entry) bool { return e.Name == name })
	if i < 0 {
		return Entry{}, false
	}
	return all[i], true
}

// Holds reports whether the entry is an attestation that is valid at the time.
func (e Entry) Holds(at time.Time) bool {
	return e.Kind == Attested && !at.Before(e.Time) && (e.Until == nil || at.Before(*e.Until))
}

// Rehearsal is the last rehearsed rollback. The second result is false if there is none.
func (l *Ledger) Rehearsal() (Entry, bool) {
	for _, entry := range slices.Backward(l.entries) {
		if entry.Kind == Rehearsed {
			return entry, true
		}
	}
	return Entry{}, false
}
