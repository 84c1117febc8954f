package shift

import (
	"strings"
	"testing"
	"time"

	"github.com/vextrus/finance-rollout/internal/ledger"
	"github.com/vextrus/finance-rollout/internal/testkit"
)

// A ledger that has lost entries raises nothing: neither a latched image, nor one that it forgot to soak. The way
// to 0 % stays open.
func TestALedgerThatWasCutRaisesNothing(t *testing.T) {
	latched := []ledger.Entry{
		{Kind: ledger.ShiftReached, Release: "v2", Image: onTrial, Stable: oldImage, To: 10},
		{Kind: ledger.RollbackBegun, Who: "guard", Release: "v2", Image: onTrial, From: 10, Reason: "33 of 90 failed"},
	}
	spoils := map[string]func(trial){
		"the latch is cut off": func(tr trial) {
			tr.world.History["history"] = strings.SplitAfter(tr.world.History["history"], "\n")[0]
		},
		"deleted": func(tr trial) { tr.world.History, tr.world.Version = nil, 0 },
		"deleted with the release record": func(tr trial) {
			tr.rollout.Remembered, _ = ledger.ParseHead(tr.world.Head)
			tr.world.History, tr.world.Version, tr.world.Head = nil, 0, ""
		},
	}
	for name, spoil := range spoils {
		t.Run(name, func(t *testing.T) {
			for _, to := range []int{10, 0} {
				tr := newTrial(t, to, served{}, born.Add(50*time.Hour))
				for _, entry := range latched {
					tr.write(t, entry)
				}
				spoil(tr)
				if err := tr.Look(t.Context()); err != nil {
					t.Fatal(err)
				}
				if said := strings.Join(tr.heard.warnings, "\n"); !strings.Contains(said, "has lost entries") {
					t.Errorf("warned %q", said)
				}
				if tr.Errand() == "" || len(tr.world.Announced) > 0 {
					t.Errorf("errand %q, Events %q before it", tr.Errand(), tr.world.Announced)
				}
				if err := tr.RunErrand(t.Context()); err != nil || len(tr.heard.warnings) != 1 {
					t.Errorf("the errand: %v, warned %q", err, tr.heard.warnings)
				}
				if events := strings.Join(tr.world.Announced, "\n"); !strings.Contains(events,
					"Warning LedgerCut of finance-service-stable: the ledger has lost entries") {
					t.Errorf("Events %q", events)
				}
				before := tr.world.Version
				err := tr.Judge(t.Context())
				if to == 0 && err != nil {
					t.Errorf("the way down: %v", err)
				}
				if to > 0 {
					testkit.WantError(t, err, "the move to 10 % is refused", "has lost entries",
						"rollout ledger accept --reason WHY -s production")
				}
				if tr.world.Version != before {
					t.Error("the ledger was written")
				}
			}
		})
	}
}

// A preview says so, and makes no Event.
func TestAPreviewOfACutLedgerChangesNothing(t *testing.T) {
	tr := newTrial(t, 10, served{}, born)
	tr.dryRun = true
	tr.standsAt(t, 10, born)
	tr.world.History, tr.world.Version = nil, 0
	if err := tr.Look(t.Context()); err != nil || len(tr.heard.warnings) != 1 || len(tr.world.Announced) != 0 ||
		tr.Errand() != "" {
		t.Errorf("%v, warned %q, announced %q, errand %q", err, tr.heard.warnings, tr.world.Announced, tr.Errand())
	}
	testkit.WantError(t, tr.Judge(t.Context()), "has lost entries")
}
