package shift

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/vextrus/finance-rollout/internal/settings"
)

func TestCheckpointOfAnUnchangedPosition(t *testing.T) {
	hour := born.Add(time.Hour)
	tests := []struct {
		name    string
		to      int
		now     time.Time
		served  served
		dryRun  bool
		fails   string
		wrote   string
		message string
		warned  string
	}{
		{name: "due", to: 10, now: hour, wrote: "shift-reached checkpoint",
			message: "checkpoint at 10 %: pass, soaked 59 min 30 s of 48 h 0 min"},
		{name: "not due", to: 10, now: born.Add(10 * time.Minute), wrote: "shift-reached"},
		{name: "a preview", to: 10, now: hour, dryRun: true, wrote: "shift-reached"},
		{name: "an advance looks by itself", to: 30, now: hour, wrote: "shift-reached"},
		{name: "the way down needs none", to: 0, now: hour, wrote: "shift-reached"},
		{name: "an illegal move", to: 100, now: hour, wrote: "shift-reached"},
		{name: "blind", to: 10, now: hour, served: served{offline: true}, wrote: "shift-reached checkpoint",
			warned: "cannot be reached"},
		{name: "bad", to: 10, now: hour, served: served{failing: 0.05},
			wrote: "shift-reached checkpoint rollback-begun rolled-back",
			fails: "checkpoint at 10 %: fail"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			tr := newTrial(t, tt.to, tt.served, tt.now)
			tr.dryRun = tt.dryRun
			tr.standsAt(t, 10, born.Add(30*time.Second))
			err := tr.errands(t)
			if (err != nil) != (tt.fails != "") || err != nil && !strings.Contains(err.Error(), tt.fails) {
				t.Errorf("error %v, want one with %q", err, tt.fails)
			}
			if wrote := tr.kinds(t); wrote != tt.wrote {
				t.Errorf("the ledger holds %s, want %s", wrote, tt.wrote)
			}
			text := strings.Join(tr.heard.infos, "\n")
			if (text == "") != (tt.message == "") || !strings.Contains(text, tt.message) {
				t.Errorf("told %q, want %q", text, tt.message)
			}
			if warned := strings.Join(tr.heard.warnings, "\n"); (warned == "") != (tt.warned == "") ||
				!strings.Contains(warned, tt.warned) {
				t.Errorf("warned %q, want %q", warned, tt.warned)
			}
		})
	}
}

func TestACheckpointIsNoReasonNotToUpdate(t *testing.T) {
	tr := newTrial(t, 10, served{}, born.Add(time.Hour))
	tr.standsAt(t, 10, born)
	tr.world.History["history"] = strings.Replace(tr.world.History["history"], `"to":10`, `"to":99`, 1)
	if err := tr.errands(t); err != nil || len(tr.heard.warnings) != 1 {
		t.Errorf("a broken ledger: %v, warned %q", err, tr.heard.warnings)
	}
	pending := newTrial(t, 10, served{}, born.Add(time.Hour))
	pending.standsAt(t, 10, born)
	pending.images.Canary = NewDigest()
	if err := pending.errands(t); err != nil || pending.kinds(t) != "shift-reached" {
		t.Errorf("an image that is built by the update: %v, %s", err, pending.kinds(t))
	}
}

// The next update writes the leftovers of a rollback or of an interrupted update anew, and passes its gate anew.
func TestAnInterruptionIsSeenUntilAnotherOne(t *testing.T) {
	tr := newTrial(t, 10, served{}, born)
	seen := func() int {
		t.Helper()
		next := tr.shared(t, 10)
		if err := next.Look(t.Context()); err != nil {
			t.Fatal(err)
		}
		return next.interruption
	}
	complete := func(run trial) {
		t.Helper()
		for _, step := range []func(context.Context) error{run.Look, run.Judge, run.reached} {
			if err := step(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
	}
	complete(tr) // entries 1 to 3: staging's word, begun, reached
	if got := seen(); got != 0 {
		t.Errorf("after an update that went through: %d", got)
	}
	tr.rollBack(t.Context(), onTrial, "v2", "33 of 90 requests failed", nil) // entries 4 and 5
	if got := seen(); got != 5 {
		t.Errorf("after a rollback: %d", got)
	}
	interrupted := tr.shared(t, 10)
	interrupted.rollout.Settings.Latch = settings.Latch{Release: 4, Reason: "mended"}
	if err := interrupted.Judge(t.Context()); err != nil { // entries 6 to 8: released, staging's word, begun
		t.Fatal(err)
	}
	if got := seen(); got != 8 {
		t.Errorf("after an update that was interrupted: %d", got)
	}
	complete(tr.shared(t, 10))
	if got := seen(); got != 8 {
		t.Errorf("after its completion: %d, and an unchanged update has something to do", got)
	}
}
