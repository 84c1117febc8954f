package ledger

import (
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
