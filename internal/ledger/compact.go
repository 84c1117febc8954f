package ledger

import "fmt"

// Sizes of the history in bytes. A ConfigMap holds 1 MiB.
const (
	// softLimit is where the checkpoints of soaks that are over get folded.
	softLimit = 512 << 10
	// hardLimit is where ordinary entries are refused; the rest is a reserve for rollbacks, which nothing may keep from
	// being recorded.
	hardLimit    = 768 << 10
	reserveLimit = 1000 << 10
)

// fitted is the ledger compacted where it must be. Decisions are never dropped: when nothing can be folded any more,
// it is an error.
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
		return nil, fmt.Errorf("%w: %d bytes, and %d are allowed: keep a copy of its ConfigMap elsewhere and delete it; "+
			"the next shift begins a new one",
			ErrFull, size, limit)
	}
	return folded, nil
}

// folded puts one entry in the place of each run of checkpoints that belongs to a soak that is over, and makes the
// checksums anew.
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

// fold adds a checkpoint to the entry that stands for those before it. The worst verdict is kept.
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

// reseal chains an entry to another one before it, keeping the text of what this version does not know.
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

// soakStart is the number of the entry that began the soak that still runs.
func (l *Ledger) soakStart() int {
	state := l.State()
	return state.soakEntry
}
