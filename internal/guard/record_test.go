package guard

import (
	"testing"
	"time"

	"github.com/vextrus/finance-rollout/internal/ledger"
	"github.com/vextrus/finance-rollout/internal/testkit/store"
)

// recorded is the record after a reading of a ledger with these entries.
func recorded(t *testing.T, entries ...ledger.Entry) record {
	t.Helper()
	memory := &store.Memory{}
	memory.Write(t, born, entries...)
	history, err := ledger.Read(t.Context(), memory)
	if err != nil {
		t.Fatal(err)
	}
	state := history.State()
	return record{state: &state}
}

func TestTheLedgerIsReadWhenItChangesAndNowAndThen(t *testing.T) {
	var r record
	for _, tt := range []struct {
		name    string
		version string
		after   time.Duration
		ends    bool
		want    bool
	}{
		{name: "the first time", version: "1", want: true},
		{name: "while a reading runs", version: "2", after: time.Hour, ends: true},
		{name: "after a change", version: "2", after: time.Second, ends: true, want: true},
		{name: "unchanged", version: "2", after: rereadLedger, ends: true},
		{name: "unchanged for long", version: "2", after: time.Second + rereadLedger, want: true},
	} {
		if got := r.startReading(tt.version, born.Add(tt.after)); got != tt.want {
			t.Errorf("%s: read %v", tt.name, got)
		}
		r.reading = !tt.ends && r.reading
	}
}

func TestWeightByTheLedger(t *testing.T) {
	begun := reached()
	begun.Kind, begun.To = ledger.ShiftBegun, 30
	for _, tt := range []struct {
		name   string
		record record
		want   int
	}{
		{"not read yet", record{}, unknownWeight},
		{"reached", recorded(t, reached()), 10},
		{"a shift is under way", recorded(t, reached(), begun), 30},
	} {
		if got := tt.record.weight(); got != tt.want {
			t.Errorf("%s: %d %%, want %d %%", tt.name, got, tt.want)
		}
	}
}

func TestWhatTheLedgerKeepsOut(t *testing.T) {
	begun := func(who string) ledger.Entry {
		return ledger.Entry{Kind: ledger.RollbackBegun, Who: who, Release: "v2", Image: image}
	}
	rolledBack := ledger.Entry{Kind: ledger.RolledBack, Release: "v2", Image: image}
	for _, tt := range []struct {
		name      string
		record    record
		present   bool
		inTraffic bool
		want      bool
		patience  time.Duration
	}{
		{name: "not read yet", present: true},
		{name: "nothing was rolled back", record: recorded(t, reached()), present: true},
		{name: "another guard's rollback has no outcome", record: recorded(t, reached(), begun("guard/b")), want: true},
		{name: "an operator's rollback runs", record: recorded(t, reached(), begun("ann")), present: true, inTraffic: true,
			want: true, patience: 3 * time.Second},
		{name: "an operator's rollback is out of traffic", record: recorded(t, reached(), begun("ann")), want: true,
			patience: 45 * time.Second},
		{name: "rolled back, without pods", record: recorded(t, reached(), begun("ann"), rolledBack)},
		{name: "rolled back, and scaled up by hand", record: recorded(t, reached(), begun("ann"), rolledBack), present: true,
			want: true, patience: time.Second},
		{name: "released", record: recorded(t, reached(), begun("ann"), rolledBack,
			ledger.Entry{Kind: ledger.LatchReleased, Image: image, Ref: 2}), present: true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r := tt.record
			if got := r.pending(image, "", tt.present, born); got != tt.want {
				t.Fatalf("pending %v, want %v", got, tt.want)
			}
			if !tt.want {
				return
			}
			if got := r.patience(tt.inTraffic); got != tt.patience {
				t.Errorf("patience %v, want %v", got, tt.patience)
			}
			if r.pending(image, "", tt.present, born.Add(time.Minute)); !r.pendingSince.Equal(born) {
				t.Errorf("pending since %v, want %v", r.pendingSince, born)
			}
		})
	}
}

func TestTheWatchAfterARollbackIsConcludedOnce(t *testing.T) {
	rolledBack := ledger.Entry{Kind: ledger.RolledBack, Release: "v2", Image: image}
	watched := ledger.Entry{Kind: ledger.Watched, Release: "v2", Image: image}
	for _, tt := range []struct {
		name    string
		entries []ledger.Entry
		want    bool
	}{
		{"no rollback", []ledger.Entry{reached()}, false},
		{"rolled back", []ledger.Entry{reached(), rolledBack}, true},
		{"and watched", []ledger.Entry{reached(), rolledBack, watched}, false},
		{"and rolled back again", []ledger.Entry{reached(), rolledBack, watched, rolledBack}, true},
	} {
		memory := &store.Memory{}
		memory.Write(t, born, tt.entries...)
		history, err := ledger.Read(t.Context(), memory)
		if err != nil {
			t.Fatal(err)
		}
		if _, open := unwatched(history); open != tt.want {
			t.Errorf("%s: %v", tt.name, open)
		}
	}
}
