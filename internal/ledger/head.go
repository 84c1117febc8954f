package ledger

import (
	"encoding/json"
	"errors"
	"fmt"
)

// ErrCut means that the ledger lacks entries that it had: its last ones were cut off, it was deleted, or it was
// replaced by another one. What is left of it is readable all the same.
var ErrCut = errors.New("the ledger has lost entries")

// Accepted means that somebody went on with a ledger that has lost entries, with a reason. Lost is the head that it
// had.
const Accepted Kind = "accepted"

// MissingSignature is the name of an Accepted entry by which somebody went on with a ledger that nobody had signed.
// Lost is the head that it had.
const MissingSignature = "signature"

// Head is the end of a ledger at one moment. A reader that keeps it elsewhere notices a cut ledger: the checksums
// alone do not tell, because what is left of the chain still fits. The zero value is the head of an empty ledger.
type Head struct {
	// Seq and Sum are those of the last entry.
	Seq int    `json:"seq"`
	Sum string `json:"sum"`
	// Decisions is a checksum over all entries that compaction leaves as they are. Unlike Sum it outlives a compaction.
	// It is empty in heads of older versions.
	Decisions string `json:"decisions,omitempty"`
}

// ParseHead reads what [Head.String] wrote. An empty text is the head of an empty ledger.
func ParseHead(text string) (Head, error) {
	var head Head
	if text == "" {
		return head, nil
	}
	if err := json.Unmarshal([]byte(text), &head); err != nil {
		return Head{}, fmt.Errorf("the head of a ledger is not readable: %w", err)
	}
	return head, nil
}

// String is the head as it is kept; empty for that of an empty ledger.
func (h Head) String() string {
	if h == (Head{}) {
		return ""
	}
	// A number and two texts can always be encoded.
	text, _ := json.Marshal(h)
	return string(text)
}

// Head is the ledger's end.
func (l *Ledger) Head() Head {
	if len(l.entries) == 0 {
		return Head{}
	}
	last := l.entries[len(l.entries)-1]
	return Head{Seq: last.Seq, Sum: last.Sum, Decisions: l.decisions(last.Seq)}
}

// decisions is the running checksum over the entries up to a number that no compaction folds or drops.
func (l *Ledger) decisions(until int) string {
	sum := ""
	for _, entry := range l.entries {
		if entry.Seq > until {
			break
		}
		if entry.foldable() || entry.quarantine() || entry.Kind == SmokeTested {
			continue
		}
		if body, _, ok := cutSum(entry.line); ok {
			sum = chain(sum, body)
		}
	}
	return sum
}

// Follows is an ErrCut unless the ledger goes on from a head that was seen before, or holds an entry by which somebody
// went on without what was lost.
func (l *Ledger) Follows(seen Head) error {
	now := l.Head()
	switch {
	case seen.Seq == 0 || l.accepted(seen):
		return nil
	case now.Seq < seen.Seq:
		return fmt.Errorf("%w: it ended with entry %d, and ends with entry %d now: %s", ErrCut, seen.Seq, now.Seq, wayOn)
	case seen.Decisions != "" && l.decisions(seen.Seq) != seen.Decisions:
		return fmt.Errorf("%w: its entries up to %d are others than they were: %s", ErrCut, seen.Seq, wayOn)
	case !l.goesThrough(seen):
		return fmt.Errorf("%w: its entry %d is another one than it was: %s", ErrCut, seen.Seq, wayOn)
	}
	return nil
}

// wayOn is what to do about a ledger that has lost entries.
const wayOn = "until that is mended a latch may be missing; restore its ConfigMap from a backup and look for who " +
	"changed it, or go on without the lost entries by `rollout ledger accept --reason WHY -s STACK`"

// accepted reports whether somebody went on without the entries that a head was seen with.
func (l *Ledger) accepted(seen Head) bool {
	for _, entry := range l.entries {
		if entry.Kind == Accepted && entry.Lost != nil && seen.Seq <= entry.Lost.Seq {
			return true
		}
	}
	return false
}

// goesThrough reports whether the ledger holds the entry that it ended with. A compaction renews every checksum and
// leaves gaps or folded entries: behind one, the decisions alone are compared.
func (l *Ledger) goesThrough(seen Head) bool {
	previous := 0
	for _, entry := range l.entries {
		if entry.Seq == seen.Seq && entry.Sum == seen.Sum {
			return true
		}
		gap := entry.Seq > previous+1 && !entry.accepts()
		if gap || entry.Kind == Checkpoints || entry.Kind == Quarantines || entry.Folded > 0 {
			return true
		}
		previous = entry.Seq
	}
	return false
}
