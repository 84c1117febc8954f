package calendar

import (
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"
)

func zone(t testing.TB, name string) *time.Location {
	t.Helper()
	location, err := ParseZone(name)
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	return location
}

// at reads an instant.
func at(t testing.TB, text string) time.Time {
	t.Helper()
	parsed, err := time.Parse(time.RFC3339, text)
	if err != nil {
		t.Fatal(err)
	}
	return parsed
}

func freeze(t testing.TB, from, to, reason string, in *time.Location) Freeze {
	t.Helper()
	f, err := ParseFreeze(from, to, reason, in)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

var workdays = []time.Weekday{time.Monday, time.Tuesday, time.Wednesday, time.Thursday}

func hours(t testing.TB, text string) Hours {
	t.Helper()
	h, err := ParseHours(text)
	if err != nil {
		t.Fatal(err)
	}
	return h
}

func TestJudge(t *testing.T) {
	berlin, newYork := zone(t, "Europe/Berlin"), zone(t, "America/New_York")
	office := Calendar{Zone: berlin, Days: workdays, Hours: hours(t, "09:00-16:00")}
	with := func(c Calendar, change func(*Calendar)) Calendar { change(&c); return c }
	yearEnd := with(office, func(c *Calendar) {
		c.Freezes = []Freeze{freeze(t, "2026-12-18", "2027-01-03", "year end", berlin)}
	})
	tests := []struct {
		name     string
		calendar Calendar
		now      string
		next     string // "" for none
		rules    []string
	}{
		{"the zero calendar", Calendar{}, "2026-11-29T03:00:00Z", "2026-11-29T03:00:00Z", nil},
		{"in the window", office, "2026-11-30T09:00:00+01:00", "2026-11-30T09:00:00+01:00", nil},
		{"the last moment", office, "2026-11-30T15:59:59+01:00", "2026-11-30T15:59:59+01:00", nil},
		{"the first moment after it", office, "2026-11-30T16:00:00+01:00", "2026-12-01T09:00:00+01:00",
			[]string{"it is 16:00, and calendar.hours allows 09:00-16:00"}},
		{"before the window", office, "2026-11-30T08:59:59+01:00", "2026-11-30T09:00:00+01:00", []string{"08:59"}},
		{"a Sunday at night", office, "2026-11-29T22:10:00+01:00", "2026-11-30T09:00:00+01:00",
			[]string{"it is Sunday, and calendar.days allows Mon, Tue, Wed, Thu", "22:10"}},
		{"Sunday in Berlin, Saturday in New York", with(office, func(c *Calendar) { c.Zone = newYork }),
			"2026-11-29T01:00:00+01:00", "2026-11-30T09:00:00-05:00", []string{"Saturday", "19:00"}},
		{"days alone", Calendar{Days: workdays}, "2026-12-04T10:00:00Z", "2026-12-07T00:00:00Z", []string{"Friday"}},
		{"hours alone, up to midnight", Calendar{Hours: hours(t, "20:00-24:00")}, "2026-12-31T23:59:59Z",
			"2026-12-31T23:59:59Z", nil},
		{"across the year", Calendar{Hours: hours(t, "20:00-24:00")}, "2027-01-01T00:00:00Z", "2027-01-01T20:00:00Z",
			[]string{"00:00"}},

		{"a freeze", yearEnd, "2026-12-22T10:00:00+01:00", "2027-01-04T09:00:00+01:00",
			[]string{"a freeze from 2026-12-18 to 2027-01-03: year end"}},
		{"the day before the freeze", yearEnd, "2026-12-17T15:59:00+01:00", "2026-12-17T15:59:00+01:00", nil},
		{"the evening before the freeze", yearEnd, "2026-12-17T16:00:00+01:00", "2027-01-04T09:00:00+01:00",
			[]string{"16:00"}},
		{"freezes that touch", Calendar{Freezes: []Freeze{
			freeze(t, "2026-12-20", "2026-12-24", "b", time.UTC), freeze(t, "2026-12-18", "2026-12-19", "a", time.UTC),
		}}, "2026-12-18T00:00:00Z", "2026-12-25T00:00:00Z", []string{"to 2026-12-19: a"}},
		{"freezes that overlap", Calendar{Freezes: []Freeze{
			freeze(t, "2026-12-18", "2026-12-22", "a", time.UTC), freeze(t, "2026-12-20", "2026-12-20", "b", time.UTC),
			freeze(t, "2026-12-21T12:00:00Z", "2026-12-26T06:00:00Z", "c", time.UTC),
		}}, "2026-12-20T10:00:00Z", "2026-12-26T06:00:00Z", []string{"2026-12-22: a", "a freeze on 2026-12-20: b"}},
		{"a gap of one second between freezes", Calendar{Freezes: []Freeze{
			freeze(t, "2026-12-18T00:00:00Z", "2026-12-19T00:00:00Z", "a", time.UTC),
			freeze(t, "2026-12-19T00:00:01Z", "2026-12-20T00:00:00Z", "b", time.UTC),
		}}, "2026-12-18T10:00:00Z", "2026-12-19T00:00:00Z", []string{": a"}},
		{"a freeze without an end in sight", Calendar{Freezes: []Freeze{
			freeze(t, "2026-01-01", "2028-12-31", "closed down", time.UTC),
		}}, "2026-12-18T10:00:00Z", "", []string{"closed down"}},
		{"a freeze by instants", with(office, func(c *Calendar) {
			c.Freezes = []Freeze{freeze(t, "2026-12-01T10:00:00+01:00", "2026-12-01T12:30:00+01:00", "audit", berlin)}
		}), "2026-12-01T11:00:00+01:00", "2026-12-01T12:30:00+01:00",
			[]string{"from Tue 2026-12-01 10:00 Europe/Berlin to Tue 2026-12-01 12:30 Europe/Berlin: audit"}},

		{"every", Calendar{Every: 24 * time.Hour, Last: at(t, "2026-11-29T10:00:00Z")}, "2026-11-29T20:00:00Z",
			"2026-11-30T10:00:00Z", []string{"began Sun 2026-11-29 10:00 UTC, and calendar.every allows one in 24h"}},
		{"every is over", Calendar{Every: 24 * time.Hour, Last: at(t, "2026-11-29T10:00:00Z")}, "2026-11-30T10:00:00Z",
			"2026-11-30T10:00:00Z", nil},
		{"every without a last move", Calendar{Every: 24 * time.Hour}, "2026-11-30T10:00:00Z", "2026-11-30T10:00:00Z", nil},
		{"every ends outside the hours", with(office, func(c *Calendar) {
			c.Every, c.Last = 36*time.Hour, at(t, "2026-11-30T09:30:00+01:00")
		}), "2026-12-01T10:00:00+01:00", "2026-12-02T09:00:00+01:00", []string{"calendar.every allows one in 36h"}},
		{"every by exact hours over a switch", Calendar{Zone: berlin, Every: 24 * time.Hour,
			Last: at(t, "2026-10-24T12:00:00+02:00")}, "2026-10-25T11:30:00+01:00", "2026-10-25T11:30:00+01:00", nil},

		// The clock goes from 02:00 to 03:00 in Berlin on 2026-03-29, and in New York on 2026-03-08.
		{"Berlin, the hours begin in the gap", Calendar{Zone: berlin, Hours: hours(t, "02:30-04:00")},
			"2026-03-29T00:00:00+01:00", "2026-03-29T03:00:00+02:00", []string{"00:00"}},
		{"Berlin, the hours lie in the gap", Calendar{Zone: berlin, Hours: hours(t, "02:00-03:00")},
			"2026-03-29T00:00:00+01:00", "2026-03-30T02:00:00+02:00", []string{"00:00"}},
		{"Berlin, after the gap", office, "2026-03-29T12:00:00+02:00", "2026-03-30T09:00:00+02:00", []string{"Sunday"}},
		{"New York, the hours begin in the gap", Calendar{Zone: newYork, Hours: hours(t, "02:30-04:00")},
			"2026-03-08T00:00:00-05:00", "2026-03-08T03:00:00-04:00", []string{"00:00"}},
		{"New York, after the gap", with(office, func(c *Calendar) { c.Zone = newYork }), "2026-03-07T12:00:00-05:00",
			"2026-03-09T09:00:00-04:00", []string{"Saturday"}},
		// The clock goes back from 03:00 to 02:00 in Berlin on 2026-10-25, and in New York from 02:00 on 2026-11-01.
		{"Berlin, the repeated hour opens", Calendar{Zone: berlin, Hours: hours(t, "02:15-02:45")},
			"2026-10-25T02:00:00+02:00", "2026-10-25T02:15:00+02:00", []string{"02:00"}},
		{"Berlin, the repeated hour opens twice", Calendar{Zone: berlin, Hours: hours(t, "02:15-02:45")},
			"2026-10-25T02:45:00+02:00", "2026-10-25T02:15:00+01:00", []string{"02:45"}},
		{"Berlin, after the repeated hour", Calendar{Zone: berlin, Hours: hours(t, "02:15-02:45")},
			"2026-10-25T02:45:00+01:00", "2026-10-26T02:15:00+01:00", []string{"02:45"}},
		{"New York, the repeated hour opens twice", Calendar{Zone: newYork, Hours: hours(t, "01:15-01:45")},
			"2026-11-01T01:50:00-04:00", "2026-11-01T01:15:00-05:00", []string{"01:50"}},
		{"New York, a window over the switch", Calendar{Zone: newYork, Hours: hours(t, "00:30-03:00")},
			"2026-11-01T01:30:00-05:00", "2026-11-01T01:30:00-05:00", nil},
		{"a freeze of the day of the switch", Calendar{Zone: berlin, Freezes: []Freeze{
			freeze(t, "2026-10-25", "2026-10-25", "switch", berlin)}}, "2026-10-25T00:00:00+02:00",
			"2026-10-26T00:00:00+01:00", []string{"a freeze on 2026-10-25: switch"}},
		// Lebanon's clock goes from 00:00 to 01:00, so that the day begins at 01:00.
		{"a day without a midnight", Calendar{Zone: zone(t, "Asia/Beirut"), Days: []time.Weekday{time.Sunday}},
			"2026-03-28T12:00:00+02:00", "2026-03-29T01:00:00+03:00", []string{"Saturday"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			opening := tt.calendar.Judge(at(t, tt.now))
			if tt.next == "" {
				if !opening.Next.IsZero() {
					t.Errorf("opens %s, want never", opening.Next)
				}
			} else if !opening.Next.Equal(at(t, tt.next)) {
				t.Errorf("opens %s, want %s", opening.Next, tt.next)
			}
			if opening.Open() != (len(tt.rules) == 0) {
				t.Errorf("open %t, rules %q", opening.Open(), opening.Rules)
			}
			text := strings.Join(opening.Rules, "\n")
			for _, rule := range tt.rules {
				if !strings.Contains(text, rule) {
					t.Errorf("the rules do not say %q:\n%s", rule, text)
				}
			}
		})
	}
}

// switches are those of the clocks of 2026 in the zones of [drawn], and the turn of the year.
var switches = []time.Time{
	time.Date(2026, 3, 8, 7, 0, 0, 0, time.UTC), time.Date(2026, 11, 1, 6, 0, 0, 0, time.UTC), // New York
	time.Date(2026, 3, 29, 1, 0, 0, 0, time.UTC), time.Date(2026, 10, 25, 1, 0, 0, 0, time.UTC), // Berlin
	time.Date(2026, 3, 28, 22, 0, 0, 0, time.UTC), time.Date(2026, 10, 24, 21, 0, 0, 0, time.UTC), // Beirut
	time.Date(2026, 4, 4, 15, 0, 0, 0, time.UTC), time.Date(2026, 10, 3, 15, 30, 0, 0, time.UTC), // Lord Howe
	time.Date(2026, 12, 31, 23, 0, 0, 0, time.UTC),
}

// drawn is any calendar around the turn of the year and the switches of the clock.
func drawn(t *rapid.T) (Calendar, time.Time) {
	names := []string{"UTC", "Europe/Berlin", "America/New_York", "Asia/Beirut", "Australia/Lord_Howe"}
	location, err := ParseZone(rapid.SampledFrom(names).Draw(t, "zone"))
	if err != nil {
		t.Fatal(err)
	}
	moment := func(name string) time.Time {
		around := rapid.SampledFrom(switches).Draw(t, name)
		return around.Add(time.Duration(rapid.IntRange(-36*60, 36*60).Draw(t, name+" minutes")) * time.Minute)
	}
	c, now := Calendar{Zone: location}, moment("now")
	for weekday := range time.Saturday + 1 {
		if rapid.Bool().Draw(t, weekday.String()) {
			c.Days = append(c.Days, weekday)
		}
	}
	if rapid.Bool().Draw(t, "hours") {
		from := rapid.IntRange(0, 24*60-1).Draw(t, "from")
		to := rapid.IntRange(from+1, 24*60).Draw(t, "to")
		c.Hours = Hours{From: time.Duration(from) * time.Minute, To: time.Duration(to) * time.Minute}
	}
	for range rapid.IntRange(0, 5).Draw(t, "freezes") {
		from := moment("freeze")
		c.Freezes = append(c.Freezes, Freeze{From: from, Reason: "drawn",
			To: from.Add(time.Duration(rapid.Int64Range(1, int64(40*day)).Draw(t, "length")))})
	}
	if rapid.Bool().Draw(t, "every") {
		c.Every = time.Duration(rapid.Int64Range(1, int64(10*day)).Draw(t, "least"))
		c.Last = now.Add(-time.Duration(rapid.Int64Range(0, int64(20*day)).Draw(t, "ago")))
	}
	return c, now
}

func TestTheNextOpeningIsOpenAndTheFirst(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		c, now := drawn(t)
		opening := c.Judge(now)
		if opening.Next.IsZero() {
			// A window of a minute can lie in the gap of every switch, but not on all days of a year.
			t.Fatalf("%+v never opens after %s", c, now)
		}
		if opening.Next.Before(now) || opening.Open() != opening.Next.Equal(now) {
			t.Fatalf("at %s it is open: %t, and opens %s", now, opening.Open(), opening.Next)
		}
		if again := c.Judge(opening.Next); !again.Open() {
			t.Fatalf("at %s, the next opening of %s, it is closed: %q", opening.Next, now, again.Rules)
		}
		before := opening.Next.Add(-time.Duration(rapid.Int64Range(1, int64(3*day)).Draw(t, "before")))
		if !before.Before(now) && c.Judge(before).Open() {
			t.Fatalf("it opens at %s, before %s, which is called the next opening", before, opening.Next)
		}
	})
}

func TestFormatNeverComesTooEarly(t *testing.T) {
	berlin := zone(t, "Europe/Berlin")
	for text, want := range map[string]string{
		"2026-11-30T08:00:00Z":   "Mon 2026-11-30 09:00 Europe/Berlin",
		"2026-11-30T08:00:37Z":   "Mon 2026-11-30 09:00:37 Europe/Berlin",
		"2026-11-30T08:00:37.1Z": "Mon 2026-11-30 09:00:38 Europe/Berlin",
		"2026-11-30T08:59:59.9Z": "Mon 2026-11-30 10:00 Europe/Berlin",
		"2026-07-31T22:00:00Z":   "Sat 2026-08-01 00:00 Europe/Berlin",
	} {
		if got := Format(at(t, text), berlin); got != want {
			t.Errorf("%s: %s, want %s", text, got, want)
		}
	}
}
