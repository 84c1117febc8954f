package ledger

import "fmt"

// Sizes of the history in bytes. A ConfigMap holds 1 MiB.
const (
	// softLimit is the size above which the checkpoints of completed soaks are folded.
	softLimit = 512 << 10
	// hardLimit is the size above which ordinary entries are refused. The rest is a reserve for rollbacks, which must
	// always be recorded.
	hardLimit    = 768 << 10
	reserveLimit = 1000 << 10
)

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
			"the next shift starts a new one", ErrFull, size, limit)
	}
	return folded, nil
}

// folded replaces each run of checkpoints of a completed soak by one entry and renews the checksums.
func (l *Ledger) folded() (*Ledger, error) {
	running := l.soakStart()
	var kept []Entry
	for _, entry := range l.entries {
		last := len(kept) - 1
		switch {
		case entry.decision() || entry.Seq > running:
			kept = append(kept, entry)
		case last >= 0 && kept[last].Kind == Checkpoints:
			kept[last] = fold(kept[last], entry)
		default:
			first := entry
			first.Kind, first.Numbers, first.Reason = Checkpoints, nil, ""
			first.Folded, first.Until = 1, &entry.Time
			kept = append(kept, first)
		}
	}
	next, previous := &Ledger{}, ""
	for _, entry := range kept {
		sealed, err := reseal(entry, previous)
		if err != nil {
			return nil, err
		}
		next.entries, previous = append(next.entries, sealed), sealed.Sum
	}
	return next, nil
}

// fold adds a checkpoint to the entry that replaces those before it, and keeps the worst verdict.
func fold(into, checkpoint Entry) Entry {
	into.Seq = checkpoint.Seq
	into.Folded++
	until := checkpoint.Time
	into.Until, into.Soaked = &until, checkpoint.Soaked
	if severity(checkpoint.Verdict) > severity(into.Verdict) {
		into.Verdict = checkpoint.Verdict
	}
	return into
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
	if entry.line == "" || entry.Kind == Checkpoints {
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
