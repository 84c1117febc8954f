package ledger

import (
	"slices"
	"testing"
	"time"
)

// foldedAgain compacts a soak while it runs, when the next one has begun, and when one more has.
func foldedAgain(t *testing.T, soak []Entry) []Entry {
	t.Helper()
	at := start
	history := &Ledger{}
	add := func(entries ...Entry) {
		for _, entry := range entries {
			at = at.Add(time.Minute)
			var err error
			if history, err = history.with(at, []Entry{entry}); err != nil {
				t.Fatal(err)
			}
		}
	}
	fold := func() {
		var err error
		if history, err = history.folded(); err != nil {
			t.Fatal(err)
		}
		if history, err = Parse(history.data()); err != nil {
			t.Fatal(err)
		}
	}
	add(begun(onTrial, 0, 10), smokeTested(start), reached(onTrial, 10))
	add(soak...)
	fold()
	add(begun(onTrial, 10, 30), reached(onTrial, 30))
	fold()
	add(smokeTested(start.Add(48*time.Hour)), begun(onTrial, 30, 60), reached(onTrial, 60))
	fold()
	return history.Entries()
}

func ofKind(entries []Entry, kind Kind) []Entry {
	return slices.DeleteFunc(slices.Clone(entries), func(e Entry) bool { return e.Kind != kind })
}

// A smoke test parts what a compaction folds, and is dropped by a later one: then what is left of both halves becomes
// one entry, which counts everything and has the worst verdict.
func TestWhatWasFoldedIsFoldedAgain(t *testing.T) {
	for _, tt := range []struct{ early, late, want string }{
		{"pass", "pass", "pass"}, {"pass", "inconclusive", "inconclusive"}, {"inconclusive", "pass", "inconclusive"},
		{"inconclusive", "error", "error"}, {"error", "fail", "fail"}, {"fail", "error", "fail"},
	} {
		half := func(verdict string) []Entry {
			looks := slices.Repeat([]Entry{{Kind: Checkpoint, To: 10, Verdict: "pass", Soaked: 60},
				{Kind: Extended, To: 10, Verdict: "inconclusive", Reason: "0 of 61"}}, 2*newest)
			looks[8].Verdict = verdict
			return looks
		}
		soak := slices.Concat(half(tt.early), []Entry{smokeTested(start.Add(time.Hour))}, half(tt.late))
		soak[len(soak)-2].Soaked, soak[len(soak)-1].Reason = 3600, "1 of 62"
		last := start.Add(time.Duration(3+len(soak)) * time.Minute)
		entries := foldedAgain(t, soak)
		looks, extensions := ofKind(entries, Checkpoints), ofKind(entries, Extended)
		if len(looks) != 1 || len(extensions) != 1 {
			t.Fatalf("%d and %d entries are left of %d", len(looks), len(extensions), len(soak))
		}
		look, extension := looks[0], extensions[0]
		if look.Folded != 4*newest || look.Verdict != tt.want || look.Soaked != 3600 ||
			!look.Until.Equal(last.Add(-time.Minute)) {
			t.Errorf("%s, then %s: %+v", tt.early, tt.late, look)
		}
		if extension.Folded != 4*newest || extension.Reason != "1 of 62" || !extension.Until.Equal(last) ||
			!extension.Time.Equal(start.Add(5*time.Minute)) {
			t.Errorf("extensions %+v", extension)
		}
	}
}

// The time of the quarantines of a soak that is over adds up, and an end without its beginning is kept.
func TestQuarantinesAreFoldedAgain(t *testing.T) {
	out := Entry{Kind: Quarantined, Release: "v2", Image: onTrial, Offence: 1}
	in := Entry{Kind: Readmitted, Release: "v2", Image: onTrial}
	at, history := start, &Ledger{}
	add := func(entries ...Entry) {
		for _, entry := range entries {
			at = at.Add(time.Minute)
			var err error
			if history, err = history.with(at, []Entry{entry}); err != nil {
				t.Fatal(err)
			}
		}
	}
	add(reached(onTrial, 10), out, in, smokeTested(start), out, in, in, reached(onTrial, 30))
	for range 2 {
		var err error
		if history, err = history.folded(); err != nil {
			t.Fatal(err)
		}
		add(smokeTested(start.Add(time.Hour)), reached(onTrial, 60))
	}
	count, took := 0, int64(0)
	for _, entry := range ofKind(history.Entries(), Quarantines) {
		count, took = count+entry.Folded, took+entry.Took
	}
	if want := 2 * time.Minute.Milliseconds(); count != 2 || took != want {
		t.Errorf("%d quarantines of %d ms, want 2 of %d ms", count, took, want)
	}
	if alone := ofKind(history.Entries(), Readmitted); len(alone) != 1 || alone[0].Seq != 7 {
		t.Errorf("readmissions without a quarantine: %+v", alone)
	}
}
