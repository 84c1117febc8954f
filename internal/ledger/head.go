package ledger

import (
	"errors"
	"fmt"
)

// ErrCut means that the ledger lacks entries that it had: its last ones were cut off, it was deleted, or it was
// replaced by another one.
var ErrCut = errors.New("the ledger has lost entries")

// Head is the end of a ledger at one moment. A reader that keeps it elsewhere notices a cut ledger: the checksums
// alone do not tell, because what is left of the chain still fits. The zero value is the head of an empty ledger.
type Head struct {
	// Seq and Sum are those of the last entry.
	Seq int    `json:"seq"`
	Sum string `json:"sum"`
}

// Head is the ledger's end.
func (l *Ledger) Head() Head {
	if len(l.entries) == 0 {
		return Head{}
	}
	last := l.entries[len(l.entries)-1]
	return Head{Seq: last.Seq, Sum: last.Sum}
}

// Follows is an ErrCut unless the ledger goes on from a head that was seen before. Compaction renews every checksum and
// drops numbers: behind one, the numbers alone are compared.
func (l *Ledger) Follows(seen Head) error {
	now := l.Head()
	if now.Seq < seen.Seq {
		return fmt.Errorf("%w: it ended with entry %d, and ends with entry %d now: restore its ConfigMap from a backup, "+
			"and look "+
			"for who changed it; until then a latch may be missing", ErrCut, seen.Seq, now.Seq)
	}
	if seen.Seq == 0 {
		return nil
	}
	compacted := false
	for _, entry := range l.entries {
		compacted = compacted || entry.Kind == Checkpoints
		if entry.Seq == seen.Seq && entry.Sum == seen.Sum {
			return nil
		}
	}
	if compacted {
		return nil
	}
	return fmt.Errorf("%w: its entry %d is another one than it was: restore its ConfigMap from a backup, and look for "+
		"who "+
		"changed it; until then a latch may be missing", ErrCut, seen.Seq)
}
