package ledger

import (
	"fmt"
	"slices"
)

// Sizes of the history in bytes. A ConfigMap holds 1 MiB.
const (
	// softLimit is the size above which checkpoints, extensions and quarantines of soaks are folded.
	softLimit = 128 << 10
	// hardLimit is the size above which ordinary entries are refused. The rest is a reserve for rollbacks, which must
	// always be recorded.
	hardLimit    = 768 << 10
	reserveLimit = 1000 << 10
)

// newest is the number of checkpoints and extensions of the running soak that are not folded, and that of the entries
// on its quarantines.
const newest = 48

// fitted compacts the ledger if it exceeds the soft limit. Decisions are never dropped: a ledger that is still too
// large is an error.
func (l *Ledger) fitted(safety bool) (*Ledger, error) {
	if l.size() <= softLimit {
		return l, nil
	}
	folded, err := l.folded()
	if err != nil {
		return nil, err
	}
	limit := hardLimit
	if safety {
		limit = reserveLimit
	}
	if size := folded.size(); size > limit {
		return nil, fmt.Errorf("%w: %d bytes, and %d are allowed: save a copy of its ConfigMap and delete it; "+
			"`rollout ledger accept --reason WHY -s STACK` starts a new one", ErrFull, size, limit)
	}
	return folded, nil
}

// folded replaces the checkpoints of each soak by one entry, its extensions by another and its ended quarantines by a
// third, and renews the checksums. The newest ones of the running soak stay as they are. Smoke tests of earlier soaks
// are dropped: nothing reads them.
func (l *Ledger) folded() (*Ledger, error) {
	running, tests := l.unfolded(Entry.foldable), l.smokeTestsFrom()
	quarantines := l.unfolded(Entry.quarantine)
	var f folder
	for _, entry := range l.entries {
		switch {
		case entry.Kind == SmokeTested && entry.Seq < tests:
		case entry.quarantine() && entry.Seq < quarantines:
			f.quarantine(entry)
		case !entry.foldable() || entry.Seq >= running:
			f.keep(entry)
		case entry.Kind == Extended:
			f.extensions = f.fold(f.extensions, entry, foldExtension)
		default:
			f.checkpoints = f.fold(f.checkpoints, entry, foldCheckpoint)
		}
	}
	f.close()
	next, previous := &Ledger{}, ""
	for _, entry := range f.kept {
		sealed, err := reseal(entry, previous)
		if err != nil {
			return nil, err
		}
		next.entries, previous = append(next.entries, sealed), sealed.Sum
	}
	return next, nil
}

// unfolded is the number of the first entry of the running soak that must stay as it is, of those that are such a one.
func (l *Ledger) unfolded(is func(Entry) bool) int {
	start, seen := l.soakStart(), 0
	for _, entry := range slices.Backward(l.entries) {
		if entry.Seq <= start {
			break
		}
		if is(entry) {
			if seen++; seen == newest {
				return entry.Seq
			}
		}
	}
	return start
}

// smokeTestsFrom is the number of the first smoke test that the running soak still needs. The one before the soak
// belongs to it: Prometheus may have scraped its requests after the soak began.
func (l *Ledger) smokeTestsFrom() int {
	start, first := l.soakStart(), 0
	for _, entry := range l.entries {
		if entry.Kind == SmokeTested && entry.Seq < start {
			first = entry.Seq
		}
	}
	return first
}

// folder gathers the entries of a compacted ledger.
type folder struct {
	kept []Entry
	// checkpoints and extensions are the entries that the soak at hand is folded into; nil while there is none.
	checkpoints, extensions *Entry
	// quarantines is the entry for those that have ended, open is one that has not; nil while there is none.
	quarantines, open *Entry
}

