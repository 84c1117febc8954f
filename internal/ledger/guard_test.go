package ledger

import "testing"

// The last configuration that an update gave the guard is known, whatever happened since, also after a compaction.
func TestTheLedgerKnowsTheGuardsConfiguration(t *testing.T) {
	if state := (&Ledger{}).State(); state.Guard != nil {
		t.Errorf("an empty ledger knows %+v", state.Guard)
	}
	entries := []Entry{{Kind: GuardConfigured, Who: "ann", Configuration: Checksum("first")}, begun(onTrial, 0, 10),
		{Kind: GuardConfigured, Who: "bob", Configuration: Checksum("second")}, reached(onTrial, 10)}
	for range 60 {
		entries = append(entries, Entry{Kind: Checkpoint, Verdict: "pass"})
	}
	history, err := (&Ledger{}).with(start, append(entries, Entry{Kind: RolledBack, Image: onTrial}))
	if err != nil {
		t.Fatal(err)
	}
	folded, err := history.folded()
	if err != nil || len(folded.entries) >= len(history.entries) {
		t.Fatalf("%d entries of %d, %v", len(folded.entries), len(history.entries), err)
	}
	for name, read := range map[string]*Ledger{"whole": history, "compacted": folded} {
		given := read.State().Guard
		if given == nil || given.Who != "bob" || given.Seq != 3 || given.Configuration != Checksum("second") {
			t.Errorf("%s: %+v", name, given)
		}
	}
	if Checksum("first") == Checksum("second") || len(Checksum("")) != 64 {
		t.Error("the checksum tells nothing apart")
	}
}
