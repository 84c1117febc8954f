package ledger

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"
)

func TestCompactionKeepsEveryDecision(t *testing.T) {
	store := &memory{}
	now := clock()
	write(t, store, now, begun(onTrial, 0, 10), reached(onTrial, 10))
	many := make([]Entry, 1500)
	for i := range many {
		many[i] = Entry{Kind: Checkpoint, To: 10, Verdict: "pass", Reason: strings.Repeat("x", 300), Soaked: int64(i)}
	}
	many[700].Verdict = "inconclusive"
	if _, err := Write(t.Context(), store, now, many...); err != nil {
		t.Fatal(err)
	}
	ledger := write(t, store, now, begun(onTrial, 10, 30), reached(onTrial, 30),
		Entry{Kind: Checkpoint, To: 30, Verdict: "pass"})
	for size := 0; size < softLimit; size += 1900 {
		ledger = write(t, store, now, Entry{Kind: Overridden, Reason: strings.Repeat("y", 1900)})
	}
	kinds := map[Kind]int{}
	var folded Entry
	for _, entry := range ledger.Entries() {
		kinds[entry.Kind]++
		if entry.Kind == Checkpoints {
			folded = entry
		}
	}
	if kinds[ShiftBegun] != 2 || kinds[ShiftReached] != 2 || kinds[Checkpoints] != 1 || kinds[Checkpoint] != 1 {
		t.Errorf("left are %v", kinds)
	}
	if folded.Folded != 1500 || folded.Verdict != "inconclusive" || folded.Soaked != 1499 {
		t.Errorf("folded %+v", folded)
	}
	again, err := Read(t.Context(), store)
	if err != nil || again.State().Weight != 30 {
		t.Errorf("the compacted ledger: %v", err)
	}
}

// A year at one stage: a checkpoint every four hours, as the schedule has them after two days, and an extension a day.
func TestAYearAtOneStageFits(t *testing.T) {
	store := &memory{}
	at := time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC)
	now := func() time.Time { return at }
	write(t, store, now, begun(onTrial, 0, 10), reached(onTrial, 10))
	since := at
	day := make([]Entry, 7)
	for i := range day {
		day[i] = Entry{Kind: Checkpoint, To: 10, Who: "guard/finance-service-guard-84dcdf5494-4x6hh", Image: onTrial,
			Verdict: "inconclusive", Reason: strings.Repeat("0 of 61 requests failed; ", 12), Numbers: make([]Number, 4)}
	}
	day[6].Kind = Extended
	// Five days a write, for the sake of the time that the test takes.
	for range 73 {
		at = at.Add(5 * 24 * time.Hour)
		ledger := write(t, store, now, slices.Repeat(day, 5)...)
		if size := len(store.data[keyHistory]); size > 256<<10 {
			t.Fatalf("%d KiB after %v", size>>10, at.Sub(since))
		}
		days := int(at.Sub(since).Hours() / 24)
		if state := ledger.State(); state.Extensions != days || !state.LastCheckpoint.Equal(at) ||
			!state.SoakSince.Equal(since) {
			t.Fatalf("after %d days: %d extensions, last checkpoint %v, soak since %v", days, state.Extensions,
				state.LastCheckpoint, state.SoakSince)
		}
	}
	looks := 0
	history, err := Read(t.Context(), store)
	if err != nil {
		t.Fatal(err)
	}
	for _, entry := range history.Entries() {
		if entry.Kind == Checkpoint || entry.Kind == Checkpoints {
			looks += max(entry.Folded, 1)
		}
	}
	if looks != 365*6 {
		t.Errorf("%d checkpoints, want %d", looks, 365*6)
	}
}

func TestAFullLedgerStillTakesRollbacks(t *testing.T) {
	store := &memory{}
	var err error
	for i := 0; err == nil; i++ {
		if i > 1000 {
			t.Fatal("the ledger has no end")
		}
		_, err = Write(t.Context(), store, time.Now, slices.Repeat([]Entry{{Kind: Overridden,
			Reason: strings.Repeat("y", 3000)}}, 20)...)
	}
	if !errors.Is(err, ErrFull) {
		t.Fatal(err)
	}
	ledger := write(t, store, time.Now, Entry{Kind: RollbackBegun, Image: onTrial},
		Entry{Kind: RolledBack, Image: onTrial})
	if _, latched := ledger.State().Latch(onTrial); !latched {
		t.Error("not latched")
	}
}
