package ledger

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func smokeTested(start time.Time) Entry {
	end := start.Add(3 * time.Second)
	return Entry{Kind: SmokeTested, Release: "v2", Image: onTrial, Since: &start, Until: &end}
}

// A compaction keeps the smoke tests whose requests the running soak may hold: those since it began, and the last one
// before.
func TestCompactionKeepsTheSmokeTestsOfTheRunningSoak(t *testing.T) {
	store, start := &memory{}, time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC)
	write(t, store, clock(), begun(onTrial, 0, 10), smokeTested(start), reached(onTrial, 10),
		smokeTested(start.Add(time.Hour)), begun(onTrial, 10, 30), smokeTested(start.Add(48*time.Hour)),
		smokeTested(start.Add(49*time.Hour)), reached(onTrial, 30), smokeTested(start.Add(50*time.Hour)))
	var ledger *Ledger
	for size := 0; size < softLimit; size += 1900 {
		ledger = write(t, store, clock(), Entry{Kind: Overridden, Reason: strings.Repeat("y", 1900)})
	}
	want := []Span{
		{Start: start.Add(49 * time.Hour), End: start.Add(49*time.Hour + 3*time.Second)},
		{Start: start.Add(50 * time.Hour), End: start.Add(50*time.Hour + 3*time.Second)},
	}
	if diff := cmp.Diff(want, ledger.State().SmokeTests); diff != "" {
		t.Errorf("smoke tests (-want +got)\n%s", diff)
	}
	if again, err := Read(t.Context(), store); err != nil || len(again.State().SmokeTests) != 2 {
		t.Errorf("the compacted ledger: %v", err)
	}
}
