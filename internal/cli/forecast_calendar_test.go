package cli

import (
	"encoding/json"
	"path/filepath"
	"testing"
	"time"

	"github.com/vextrus/finance-rollout/internal/forecast"
	"github.com/vextrus/finance-rollout/internal/terminal"
)

// planned adds two stages of a day each, and a calendar where there is one, to the world's stack.
func (w *world) planned(calendar string) {
	w.t.Helper()
	text := w.production() + "  shop:stages: [50, 100]\n  shop:soak: { duration: 24h, extension: 1h }\n"
	if calendar != "" {
		text += "  shop:calendar: " + calendar + "\n"
	}
	w.write("Pulumi.production.yaml", text)
}

// A stage takes 24 h and 7 minutes here: its bake and its soak. The release starts on Friday, 2026-03-06, 09:00 UTC.
func TestTheCalendarMovesTheFinish(t *testing.T) {
	const freezes = "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:x\r\nBEGIN:VEVENT\r\nUID:1\r\nDTSTAMP:20260101T000000Z\r\n" +
		"SUMMARY:audit\r\nDTSTART;VALUE=DATE:20260307\r\nDTEND;VALUE=DATE:20260312\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n"
	march := func(day, hour, minute int) time.Time {
		return time.Date(2026, 3, day, hour, minute, 0, 0, time.UTC)
	}
	for name, tt := range map[string]struct {
		calendar, start string
		begin, done     time.Time
	}{
		"none": {"", "2026-03-06T09:00:00Z", march(6, 9, 0), march(8, 9, 14)},
		"closed on weekends": {"{ days: [Mon, Tue, Wed, Thu, Fri] }", "2026-03-06T09:00:00Z", march(6, 9, 0),
			march(10, 0, 7)},
		"closed on weekends, in Berlin": {"{ days: [Mon, Tue, Wed, Thu, Fri], timeZone: Europe/Berlin }",
			"2026-03-06T09:00:00Z", march(6, 9, 0), march(9, 23, 7)},
		"a start on Saturday": {"{ days: [Mon, Tue, Wed, Thu, Fri] }", "2026-03-07T09:00:00Z", march(9, 0, 0),
			march(11, 0, 14)},
		"by day":            {`{ hours: "10:00-16:00" }`, "2026-03-06T09:00:00Z", march(6, 10, 0), march(8, 10, 14)},
		"once in four days": {"{ every: 96h }", "2026-03-06T09:00:00Z", march(6, 9, 0), march(11, 9, 7)},
		"a freeze": {"{ freezes: [{ from: \"2026-03-07\", to: \"2026-03-09\", reason: audit }] }", "2026-03-06T09:00:00Z",
			march(6, 9, 0), march(11, 0, 7)},
		"a freeze of a file": {"{ freezeFile: freezes.ics }", "2026-03-06T09:00:00Z", march(6, 9, 0), march(13, 0, 7)},
		"a freeze longer than the calendar is looked ahead": {
			"{ freezes: [{ from: \"2026-03-07\", to: \"2028-01-01\", reason: merger }] }", "2026-03-06T09:00:00Z",
			march(6, 9, 0), march(8+400, 9, 14)},
		"an override": {"{ days: [Mon], override: { reason: audit, until: \"2026-03-08T00:00:00Z\" } }",
			"2026-03-06T09:00:00Z", march(6, 9, 0), march(8, 9, 14)},
		"an override that ends too early": {"{ days: [Mon], override: { reason: audit, until: \"2026-03-07T09:00:00Z\" } }",
			"2026-03-06T09:00:00Z", march(6, 9, 0), march(10, 0, 7)},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			w.planned(tt.calendar)
			w.write("freezes.ics", freezes)
			code, printed := called(t, "forecast", "-s", "production", "--rate", "2", "--start", tt.start, "-o", "json",
				"--runs", "2")
			var result forecast.Forecast
			if err := json.Unmarshal([]byte(printed), &result); err != nil || code != terminal.ExitDone {
				t.Fatalf("exit code %d, %v\n%s", code, err, printed)
			}
			if !result.Start.Equal(tt.begin) || result.Half == nil || !result.Half.Equal(tt.done) {
				t.Errorf("from %v to %v, want %v to %v", result.Start, result.Half, tt.begin, tt.done)
			}
			w.expectUnchanged()
		})
	}
}

// A calendar that lets no release begin is no forecast, and neither is one that cannot be read.
func TestACalendarThatDoesNotOpen(t *testing.T) {
	for calendar, words := range map[string][]string{
		`{ freezes: [{ from: "2026-01-01", to: "2028-01-01", reason: merger }] }`: {
			"config calendar does not open within 400 days of 2026-03-06T09:00:00Z", "merger",
			"pulumi config get calendar -s production", "--start"},
		"{ freezeFile: nowhere.ics }": {`config calendar.freezeFile "nowhere.ics"`, "no such file",
			"pulumi config set --path calendar.freezeFile FILE -s production"},
	} {
		w := newWorld(t)
		w.planned(calendar)
		w.refused(terminal.ExitUsage, words, []string{"forecast", "-s", "production", "--rate", "2", "--runs",
			"2", "--start", "2026-03-06T09:00:00Z"})
	}
}

// The relative path of a file of freezes begins in the project's folder, wherever the command runs.
func TestTheFileOfFreezesLiesInTheProject(t *testing.T) {
	w := newWorld(t)
	w.planned("{ freezeFile: absent/freezes.ics }")
	w.refused(terminal.ExitUsage, []string{filepath.Join(w.dir, "absent", "freezes.ics")},
		[]string{"forecast", "-s", "production", "--rate", "2", "--runs", "2"})
}
