package shift

import (
	"strings"
	"testing"

	"github.com/vextrus/finance-rollout/internal/ledger"
	"github.com/vextrus/finance-rollout/internal/settings"
	"github.com/vextrus/finance-rollout/internal/testkit"
)

const formerImage = "sha256:2222"

// single makes the trial one of a stack with one track that runs an image.
func (tr trial) single(t *testing.T, image string) trial {
	t.Helper()
	config := productionConfig()
	config["strategy"], config["release"] = settings.StrategySingle, "v2"
	s, err := settings.Load("production", values(config))
	if err != nil {
		t.Fatal(err)
	}
	tr.rollout.Settings, tr.images = s, Images{Canary: KnownDigest(image), Stable: KnownDigest("")}
	return tr
}

// A change to one track is a move of the rollout that the ledger holds: it lets no image past the stages and the latch.
func TestOneTrackIsNoWayPastTheLedger(t *testing.T) {
	reached := ledger.Entry{Kind: ledger.ShiftReached, Release: "v2", Image: onTrial, Stable: oldImage, To: 10}
	rolledBack := ledger.Entry{Kind: ledger.RollbackBegun, Who: "guard", Release: "v2", Image: onTrial, From: 10,
		Reason: "33 of 90 requests failed"}
	tests := []struct {
		name    string
		history []ledger.Entry
		image   string
		refused []string
		wrote   string
	}{
		{name: "no rollout, as in staging", image: onTrial},
		{name: "the image of stable", history: []ledger.Entry{reached, rolledBack}, image: oldImage,
			wrote: "shift-reached rollback-begun"},
		{name: "a latched image", history: []ledger.Entry{reached, rolledBack}, image: onTrial,
			refused: []string{"rolled back", "33 of 90", "latch.release 2"}, wrote: "shift-reached rollback-begun"},
		{name: "an image that was no canary", history: []ledger.Entry{reached}, image: formerImage,
			refused: []string{"a new stable image", "not a legal move"}, wrote: "shift-reached"},
		{name: "the image on trial", history: []ledger.Entry{reached}, image: onTrial,
			refused: []string{"a new stable image"}, wrote: "shift-reached"},
		{name: "what is on trial leaves", history: []ledger.Entry{reached}, image: oldImage,
			wrote: "shift-reached shift-begun shift-reached"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			tr := newTrial(t, 10, served{}, born).single(t, tt.image)
			for _, entry := range tt.history {
				tr.write(t, entry)
			}
			err := tr.Judge(t.Context())
			if len(tt.refused) > 0 {
				testkit.WantError(t, err, tt.refused...)
			} else if err == nil {
				err = tr.reached(t.Context())
			}
			if len(tt.refused) == 0 && err != nil {
				t.Error(err)
			}
			if wrote := tr.kinds(t); wrote != tt.wrote {
				t.Errorf("the ledger holds %q, want %q", wrote, tt.wrote)
			}
		})
	}
}

func TestOneTrackNeedsALedgerThatCanBeRead(t *testing.T) {
	tr := newTrial(t, 10, served{}, born).single(t, onTrial)
	tr.standsAt(t, 10, born)
	tr.world.History["history"] = strings.Replace(tr.world.History["history"], `"to":10`, `"to":99`, 1)
	testkit.WantError(t, tr.Judge(t.Context()), "edited by hand")
}

// A latch holds for the image on every track: a former stable image that was rolled back since is no
// way back.
func TestALatchedFormerStableIsRefused(t *testing.T) {
	history := []ledger.Entry{
		{Kind: ledger.ShiftReached, Stable: formerImage}, {Kind: ledger.ShiftReached, Stable: oldImage},
		{Kind: ledger.RollbackBegun, Who: "guard", Release: "v1", Image: formerImage, Reason: "33 of 90 requests failed"},
	}
	tr := newTrial(t, 0, served{}, born)
	tr.images.Stable = KnownDigest(formerImage)
	for _, entry := range history {
		tr.write(t, entry)
	}
	testkit.WantError(t, tr.Judge(t.Context()), formerImage, "rolled back", "33 of 90", "latch.release 3")

	released := newTrial(t, 0, served{}, born)
	released.images.Stable = KnownDigest(formerImage)
	released.world.History, released.world.Version = tr.world.History, tr.world.Version
	released.rollout.Settings.Latch = settings.Latch{Release: 3, Reason: "the database was the cause"}
	if err := released.Judge(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got := released.kinds(t); got != "shift-reached shift-reached rollback-begun latch-released" {
		t.Errorf("the ledger holds %s", got)
	}
}
