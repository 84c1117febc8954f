package shift

import (
	"context"
	"errors"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/common/model"

	"github.com/vextrus/finance-rollout/internal/ledger"
	"github.com/vextrus/finance-rollout/internal/settings"
	"github.com/vextrus/finance-rollout/internal/soak"
)

// alerting is a healthy canary's Prometheus with an alert that fires, or one that says nothing about alerts.
type alerting struct {
	served
	silent bool
}

func (a alerting) Ask(_ context.Context, query string, _ time.Time) (model.Value, error) {
	if a.silent && strings.HasPrefix(query, "ALERTS") {
		return nil, errors.New("prometheus cannot be reached")
	}
	if strings.HasPrefix(query, `ALERTS{alertstate="firing",severity="critical"}`) {
		return model.Vector{{Metric: model.Metric{"alertname": "PaymentsDown"}, Value: 1}}, nil
	}
	return model.Vector{}, nil
}

// holding is a trial of a stack with some more configuration, which stands at 10 % since born and has soaked.
func holding(t *testing.T, weight int, prometheus soak.Server, changes ...string) trial {
	t.Helper()
	// A Wednesday, 02:00 UTC.
	tr := newTrial(t, 10, prometheus, born.Add(50*time.Hour))
	config := productionConfig()
	config["release"], config["canaryWeight"] = "v2", strconv.Itoa(weight)
	for i := 0; i < len(changes); i += 2 {
		config[changes[i]] = changes[i+1]
	}
	s, err := settings.Load("production", values(config))
	if err != nil {
		t.Fatal(err)
	}
	tr.rollout.Settings = s
	tr.standsAt(t, 10, born.Add(30*time.Second))
	return tr
}

func TestHolds(t *testing.T) {
	const hours, critical = `{"timeZone":"Europe/Berlin","days":["Mon","Thu"],"hours":"09:00-16:00"}`,
		`{"alerts":["severity=\"critical\""]}`
	lifted := strings.TrimSuffix(hours, "}") + `,"override":{"reason":"the regulator's deadline","until":"2026-03-05"}}`
	for name, tt := range map[string]struct {
		to      int
		server  soak.Server
		changes []string
		refused string // "" when the move is allowed
		// error is true where the preview refuses as well.
		error bool
		wrote string
	}{
		"closed": {to: 30, server: served{}, changes: []string{"calendar", hours},
			refused: "opens Thu 2026-03-05 09:00 Europe/Berlin", wrote: "shift-reached checkpoint"},
		"closed, and down": {to: 0, server: served{}, changes: []string{"calendar", hours},
			wrote: "shift-reached shift-begun"},
		"closed, and unchanged": {to: 10, server: served{}, changes: []string{"calendar", hours}, wrote: "shift-reached"},
		"closed, and lifted": {to: 30, server: served{}, changes: []string{"calendar", lifted},
			wrote: "shift-reached overridden verdict shift-begun"},
		"closed, and a bad canary": {to: 30, server: served{failing: 0.05}, changes: []string{"calendar", hours},
			refused: "rolled back", error: true, wrote: "shift-reached rollback-begun rolled-back"},
		"not readable": {to: 30, server: served{}, changes: []string{"calendar", `{"freezeFile":"/nowhere/freezes.ics"}`},
			refused: "calendar not readable", error: true, wrote: "shift-reached checkpoint"},
		"once in three days": {to: 30, server: served{}, changes: []string{"calendar", `{"every":"72h"}`},
			refused: "calendar.every allows one in 72h; opens Thu 2026-03-05 00:00:30 UTC", wrote: "shift-reached checkpoint"},
		"an incident": {to: 30, server: alerting{}, changes: []string{"incidents", critical},
			refused: `open incident: now is 2026-03-04T02:00:00Z; alert {alertname="PaymentsDown"}`,
			wrote:   "shift-reached checkpoint"},
		"an incident, and down": {to: 5, server: alerting{}, changes: []string{"incidents", critical, "replicas", "20"},
			wrote: "shift-reached shift-begun"},
		"nobody knows of incidents": {to: 30, server: alerting{silent: true}, changes: []string{"incidents", critical},
			refused: "open incidents are not known: prometheus cannot be reached", wrote: "shift-reached checkpoint"},
		"nobody knows of incidents, and down": {to: 0, server: alerting{silent: true},
			changes: []string{"incidents", critical}, wrote: "shift-reached shift-begun"},
		"not signed off": {to: 30, server: served{}, changes: []string{"checklist", `{"required":["sign-off"]}`},
			refused: "rollout attest sign-off --ref WHERE --until 7d -s production", error: true,
			wrote: "shift-reached checkpoint"},
	} {
		t.Run(name, func(t *testing.T) {
			preview := holding(t, tt.to, tt.server, tt.changes...)
			preview.dryRun = true
			err := preview.Judge(t.Context())
			said := strings.Join(append(preview.heard.warnings, preview.heard.infos...), "\n")
			if (err != nil) != tt.error || preview.kinds(t) != "shift-reached" {
				t.Errorf("the preview ends with %v, and wrote %s", err, preview.kinds(t))
			}
			if tt.refused != "" && !tt.error && (!strings.HasPrefix(said, "an update now would be refused: advance from 10 %") ||
				!strings.Contains(said, tt.refused)) {
				t.Errorf("the preview does not say %q:\n%s", tt.refused, said)
			}
			tr := holding(t, tt.to, tt.server, tt.changes...)
			err = tr.Judge(t.Context())
			if (err != nil) != (tt.refused != "") || err != nil && !strings.Contains(err.Error(), tt.refused) {
				t.Errorf("error %v, want one with %q", err, tt.refused)
			}
			if wrote := tr.kinds(t); wrote != tt.wrote {
				t.Errorf("the ledger holds %s, want %s", wrote, tt.wrote)
			}
		})
	}
}

