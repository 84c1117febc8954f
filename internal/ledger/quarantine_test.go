package ledger

import (
	"slices"
	"strings"
	"testing"
	"time"
)

// Time in quarantine is no soaked time, and another stage, another image or a rollback begins without it. The clock
// gives each entry a minute.
func TestStateOfAQuarantine(t *testing.T) {
	until := start.Add(3 * time.Minute)
	reached := Entry{Kind: ShiftReached, Release: "v2", Image: "sha256:2", Stable: "sha256:1", To: 10}
	quarantined := Entry{Kind: Quarantined, Release: "v2", Image: "sha256:2", Offence: 1, Until: &until, Reason: "7 of 20"}
	readmitted := Entry{Kind: Readmitted, Release: "v2", Image: "sha256:2"}
	with := func(entry Entry, change func(*Entry)) Entry {
		change(&entry)
		return entry
	}
	tests := []struct {
		name     string
		entries  []Entry
		out      bool
		isolated time.Duration // 10 minutes after the beginning
		again    bool          // whether a readmission is known
	}{
		{"none", []Entry{reached}, false, 0, false},
		{"out", []Entry{reached, quarantined}, true, 8 * time.Minute, false},
		{"readmitted", []Entry{reached, quarantined, readmitted}, false, time.Minute, true},
		{"twice", []Entry{reached, quarantined, readmitted, quarantined, readmitted}, false, 2 * time.Minute, true},
		{"out again", []Entry{reached, quarantined, readmitted, quarantined}, true, 7 * time.Minute, true},
		{"noted twice", []Entry{reached, quarantined, quarantined, readmitted, readmitted}, false, 2 * time.Minute, true},
		{"of another image", []Entry{reached, with(quarantined, func(e *Entry) { e.Image = "sha256:9" })}, false, 0, false},
		{"rolled back", []Entry{reached, quarantined, {Kind: RollbackBegun, Image: "sha256:2"}}, false, 0, false},
		{"another stage", []Entry{reached, quarantined, readmitted, with(reached, func(e *Entry) { e.To = 30 })}, false, 0,
			true},
		{"another stage while it is out", []Entry{reached, quarantined, with(reached, func(e *Entry) { e.To = 30 })}, true,
			7 * time.Minute, false},
		{"another image", []Entry{reached, quarantined, with(reached, func(e *Entry) { e.Image = "sha256:3" })}, false, 0,
			false},
		{"at 0 %", []Entry{reached, quarantined, with(reached, func(e *Entry) { e.To = 0 })}, false, 0, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			state := write(t, &memory{}, clock(), tt.entries...).State()
			got := state.OutOfTraffic(start.Add(10 * time.Minute))
			if (state.Quarantine != nil) != tt.out || got != tt.isolated {
				t.Errorf("out %v for %v, want %v for %v", state.Quarantine != nil, got, tt.out, tt.isolated)
			}
			if (state.Readmission != nil) != tt.again {
				t.Errorf("readmission %+v", state.Readmission)
			}
			if _, latched := state.Latch("sha256:2"); latched != (tt.name == "rolled back") {
				t.Errorf("latched: %v", latched)
			}
		})
	}
	if text := with(quarantined, func(*Entry) {}).Describe(); !strings.Contains(text,
		"quarantined v2 offence 1 until 2026-03-02T09:03:00Z (7 of 20)") {
		t.Error(text)
	}
}

