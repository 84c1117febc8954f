package calendar

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/vextrus/finance-rollout/internal/testkit"
)

// file is an iCalendar file with events of the given lines.
func file(events ...string) string {
	text := "BEGIN:VCALENDAR\nVERSION:2.0\nPRODID:-//example//EN\n"
	for _, event := range events {
		text += "BEGIN:VEVENT\nUID:1\n" + event + "\nEND:VEVENT\n"
	}
	return text + "END:VCALENDAR\n"
}

// between lists the freezes of a file that touch 2026-12-01 to 2028-01-01, each as from, to and reason.
func between(t *testing.T, text string) []string {
	t.Helper()
	events, err := ParseEvents(text, zone(t, "Europe/Berlin"))
	if err != nil {
		t.Fatal(err)
	}
	var list []string
	for _, event := range events {
		for _, f := range event.Between(at(t, "2026-12-01T00:00:00Z"), at(t, "2028-01-01T00:00:00Z")) {
			list = append(list, f.From.UTC().Format(time.RFC3339)+" "+f.To.UTC().Format(time.RFC3339)+" "+f.Reason)
		}
	}
	return list
}

func TestEvents(t *testing.T) {
	for name, tt := range map[string]struct {
		event string
		want  []string
	}{
		"a day": {"DTSTART;VALUE=DATE:20261224\nSUMMARY:Christmas Eve",
			[]string{"2026-12-23T23:00:00Z 2026-12-24T23:00:00Z Christmas Eve"}},
		"days, DTEND is not included": {"DTSTART;VALUE=DATE:20261218\nDTEND;VALUE=DATE:20270104\nSUMMARY:Year end",
			[]string{"2026-12-17T23:00:00Z 2027-01-03T23:00:00Z Year end"}},
		"a time in UTC": {"DTSTART:20261218T160000Z\nDTEND:20261219T060000Z\nSUMMARY:a",
			[]string{"2026-12-18T16:00:00Z 2026-12-19T06:00:00Z a"}},
		"a time without a zone": {"DTSTART:20261218T160000\nDTEND:20261219T060000\nSUMMARY:a",
			[]string{"2026-12-18T15:00:00Z 2026-12-19T05:00:00Z a"}},
		"a time in a zone": {"DTSTART;TZID=America/New_York:20261218T160000\nDURATION:PT1H30M\nSUMMARY:a",
			[]string{"2026-12-18T21:00:00Z 2026-12-18T22:30:00Z a"}},
		"a zone in quotes": {"DTSTART;TZID=\"America/New_York\":20261218T160000\nDURATION:PT1H\nSUMMARY:a",
			[]string{"2026-12-18T21:00:00Z 2026-12-18T22:00:00Z a"}},
		"weeks": {"DTSTART;VALUE=DATE:20261218\nDURATION:P2W\nSUMMARY:a",
			[]string{"2026-12-17T23:00:00Z 2026-12-31T23:00:00Z a"}},
		"days by the calendar, over a switch": {"DTSTART:20270327T120000\nDURATION:P1D\nSUMMARY:a",
			[]string{"2027-03-27T11:00:00Z 2027-03-28T10:00:00Z a"}},
		"over": {"DTSTART;VALUE=DATE:20261129\nSUMMARY:a", nil},
		"begun before": {"DTSTART;VALUE=DATE:20261129\nDURATION:P4D\nSUMMARY:a",
			[]string{"2026-11-28T23:00:00Z 2026-12-02T23:00:00Z a"}},
		"folded and escaped": {"DTSTART;VALUE=DATE:20261224\nSUMMARY:Payments\\, cards\\nand\r\n  transfers",
			[]string{"2026-12-23T23:00:00Z 2026-12-24T23:00:00Z Payments, cards and transfers"}},
		"no summary": {"DTSTART;VALUE=DATE:20261224", []string{"2026-12-23T23:00:00Z 2026-12-24T23:00:00Z 1"}},
		"cancelled":  {"STATUS:CANCELLED\nDTSTART;VALUE=DATE:20261224\nRDATE:20270101T000000Z", nil},
		"an alarm": {"DTSTART;VALUE=DATE:20261224\nSUMMARY:a\nBEGIN:VALARM\nDURATION:PT5M\nSUMMARY:b\nEND:VALARM",
			[]string{"2026-12-23T23:00:00Z 2026-12-24T23:00:00Z a"}},
		"terminal sequences": {"DTSTART;VALUE=DATE:20261224\nSUMMARY:\x1b[31mred\x1b[0m",
			[]string{"2026-12-23T23:00:00Z 2026-12-24T23:00:00Z red"}},
		"every year, since long": {"DTSTART;VALUE=DATE:19901224\nDURATION:P3D\nRRULE:FREQ=YEARLY\nSUMMARY:a",
			[]string{"2026-12-23T23:00:00Z 2026-12-26T23:00:00Z a", "2027-12-23T23:00:00Z 2027-12-26T23:00:00Z a"}},
		"every year, said twice": {
			"DTSTART;VALUE=DATE:20251224\nRRULE:FREQ=YEARLY;BYMONTH=12;BYMONTHDAY=24\nSUMMARY:a",
			[]string{"2026-12-23T23:00:00Z 2026-12-24T23:00:00Z a", "2027-12-23T23:00:00Z 2027-12-24T23:00:00Z a"}},
		"a leap day": {"DTSTART;VALUE=DATE:20240229\nRRULE:FREQ=YEARLY;UNTIL=20271231\nSUMMARY:a", nil},
		"the last of long months": {"DTSTART;VALUE=DATE:20261231\nRRULE:FREQ=MONTHLY;COUNT=3\nSUMMARY:a",
			[]string{"2026-12-30T23:00:00Z 2026-12-31T23:00:00Z a", "2027-01-30T23:00:00Z 2027-01-31T23:00:00Z a",
				"2027-03-30T22:00:00Z 2027-03-31T22:00:00Z a"}},
		"every second week, on the clock on the wall": {
			"DTSTART;TZID=Europe/Berlin:20270317T180000\nDURATION:PT2H\nSUMMARY:a\n" +
				"RRULE:FREQ=WEEKLY;INTERVAL=2;BYDAY=WE;COUNT=2",
			[]string{"2027-03-17T17:00:00Z 2027-03-17T19:00:00Z a", "2027-03-31T16:00:00Z 2027-03-31T18:00:00Z a"}},
		"daily until, inclusive": {
			"DTSTART:20261201T100000Z\nDURATION:PT1H\nRRULE:FREQ=DAILY;UNTIL=20261202T100000Z\nSUMMARY:a",
			[]string{"2026-12-01T10:00:00Z 2026-12-01T11:00:00Z a", "2026-12-02T10:00:00Z 2026-12-02T11:00:00Z a"}},
	} {
		t.Run(name, func(t *testing.T) {
			if diff := cmp.Diff(tt.want, between(t, file(tt.event))); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestFilesOfOtherPrograms(t *testing.T) {
	definition := "BEGIN:VTIMEZONE\nTZID:Europe/Berlin\nBEGIN:STANDARD\nDTSTART:19701025T030000\n" +
		"RRULE:FREQ=YEARLY;BYMONTH=10;BYDAY=-1SU\nEND:STANDARD\nEND:VTIMEZONE\n" +
		"BEGIN:VTODO\nDTSTART:20260101T000000Z\nEND:VTODO\n"
	text := strings.Replace(file("DTSTART;TZID=Europe/Berlin:20261218T160000\nDURATION:PT1H\nSUMMARY:a"),
		"BEGIN:VEVENT", definition+"BEGIN:VEVENT", 1)
	want := []string{"2026-12-18T15:00:00Z 2026-12-18T16:00:00Z a"}
	for name, text := range map[string]string{
		"plain": text, "of Windows": "\ufeff" + strings.ReplaceAll(text, "\n", "\r\n"),
		"in small letters": strings.NewReplacer("BEGIN:", "begin:", "END:", "end:", "DTSTART;", "dtstart;",
			"SUMMARY:", "summary:").Replace(text),
	} {
		if diff := cmp.Diff(want, between(t, text)); diff != "" {
			t.Errorf("%s:\n%s", name, diff)
		}
	}
	if got := between(t, file()); got != nil {
		t.Errorf("a file without events: %v", got)
	}
}

func TestParseEventsRefuses(t *testing.T) {
	const day = "DTSTART;VALUE=DATE:20261224\nSUMMARY:Christmas\n"
	for name, tt := range map[string]struct {
		text string
		want []string
	}{
		"nothing":              {"", []string{"BEGIN:VCALENDAR"}},
		"a page":               {"<html>\n</html>\n", []string{"line 1", "NAME:VALUE"}},
		"a file cut short":     {strings.TrimSuffix(file(day), "END:VCALENDAR\n"), []string{"END:VCALENDAR"}},
		"an event alone":       {"BEGIN:VEVENT\nEND:VEVENT\n", []string{"line 1", "VEVENT outside a VCALENDAR"}},
		"an end alone":         {"BEGIN:VCALENDAR\nEND:VEVENT\n", []string{"line 2", "END:VEVENT without its BEGIN"}},
		"no beginning":         {file("SUMMARY:Christmas"), []string{"line 7", `event "Christmas"`, "DTSTART is missing"}},
		"two beginnings":       {file(day + "DTSTART;VALUE=DATE:20261225"), []string{"line 8", "a second DTSTART"}},
		"no end":               {file("DTSTART:20261224T100000Z"), []string{"neither DTEND nor DURATION"}},
		"two ends":             {file(day + "DTEND;VALUE=DATE:20261225\nDURATION:P1D"), []string{"exclude each other"}},
		"an end before":        {file(day + "DTEND;VALUE=DATE:20261223"), []string{"does not end after it begins"}},
		"no length":            {file(day + "DURATION:P0D"), []string{"does not end after it begins"}},
		"a date and a time":    {file(day + "DTEND:20261225T100000Z"), []string{"a date and the other a time"}},
		"hours of a date":      {file(day + "DURATION:PT5H"), []string{"a date lasts whole days"}},
		"a negative length":    {file(day + "DURATION:-P1D"), []string{`DURATION "-P1D"`, "P3D"}},
		"a date without VALUE": {file("DTSTART:20261224"), []string{"a date needs ;VALUE=DATE"}},
		"no such day":          {file("DTSTART;VALUE=DATE:20261232"), []string{`DTSTART "20261232"`}},
		"a period":             {file("DTSTART;VALUE=PERIOD:20261224T000000Z/P1D"), []string{"is a PERIOD"}},
		"a zone of Windows": {file("DTSTART;TZID=W. Europe Standard Time:20261224T100000"),
			[]string{"TZID", "Europe/Berlin"}},
		"a zone in UTC":         {file("DTSTART;TZID=Europe/Berlin:20261224T100000Z"), []string{"has no TZID"}},
		"more dates":            {file(day + "RDATE;VALUE=DATE:20261231"), []string{"RDATE is not supported"}},
		"an exception":          {file(day + "EXDATE;VALUE=DATE:20261231"), []string{"EXDATE is not supported"}},
		"a moved event":         {file(day + "RECURRENCE-ID;VALUE=DATE:20261231"), []string{"RECURRENCE-ID"}},
		"the last Friday":       {file(day + "RRULE:FREQ=MONTHLY;BYDAY=-1FR"), []string{"RRULE", "BYDAY=-1FR", "plain"}},
		"another weekday":       {file(day + "RRULE:FREQ=WEEKLY;BYDAY=MO"), []string{"BYDAY=MO"}},
		"the 24th of any month": {file(day + "RRULE:FREQ=YEARLY;BYMONTHDAY=24"), []string{"BYMONTHDAY=24"}},
		"by position":           {file(day + "RRULE:FREQ=YEARLY;BYSETPOS=1"), []string{"BYSETPOS=1"}},
		"every hour":            {file(day + "RRULE:FREQ=HOURLY"), []string{"FREQ=HOURLY", "DAILY"}},
		"no interval":           {file(day + "RRULE:FREQ=DAILY;INTERVAL=0"), []string{"INTERVAL=0"}},
		"no count":              {file(day + "RRULE:FREQ=DAILY;COUNT=0"), []string{"COUNT=0"}},
		"two limits":            {file(day + "RRULE:FREQ=DAILY;COUNT=2;UNTIL=20270101"), []string{"COUNT and UNTIL"}},
		"a limit with a time":   {file(day + "RRULE:FREQ=DAILY;UNTIL=20270101T000000Z"), []string{"UNTIL"}},
		"two rules":             {file(day + "RRULE:FREQ=DAILY\nRRULE:FREQ=WEEKLY"), []string{"a second RRULE"}},
		"a part without value":  {file(day + "RRULE:FREQ"), []string{"not readable"}},
		"a parameter alone":     {file("DTSTART;VALUE:20261224"), []string{`parameter "VALUE" without a value`}},
	} {
		t.Run(name, func(t *testing.T) {
			events, err := ParseEvents(tt.text, time.UTC)
			if err == nil {
				t.Fatalf("read as %v", events)
			}
			testkit.WantError(t, err, tt.want...)
		})
	}
}

// No file makes the reader panic or run on, and what it reads are freezes that end after they begin.
func FuzzParseEvents(f *testing.F) {
	f.Add(file("DTSTART;VALUE=DATE:20261224\nDURATION:P2D\nRRULE:FREQ=YEARLY;COUNT=5\nSUMMARY:a"))
	f.Add(file("DTSTART;TZID=Europe/Berlin:20261218T160000\nDTEND:20261218T220000Z\nSUMMARY:a"))
	f.Add("BEGIN:VCALENDAR\r\nBEGIN:VEVENT\r\n ;\"\r\nEND:VEVENT\r\nEND:VCALENDAR")
	from := time.Date(2026, 12, 1, 0, 0, 0, 0, time.UTC)
	f.Fuzz(func(t *testing.T, text string) {
		events, err := ParseEvents(text, time.UTC)
		if err != nil {
			return
		}
		for _, event := range events {
			for _, freeze := range event.Between(from, from.Add(Horizon)) {
				if !freeze.From.Before(freeze.To) || !freeze.To.After(from) || freeze.Reason == "" {
					t.Errorf("%q gives %v", text, freeze)
				}
			}
		}
	})
}
