package program

import (
	"errors"
	"strings"
	"testing"

	"github.com/vextrus/finance-rollout/internal/forecast"
	"github.com/vextrus/finance-rollout/internal/ledger"
	"github.com/vextrus/finance-rollout/internal/rollout"
	"github.com/vextrus/finance-rollout/internal/settings"
	"github.com/vextrus/finance-rollout/internal/shift/shifttest"
	"github.com/vextrus/finance-rollout/internal/testkit"
)

// Only a release that is about to enter is forecast.
func TestWhatIsForecast(t *testing.T) {
	const fresh, older = "sha256:" + "bb", "sha256:" + "aa"
	entry := func(kind ledger.Kind, image string, to int) ledger.Entry {
		return ledger.Entry{Kind: kind, Release: "v2", Image: image, Stable: older, To: to}
	}
	for name, tt := range map[string]struct {
		image   string
		changes map[string]string
		entries []ledger.Entry
		want    bool
	}{
		"a new one": {fresh, nil, nil, true},
		"after another": {fresh, nil, []ledger.Entry{entry(ledger.ShiftReached, "sha256:cc", 10),
			entry(ledger.ShiftReached, "sha256:cc", 0)}, true},
		"none is known":    {"", nil, nil, false},
		"at 0 %":           {fresh, map[string]string{"canaryWeight": "0"}, nil, false},
		"stable's":         {older, nil, []ledger.Entry{entry(ledger.ShiftReached, "", 0)}, false},
		"on trial":         {fresh, nil, []ledger.Entry{entry(ledger.ShiftReached, fresh, 10)}, false},
		"another on trial": {fresh, nil, []ledger.Entry{entry(ledger.ShiftReached, "sha256:cc", 10)}, false},
		"half a shift":     {fresh, nil, []ledger.Entry{entry(ledger.ShiftBegun, fresh, 10)}, false},
		"rolled back already": {fresh, nil, []ledger.Entry{entry(ledger.RollbackBegun, fresh, 0),
			entry(ledger.RolledBack, fresh, 0)}, false},
	} {
		t.Run(name, func(t *testing.T) {
			s, err := settings.Load("production", testkit.Config(productionConfig()).With(tt.changes))
			if err != nil {
				t.Fatal(err)
			}
			r := &rollout.Rollout{Settings: s, Cluster: shifttest.New(), Clock: testkit.Clock{}}
			for _, entry := range tt.entries {
				if _, err := ledger.Write(t.Context(), r.Ledger(), r.Clock.Now, entry); err != nil {
					t.Fatal(err)
				}
			}
			if got := enters(t.Context(), r, tt.image); got != tt.want {
				t.Errorf("forecast: %t", got)
			}
		})
	}
}

// Traffic that cannot decide the release refuses it before its start, unless the override is for this move.
func TestUndecidableTrafficIsAnErrorBeforeTheStart(t *testing.T) {
	s, err := settings.Load("production", testkit.Config(productionConfig()))
	if err != nil {
		t.Fatal(err)
	}
	undecided := &forecast.UndecidedError{Problems: []forecast.Problem{{Weight: 10, Gate: "soak", Reason: "too few"}}}
	f := &foreseen{brief: make(chan string, 1), err: undecided}
	f.brief <- ""
	err = f.say(log{}, s)
	if !errors.Is(err, error(undecided)) || !strings.Contains(err.Error(),
		"pulumi config set --path override.weight 10 -s production") {
		t.Errorf("%v", err)
	}
	if err := (&foreseen{}).say(log{}, s); err != nil {
		t.Errorf("no forecast: %v", err)
	}
}
