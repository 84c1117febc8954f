package shift

import (
	"strings"
	"testing"
	"time"
)

// An update that changes nothing but the name calls no hook: the beginning of the update refuses it.
func TestTheBeginningOfAnUpdateRefusesARename(t *testing.T) {
	tests := []struct {
		name    string
		stands  int
		to      int
		dryRun  bool
		fails   bool
		message string
	}{
		{name: "at its weight", stands: 10, to: 10, fails: true},
		{name: "on the way up", stands: 10, to: 30, fails: true},
		{name: "in a preview", stands: 10, to: 30, dryRun: true, fails: true},
		{name: "on the way down", stands: 10, to: 0, message: "v2 goes to 0 % under its own name; after that, v3 can enter"},
		{name: "at 0", stands: 0, to: 10},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			tr := newNamedTrial(t, "v3", tt.to, served{}, born.Add(time.Minute))
			tr.dryRun = tt.dryRun
			tr.standsAt(t, tt.stands, born)
			err := tr.Look(t.Context())
			if (err != nil) != tt.fails || err != nil && !strings.Contains(err.Error(), "renamed canary") {
				t.Errorf("error %v", err)
			}
			if text := strings.Join(tr.heard.infos, "\n"); text != tt.message {
				t.Errorf("told %q, want %q", text, tt.message)
			}
			if wrote := tr.kinds(t); wrote != "shift-reached" {
				t.Errorf("the ledger holds %s", wrote)
			}
		})
	}
}
