package report

import (
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
