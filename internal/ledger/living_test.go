package ledger

import (
	"fmt"
	"testing"
)

// The release that lives is the one that has requests, gets some, or is being rolled back: its name must not change.
func TestTheReleaseThatLives(t *testing.T) {
	entered := []Entry{begun(onTrial, 0, 10), reached(onTrial, 10)}
	next := begun(newImage, 0, 10)
	next.Release = "v3"
	rollback := Entry{Kind: RollbackBegun, Release: "v2", Image: onTrial}
	rolledBack := Entry{Kind: RolledBack, Release: "v2", Image: onTrial}
	with := func(more ...Entry) []Entry { return append(entered[:2:2], more...) }
	tests := []struct {
		name                string
		entries             []Entry
		living, image, last string
		shift, interruption int
		lastMove            int
	}{
		{name: "empty"},
		{"entering", entered[:1], "v2", onTrial, "v2", 1, 1, 1},
		{"in traffic", entered, "v2", onTrial, "v2", 0, 0, 2},
		{"another one enters", with(next), "v3", newImage, "v3", 3, 3, 3},
		{"leaving", with(begun(onTrial, 10, 0)), "v2", onTrial, "v2", 3, 3, 3},
		{"at 0 %", with(reached(onTrial, 0)), "", "", "v2", 0, 0, 3},
		{"being rolled back", with(rollback), "v2", onTrial, "v2", 0, 3, 3},
		{"rolled back", with(rollback, rolledBack), "", "", "v2", 0, 4, 4},
		{"given up by a release of the latch", with(rollback, Entry{Kind: LatchReleased, Ref: 3}), "", "", "v2", 0, 3, 3},
		{"finished", with(reached(onTrial, 100), Entry{Kind: Finished, Release: "v2", Image: onTrial, Stable: onTrial}),
			"", "", "v2", 0, 0, 4},
		{"watched", with(Entry{Kind: Checkpoint, Verdict: "pass"}, Entry{Kind: Overridden}), "v2", onTrial, "v2", 0, 0, 2},
		{"a shift that was resumed", with(begun(onTrial, 10, 30), Entry{Kind: ShiftReached, Release: "v2", Image: onTrial,
			To: 30, Ref: 3}), "v2", onTrial, "v2", 0, 3, 4},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			history := &Ledger{}
			if len(tt.entries) > 0 {
				history = write(t, &memory{}, clock(), tt.entries...)
			}
			s := history.State()
			if s.Living() != tt.living || s.LivingImage() != tt.image || s.Last() != tt.last {
				t.Errorf("%q (%s) lives, the last was %q; want %q (%s) and %q", s.Living(), s.LivingImage(), s.Last(),
					tt.living, tt.image, tt.last)
			}
			if s.Shift() != tt.shift || s.Interruption() != tt.interruption {
				t.Errorf("shift %d and interruption %d, want %d and %d", s.Shift(), s.Interruption(), tt.shift, tt.interruption)
			}
			if move, moved := history.LastMove(); move.Seq != tt.lastMove || moved != (tt.lastMove > 0) {
				t.Errorf("last move %d (%v), want %d", move.Seq, moved, tt.lastMove)
			}
		})
	}
}

// A visitor sees each entry with the position that it changed.
func TestAWalkShowsThePositionBeforeEachEntry(t *testing.T) {
	history := write(t, &memory{}, clock(), begun(onTrial, 0, 10), reached(onTrial, 10), begun(onTrial, 10, 30),
		Entry{Kind: RollbackBegun, Release: "v2", Image: onTrial}, Entry{Kind: RolledBack, Release: "v2", Image: onTrial})
	var got []string
	history.Walk(func(before State, entry Entry) {
		_, latched := before.Latch(onTrial)
		got = append(got, fmt.Sprintf("%s at %d, under way %v, latched %v", entry.Kind, before.Weight, before.Begun != nil,
			latched))
	})
	want := []string{
		"shift-begun at 0, under way false, latched false", "shift-reached at 0, under way true, latched false",
		"shift-begun at 10, under way false, latched false", "rollback-begun at 10, under way true, latched false",
		"rolled-back at 0, under way false, latched true",
	}
	if fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("got\n%q\nwant\n%q", got, want)
	}
}