// fold adds an entry to the one that replaces those before it.
func (f *folder) fold(into *Entry, entry Entry, add func(into, entry Entry) Entry) *Entry {
	if into == nil {
		first := entry
		if first.Kind == Checkpoint {
			first.Kind, first.Numbers, first.Reason = Checkpoints, nil, ""
			first.Folded, first.Until = 1, &entry.Time
			first.line = ""
		}
		return &first
	}
	sum := add(*into, entry)
	sum.line = ""
	return &sum
}

// quarantine adds an entry on a quarantine. A quarantine and its end belong together; one without the other is kept. Of
// a soak, the folded entry keeps the time in quarantine, which is no soaked time.
func (f *folder) quarantine(entry Entry) {
	switch {
	case entry.Kind == Quarantines:
		f.quarantines = f.fold(f.quarantines, entry, foldQuarantines)
	case entry.Kind == Quarantined && f.open == nil:
		f.open = &entry
	case entry.Kind == Readmitted && f.open != nil:
		pair := entry
		pair.Kind, pair.Time, pair.Until, pair.Folded = Quarantines, f.open.Time, &entry.Time, 1
		pair.Took, pair.Offence, pair.Reason, pair.line = entry.Time.Sub(f.open.Time).Milliseconds(), 0, "", ""
		f.open, f.quarantines = nil, f.fold(f.quarantines, pair, foldQuarantines)
	default:
		f.keep(entry)
	}
}

func foldQuarantines(into, more Entry) Entry {
	into.Seq, into.Until = more.Seq, more.Until
	into.Folded, into.Took = into.Folded+more.Folded, into.Took+more.Took
	return into
}

// keep ends the soak at hand and keeps an entry as it is.
func (f *folder) keep(entry Entry) {
	f.close()
	f.kept = append(f.kept, entry)
}

// close keeps what the soak at hand was folded into, in the order of the numbers.
func (f *folder) close() {
	var closed []Entry
	for _, entry := range []*Entry{f.checkpoints, f.extensions, f.quarantines, f.open} {
		if entry != nil {
			closed = append(closed, *entry)
		}
	}
	slices.SortFunc(closed, func(a, b Entry) int { return a.Seq - b.Seq })
	f.kept = append(f.kept, closed...)
	f.checkpoints, f.extensions, f.quarantines, f.open = nil, nil, nil, nil
}

// foldCheckpoint keeps the worst verdict.
func foldCheckpoint(into, checkpoint Entry) Entry {
	into.Seq = checkpoint.Seq
	into.Folded += max(checkpoint.Folded, 1)
	until := checkpoint.Time
	if checkpoint.Until != nil {
		until = *checkpoint.Until
	}
	into.Until, into.Soaked = &until, checkpoint.Soaked
	if severity(checkpoint.Verdict) > severity(into.Verdict) {
		into.Verdict = checkpoint.Verdict
	}
	return into
}

// foldExtension keeps the last extension's reason and numbers, which include those before, and counts them all.
func foldExtension(into, extension Entry) Entry {
	last := extension
	last.Time, last.Folded = into.Time, max(into.Folded, 1)+max(extension.Folded, 1)
	until := extension.Time
	if extension.Until != nil {
		until = *extension.Until
	}
	last.Until = &until
	return last
}

func severity(verdict string) int {
	switch verdict {
	case "pass":
		return 0
	case "inconclusive":
		return 1
	case "error":
		return 2
	default:
		return 3
	}
}

// reseal chains an entry to a new predecessor and keeps the text of fields that this version does not know.
func reseal(entry Entry, previous string) (Entry, error) {
	if entry.line == "" {
		return seal(entry, previous)
	}
	body, _, ok := cutSum(entry.line)
	if !ok {
		return Entry{}, fmt.Errorf("%w: entry %d", ErrUnreadable, entry.Seq)
	}
	entry.Sum = chain(previous, body)
	entry.line = body[:len(body)-1] + sumField + entry.Sum + `"}`
	return entry, nil
}

// soakStart is the number of the entry that started the current soak.
func (l *Ledger) soakStart() int {
	state := l.State()
	return state.soakEntry
}
