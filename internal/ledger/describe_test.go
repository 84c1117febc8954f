package ledger

import (
	"strings"
	"testing"
	"unicode/utf8"
)

// The line of an entry has what its reader asks for: who vouches until when, how long a quarantine was, which latch.
func TestAnEntryForPeople(t *testing.T) {
	for want, entry := range map[string]Entry{
		"shift-begun v2 10 % -> 30 %":    {Kind: ShiftBegun, Release: "v2", From: 10, To: 30},
		"shift-reached v2 30 %":          {Kind: ShiftReached, Release: "v2", From: 30, To: 30},
		"checkpoint v2 0 % -> 10 % pass": {Kind: Checkpoint, Release: "v2", To: 10, Verdict: "pass"},
		"checkpoint v2 10 % error (no samples)": {Kind: Checkpoint, Release: "v2", From: 10, To: 10, Verdict: "error",
			Reason: "no samples"},
		"latch-released of entry 7 (fixed upstream)": {Kind: LatchReleased, Ref: 7, Reason: "fixed upstream"},
		"attested sign-off by mail":                  {Kind: Attested, Name: "sign-off", Link: "mail"},
		"attested audit by https://wiki/1 until 2026-03-02T09:00:00Z": {Kind: Attested, Name: "audit",
			Link: "https://wiki/1", Until: &start},
		"guard-configured v2 with e3b0c44298fc": {Kind: GuardConfigured, Release: "v2", Configuration: Checksum("")},
		"guard-configured with ab":              {Kind: GuardConfigured, Configuration: "ab"},
		"quarantined v2 offence 2":              {Kind: Quarantined, Release: "v2", Offence: 2},
		"quarantines v2 3 for 1m30.5s":          {Kind: Quarantines, Release: "v2", Folded: 3, Took: 90500},
		"rehearsed pass in staging in 1.234s":   {Kind: Rehearsed, Stack: "staging", Took: 1234, Verdict: "pass"},
	} {
		if got := entry.Describe(); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}

// A text is cut between two characters, wherever its limit falls.
func TestALongTextIsCutBetweenCharacters(t *testing.T) {
	for _, before := range []string{"", "x", "xx"} {
		got := clean(before + strings.Repeat("語", longestText))
		if !utf8.ValidString(got) || !strings.HasSuffix(got, "語…") || len(got) > longestText+len("…") {
			t.Errorf("%d bytes, which end in %q", len(got), got[len(got)-8:])
		}
	}
}

// The fingerprint tells an entry again after a compaction, which gives it another checksum.
func TestAFingerprintOutlivesACompaction(t *testing.T) {
	history := write(t, &memory{}, clock(), begun(onTrial, 0, 10), reached(onTrial, 10),
		Entry{Kind: Checkpoint, Verdict: "pass"}, Entry{Kind: Checkpoint, Verdict: "pass"}, begun(onTrial, 10, 30),
		reached(onTrial, 30))
	folded, err := history.folded()
	if err != nil {
		t.Fatal(err)
	}
	before, after := history.Entries()[5], folded.Entries()[4]
	if before.Seq != after.Seq || before.Sum == after.Sum {
		t.Fatalf("entry %d %s became %d %s", before.Seq, before.Sum, after.Seq, after.Sum)
	}
	prints := map[string]bool{}
	unwritten := before
	unwritten.line = ""
	for _, entry := range []Entry{before, after, unwritten} {
		fingerprint, err := entry.Fingerprint()
		if err != nil || len(fingerprint) != sumLength {
			t.Fatalf("%q, %v", fingerprint, err)
		}
		prints[fingerprint] = true
	}
	if len(prints) != 1 {
		t.Errorf("one entry has the fingerprints %v", prints)
	}
	next, err := history.Entries()[4].Fingerprint()
	if err != nil || prints[next] {
		t.Errorf("two entries have the fingerprint %s: %v", next, err)
	}
}