// An override of a hold is noted with the shift: whose it was, why, and against what.
func TestTheLedgerKeepsWhatWasLifted(t *testing.T) {
	tr := holding(t, 30, served{}, "calendar",
		`{"days":["Mon"],"override":{"reason":"the regulator's deadline","until":"2026-03-05"}}`)
	if err := tr.Judge(t.Context()); err != nil {
		t.Fatal(err)
	}
	history, err := ledger.Read(t.Context(), tr.rollout.Ledger())
	if err != nil {
		t.Fatal(err)
	}
	entry := history.Entries()[1]
	want := "calendar.override: the regulator's deadline; against: calendar closed: now is Wed 2026-03-04 02:00 UTC; " +
		"it is Wednesday, and calendar.days allows Mon; opens Mon 2026-03-09 00:00 UTC"
	if entry.Kind != ledger.Overridden || entry.Who != "anna" || entry.To != 30 || entry.Reason != want {
		t.Errorf("the ledger keeps %s by %s to %d %%: %s", entry.Kind, entry.Who, entry.To, entry.Reason)
	}
}

// An interrupted shift was begun in time and goes on, unless an incident is open.
func TestAnInterruptedShiftGoesOn(t *testing.T) {
	tr := holding(t, 30, served{}, "calendar", `{"every":"24h","days":["Mon"]}`)
	begun := ledger.Entry{Kind: ledger.ShiftBegun, Release: "v2", Image: onTrial, Stable: oldImage, From: 10, To: 30}
	now := tr.rollout.Clock.Now()
	if _, err := ledger.Write(t.Context(), tr.rollout.Ledger(), func() time.Time { return now.Add(-time.Hour) },
		begun); err != nil {
		t.Fatal(err)
	}
	if err := tr.Judge(t.Context()); err != nil {
		t.Error(err)
	}
	held := holding(t, 30, alerting{}, "incidents", `{"alerts":["severity=\"critical\""]}`)
	held.world.History, held.world.Version = tr.world.History, tr.world.Version
	if err := held.Judge(t.Context()); err == nil || !strings.Contains(err.Error(), "open incident") {
		t.Errorf("error %v", err)
	}
}
