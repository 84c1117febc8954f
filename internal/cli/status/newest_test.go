package status

import (
	"testing"

	"github.com/vextrus/finance-rollout/internal/ledger"
)

func TestCheckpointsHideNothing(t *testing.T) {
	var entries []ledger.Entry
	add := func(kind ledger.Kind, times int) {
		for range times {
			entries = append(entries, ledger.Entry{Seq: len(entries) + 1, Kind: kind})
		}
	}
	add(ledger.ShiftBegun, 1)
	add(ledger.ShiftReached, 1)
	add(ledger.Checkpoint, 30)
	add(ledger.Verdict, 1)
	add(ledger.Checkpoint, 2)
	var got []int
	for _, entry := range newest(entries) {
		got = append(got, entry.Seq)
	}
	want := []int{1, 2, 32, 33, 35}
	if len(got) != len(want) {
		t.Fatalf("shown are %v, want %v", got, want)
	}
	for i := range want {
		if got[i] != want[i] {
			t.Errorf("shown are %v, want %v", got, want)
		}
	}
	add(ledger.Verdict, 20)
	if got := newest(entries); len(got) != shownEntries || got[len(got)-1].Seq != len(entries) {
		t.Errorf("%d entries are shown", len(got))
	}
	if newest(nil) != nil {
		t.Error("nothing is shown of an empty ledger")
	}
}
