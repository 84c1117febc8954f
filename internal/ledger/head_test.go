package ledger

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"
)

// historyOf is a ledger of so many entries, the last of which latches an image.
func historyOf(t *testing.T, who string, count int) *Ledger {
	t.Helper()
	var entries []Entry
	for i := range count - 1 {
		entries = append(entries, Entry{Kind: Overridden, Who: who, Reason: fmt.Sprint(i)})
	}
	entries = append(entries, Entry{Kind: RollbackBegun, Who: who, Image: "sha256:11"})
	history, err := (&Ledger{}).with(time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC), entries)
	if err != nil {
		t.Fatal(err)
	}
	return history
}

// cutTo is what is left of a ledger when somebody cuts its last lines.
func cutTo(t *testing.T, history *Ledger, lines int) *Ledger {
	t.Helper()
	data := history.data()
	kept := strings.SplitAfter(data[keyHistory], "\n")[:lines]
	data[keyHistory] = strings.Join(kept, "")
	cut, err := Parse(data)
	if err != nil {
		t.Fatalf("the chain of what is left does not check: %v", err)
	}
	return cut
}

func TestALedgerThatWasCutDoesNotFollowItsHead(t *testing.T) {
	whole := historyOf(t, "guard", 5)
	longer, err := whole.with(time.Now(), []Entry{{Kind: RolledBack, Image: "sha256:11"}})
	if err != nil {
		t.Fatal(err)
	}
	tests := map[string]struct {
		seen Head
		now  *Ledger
		cut  bool
	}{
		"unchanged":                      {whole.Head(), whole, false},
		"longer":                         {whole.Head(), longer, false},
		"never seen":                     {Head{}, whole, false},
		"empty and never seen":           {Head{}, &Ledger{}, false},
		"the last line was cut":          {whole.Head(), cutTo(t, whole, 4), true},
		"deleted":                        {whole.Head(), &Ledger{}, true},
		"cut, and another one was added": {whole.Head(), historyOf(t, "mallory", 5), true},
		"replaced by a longer one":       {whole.Head(), historyOf(t, "mallory", 9), true},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			if err := tt.now.Follows(tt.seen); errors.Is(err, ErrCut) != tt.cut || (err != nil) != tt.cut {
				t.Errorf("error %v", err)
			}
		})
	}
}

// A compaction renews the checksums: what it leaves still follows, and what is cut from it does not.
func TestACompactedLedgerFollowsItsHead(t *testing.T) {
	var entries []Entry
	for range 20 {
		entries = append(entries, Entry{Kind: Checkpoint, Verdict: "pass"})
	}
	entries = append(entries, Entry{Kind: ShiftReached, Image: "sha256:11", To: 10},
		Entry{Kind: RollbackBegun, Image: "sha256:11"})
	whole, err := (&Ledger{}).with(time.Now(), entries)
	if err != nil {
		t.Fatal(err)
	}
	folded, err := whole.folded()
	if err != nil {
		t.Fatal(err)
	}
	if len(folded.entries) >= len(whole.entries) {
		t.Fatalf("%d entries were folded into %d", len(whole.entries), len(folded.entries))
	}
	if err := folded.Follows(whole.Head()); err != nil {
		t.Error(err)
	}
	if err := cutTo(t, folded, len(folded.entries)-1).Follows(folded.Head()); !errors.Is(err, ErrCut) {
		t.Errorf("error %v", err)
	}
}
