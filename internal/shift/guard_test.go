package shift

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/vextrus/finance-rollout/internal/ledger"
)

// An update notes each configuration of the guard once, with its author.
func TestTheGuardsConfigurationIsNoted(t *testing.T) {
	tr := newTrial(t, 10, served{}, born.Add(time.Hour))
	tr.standsAt(t, 10, born)
	for _, configuration := range []string{`{"dryRun":false}`, `{"dryRun":false}`, "", `{"dryRun":true}`} {
		if err := tr.NoteGuard(t.Context(), configuration); err != nil {
			t.Fatal(err)
		}
	}
	if kinds := tr.kinds(t); kinds != "shift-reached guard-configured guard-configured" {
		t.Errorf("the ledger holds %s", kinds)
	}
	history, err := ledger.Read(t.Context(), tr.rollout.Ledger())
	if err != nil {
		t.Fatal(err)
	}
	last := history.State().Guard
	if last == nil || last.Who != "anna" || last.Release != "v2" ||
		last.Configuration != ledger.Checksum(`{"dryRun":true}`) {
		t.Errorf("noted %+v", last)
	}
}

// A ledger that takes no entry holds every update up but the way down.
func TestAConfigurationThatCannotBeNoted(t *testing.T) {
	for _, to := range []int{10, 0} {
		tr := newTrial(t, to, served{}, born.Add(time.Hour))
		tr.standsAt(t, 10, born)
		tr.world.History, tr.world.Version = nil, 0
		err := tr.NoteGuard(t.Context(), "{}")
		if lost := errors.Is(err, ledger.ErrCut); lost != (to > 0) {
			t.Errorf("to %d %%: %v", to, err)
		}
		if warned := strings.Contains(strings.Join(tr.heard.warnings, ""), "is not noted"); warned != (to == 0) {
			t.Errorf("to %d %%: warned %q", to, tr.heard.warnings)
		}
	}
}
