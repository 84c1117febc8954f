package report

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/vextrus/finance-rollout/internal/ledger"
)

// Every kind has a line that a person understands without the ledger's words.
func TestLines(t *testing.T) {
	until := time.Date(2026, 3, 2, 9, 1, 0, 0, time.UTC)
	for _, tt := range []struct {
		entry ledger.Entry
		what  string
		tone  Tone
	}{
		{ledger.Entry{Kind: ledger.ShiftBegun, From: 10, To: 30}, "admitted from 10 % to 30 %", Plain},
		{ledger.Entry{Kind: ledger.Quarantined, Offence: 2, Until: &until}, "quarantined, offence 2, until " + moment(until),
			Warn},
		{ledger.Entry{Kind: ledger.Quarantined, Offence: 1}, "quarantined, offence 1", Warn},
		{ledger.Entry{Kind: ledger.Quarantines, Folded: 3, Took: 301_400}, "3 quarantines, 5m1s in all", Warn},
		{ledger.Entry{Kind: ledger.Readmitted}, "readmitted", Good},
		{ledger.Entry{Kind: ledger.SmokeTested}, "smoke suite ran; its requests are no evidence", Plain},
		{ledger.Entry{Kind: ledger.Attested, Name: "sign-off", Until: &until}, "attested: sign-off, until " + moment(until),
			Plain},
		{ledger.Entry{Kind: ledger.Approved, To: 60}, "approved for 60 %", Good},
		{ledger.Entry{Kind: ledger.Approved, From: 100}, "approved for the finish", Good},
		{ledger.Entry{Kind: ledger.RolledBack}, "rolled back: -", Bad},
		{ledger.Entry{Kind: "paused"}, "paused", Plain},
	} {
		tt.entry.Who, tt.entry.Account = "ann", "ci"
		line := describe(tt.entry)
		if diff := cmp.Diff([]any{tt.what, tt.tone, "ann (ci)"}, []any{line.What, line.Tone, line.Who}); diff != "" {
			t.Errorf("%s (-want +got)\n%s", tt.entry.Kind, diff)
		}
	}
}

// The report of a rollback says when the next try may be and what has to change, until the latch is released.
func TestTheNextTry(t *testing.T) {
	until := time.Date(2026, 3, 2, 9, 1, 0, 0, time.UTC)
	story := []ledger.Entry{{Seq: 3, Kind: ledger.RollbackBegun, Time: until, From: 10, Reason: "33 % failed"},
		{Seq: 4, Kind: ledger.RolledBack, Time: until.Add(time.Minute), Verdict: "complete"}}
	if began := rollbacks(story[:1], "production"); began[0].Retry != nil {
		t.Errorf("before the outcome: %+v", began[0].Retry)
	}
	report := &Report{Rollbacks: rollbacks(story, "production")}
	var text strings.Builder
	report.rollbackList(&text)
	day := until.Add(time.Minute + 7*24*time.Hour).UTC().Format(time.DateOnly)
	want := "  - next try: not before " + day + ", with an image"
	if !strings.Contains(text.String(), want) || !strings.Contains(text.String(), "rollout unlatch -s production") {
		t.Errorf("no %q in\n%s", want, text.String())
	}
	release := ledger.Entry{Seq: 5, Kind: ledger.LatchReleased, Ref: 3, Time: until}
	released := rollbacks(append(story, release), "production")
	if released[0].Retry != nil {
		t.Errorf("after the latch was released: %+v", released[0].Retry)
	}
}
