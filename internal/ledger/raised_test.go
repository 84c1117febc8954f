package ledger

import (
	"testing"
	"time"
)

// What counts as the last upward move is when its shift began, whatever became of it.
func TestTheLastUpwardMove(t *testing.T) {
	monday := time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC)
	hours := func(n int) time.Time { return monday.Add(time.Duration(n) * time.Hour) }
	entry := func(kind Kind, from, to int) Entry { return Entry{Kind: kind, Image: "sha256:1", From: from, To: to} }
	for name, tt := range map[string]struct {
		entries []Entry // one an hour
		want    time.Time
	}{
		"nothing":              {nil, time.Time{}},
		"an entry under way":   {[]Entry{entry(ShiftBegun, 0, 10)}, hours(0)},
		"an entry":             {[]Entry{entry(ShiftBegun, 0, 10), entry(ShiftReached, 0, 10)}, hours(0)},
		"a ledger that begins": {[]Entry{entry(ShiftReached, 0, 10)}, hours(0)},
		"up": {[]Entry{entry(ShiftReached, 0, 10), entry(ShiftBegun, 10, 30), entry(ShiftReached, 10, 30)},
			hours(1)},
		"down": {[]Entry{entry(ShiftReached, 0, 30), entry(ShiftBegun, 30, 10), entry(ShiftReached, 30, 10)},
			hours(0)},
		"rolled back": {[]Entry{entry(ShiftBegun, 0, 10), entry(RollbackBegun, 10, 0), entry(RolledBack, 10, 0)},
			hours(0)},
		"finished": {[]Entry{entry(ShiftReached, 0, 100), entry(ShiftBegun, 100, 0), entry(Finished, 100, 0)},
			hours(0)},
		"verified again": {[]Entry{entry(ShiftReached, 0, 10), entry(ShiftReached, 10, 10)}, hours(0)},
	} {
		ledger := &Ledger{}
		for i, entry := range tt.entries {
			var err error
			if ledger, err = ledger.with(hours(i), []Entry{entry}); err != nil {
				t.Fatal(err)
			}
		}
		if got := ledger.State().Raised; !got.Equal(tt.want) {
			t.Errorf("%s: %s, want %s", name, got, tt.want)
		}
	}
}