// A bursty service is quarantined often in a soak: the ledger has room for many soaks.
func TestManyQuarantinesFit(t *testing.T) {
	store, now := &memory{}, clock()
	pair := []Entry{{Kind: Quarantined, Release: "v2", Image: onTrial, Offence: 1,
		Who: "guard/finance-service-guard-84dcdf5", Reason: strings.Repeat("7 of 20 requests failed; ", 12)},
		{Kind: Readmitted, Release: "v2", Image: onTrial, Offence: 1}}
	const soaks, each = 5, 50
	var history *Ledger
	for soak := range soaks {
		weight := 10 + 10*(soak%2)
		write(t, store, now, begun(onTrial, 0, weight), reached(onTrial, weight), Entry{Kind: Checkpoint, Verdict: "pass"})
		for range each {
			history = write(t, store, now, pair...)
		}
	}
	if size := len(store.data[keyHistory]); size > softLimit {
		t.Errorf("%d KiB", size>>10)
	}
	count, out := 0, time.Duration(0)
	for _, entry := range history.Entries() {
		switch entry.Kind {
		case Quarantines:
			count, out = count+entry.Folded, out+time.Duration(entry.Took)*time.Millisecond
		case Readmitted:
			count, out = count+1, out+time.Minute
		}
	}
	if count != soaks*each || out != soaks*each*time.Minute {
		t.Errorf("%d quarantines of %v are left of %d", count, out, soaks*each)
	}
	if got := history.State().Isolated; got != each*time.Minute {
		t.Errorf("the running soak was out for %v", got)
	}
}

// A bursty service stays at one stage for a year, with three quarantines a day. Its ledger stays small, the time in
// quarantine is known to the second, and the quarantine under way goes on.
func TestAYearOfQuarantinesFits(t *testing.T) {
	store, at := &memory{}, start
	now := func() time.Time {
		at = at.Add(40 * time.Second)
		return at
	}
	write(t, store, now, begun(onTrial, 0, 30), reached(onTrial, 30))
	since := at
	reason := "7 of 20 requests failed (35 %), beside 0 of 171 of the stable track over the same time; " +
		strings.Repeat("the share is above the limit of 1 % ", 4)
	out := Entry{Kind: Quarantined, Release: "v2", Image: onTrial, Offence: 1, Who: "guard/finance-service-guard-84dcdf5",
		Reason: reason}
	in := Entry{Kind: Readmitted, Release: "v2", Image: onTrial, Offence: 1}
	look := Entry{Kind: Checkpoint, Verdict: "pass", Release: "v2", Image: onTrial, Reason: reason}
	// Five days a write, for the sake of the time that the test takes.
	const writes, each = 73, 15
	for range writes {
		at = at.Add(5 * 24 * time.Hour)
		write(t, store, now, slices.Repeat([]Entry{out, in, look}, each)...)
	}
	history := write(t, store, now, out)
	const isolated = writes * each * 40 * time.Second
	if size := len(store.data[keyHistory]); size > 256<<10 {
		t.Errorf("%d KiB", size>>10)
	}
	state := history.State()
	if state.Isolated != isolated || state.Quarantine == nil || state.Readmission == nil ||
		!state.SoakSince.Equal(since) {
		t.Errorf("out for %v, want %v; quarantine %v, soak since %v", state.Isolated, isolated, state.Quarantine != nil,
			state.SoakSince)
	}
	folded, err := history.folded()
	if err != nil {
		t.Fatal(err)
	}
	if got := folded.State(); got.Isolated != isolated || got.Quarantine == nil {
		t.Errorf("compacted once more: out for %v, want %v", got.Isolated, isolated)
	}
}

// A quarantine that goes on while the stage changes is not folded: its end belongs to the next soak.
func TestAnOpenQuarantineIsKept(t *testing.T) {
	store, now := &memory{}, clock()
	open := Entry{Kind: Quarantined, Image: onTrial, Offence: 1}
	history := write(t, store, now, reached(onTrial, 10), open, Entry{Kind: Checkpoint, Verdict: "pass"},
		reached(onTrial, 30), Entry{Kind: Readmitted, Image: onTrial})
	folded, err := history.folded()
	if err != nil {
		t.Fatal(err)
	}
	if got, want := folded.State().Isolated, history.State().Isolated; got != want || got == 0 {
		t.Errorf("out for %v, before it was compacted for %v", got, want)
	}
	if _, err := Parse(folded.data()); err != nil {
		t.Error(err)
	}
}
