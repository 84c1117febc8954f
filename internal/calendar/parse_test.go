package calendar

import (
	"testing"
	"time"

	"github.com/vextrus/finance-rollout/internal/testkit"
)

func TestParseHours(t *testing.T) {
	for text, want := range map[string]Hours{
		"09:00-16:00": {9 * time.Hour, 16 * time.Hour}, "00:00-24:00": {0, 24 * time.Hour},
		"20:15-24:00": {20*time.Hour + 15*time.Minute, 24 * time.Hour},
	} {
		got, err := ParseHours(text)
		if err != nil || got != want || got.String() != text {
			t.Errorf("%s: %v, %v", text, got, err)
		}
	}
	for text, want := range map[string]string{
		"9-16": "such as 09:00-16:00", "09:00": "such as 09:00-16:00", "": "such as", "09:00 - 16:00": "such as",
		"09:60-16:00": "00:00 to 24:00", "09:00-24:01": "00:00 to 24:00", "25:00-26:00": "00:00 to 24:00",
		"22:00-02:00": "across midnight are not allowed", "09:00-09:00": "before they begin",
	} {
		_, err := ParseHours(text)
		testkit.WantError(t, err, want)
	}
}

func TestParseDay(t *testing.T) {
	for text, want := range map[string]time.Weekday{"Mon": time.Monday, "thu": time.Thursday, "SUNDAY": time.Sunday} {
		if got, err := ParseDay(text); err != nil || got != want {
			t.Errorf("%s: %v, %v", text, got, err)
		}
	}
	for _, text := range []string{"", "Mo", "Montag", "1"} {
		_, err := ParseDay(text)
		testkit.WantError(t, err, "Mon, Tue, Wed, Thu, Fri, Sat, Sun")
	}
}

func TestParseZone(t *testing.T) {
	for _, name := range []string{"UTC", "Europe/Berlin", "America/New_York", "Asia/Kolkata"} {
		if got, err := ParseZone(name); err != nil || got.String() != name {
			t.Errorf("%s: %v, %v", name, got, err)
		}
	}
	for _, name := range []string{"", "Local", "Berlin", "W. Europe Standard Time", "../etc/passwd"} {
		_, err := ParseZone(name)
		testkit.WantError(t, err, "Europe/Berlin")
	}
}

func TestParseFreeze(t *testing.T) {
	berlin := zone(t, "Europe/Berlin")
	for name, tt := range map[string]struct{ from, to, begin, end string }{
		"dates, both inclusive": {"2026-12-18", "2027-01-03", "2026-12-18T00:00:00+01:00", "2027-01-04T00:00:00+01:00"},
		"one day in summer":     {"2026-07-14", "2026-07-14", "2026-07-14T00:00:00+02:00", "2026-07-15T00:00:00+02:00"},
		"instants": {"2026-12-18T16:00:00+01:00", "2026-12-19T06:00:00Z", "2026-12-18T16:00:00+01:00",
			"2026-12-19T06:00:00Z"},
		"a date and an instant": {"2026-12-18", "2026-12-18T12:00:00Z", "2026-12-18T00:00:00+01:00",
			"2026-12-18T12:00:00Z"},
		"a date without quotes in YAML": {"2026-12-18 00:00:00 +0000 UTC", "2027-01-03 00:00:00 +0000 UTC",
			"2026-12-18T00:00:00+01:00", "2027-01-04T00:00:00+01:00"},
		"an instant without quotes in YAML": {"2026-12-18 16:00:00 +0100 +0100", "2026-12-19 06:00:00 +0000 UTC",
			"2026-12-18T16:00:00+01:00", "2026-12-19T06:00:00Z"},
		"the day of a switch": {"2026-10-25", "2026-10-25", "2026-10-25T00:00:00+02:00", "2026-10-26T00:00:00+01:00"},
	} {
		got, err := ParseFreeze(tt.from, tt.to, " why ", berlin)
		if err != nil || !got.From.Equal(at(t, tt.begin)) || !got.To.Equal(at(t, tt.end)) || got.Reason != "why" {
			t.Errorf("%s: %v, %v", name, got, err)
		}
	}
	for name, tt := range map[string]struct{ from, to, reason, want string }{
		"backwards":       {"2026-12-19", "2026-12-18", "x", "is not after from"},
		"no length":       {"2026-12-18T10:00:00Z", "2026-12-18T10:00:00Z", "x", "is not after from"},
		"no reason":       {"2026-12-18", "2026-12-18", " ", "reason is missing"},
		"no beginning":    {"", "2026-12-18", "x", `from ""`},
		"a German date":   {"18.12.2026", "2026-12-18", "x", "2026-12-18T16:00:00+01:00"},
		"no such day":     {"2026-02-29", "2026-03-01", "x", `from "2026-02-29"`},
		"no time zone":    {"2026-12-18", "2026-12-18T10:00:00", "x", `to "2026-12-18T10:00:00"`},
		"a month, no day": {"2026-12", "2026-12-18", "x", "neither a date nor an instant"},
	} {
		if _, err := ParseFreeze(tt.from, tt.to, tt.reason, berlin); err == nil {
			t.Errorf("%s: accepted", name)
		} else {
			testkit.WantError(t, err, tt.want)
		}
	}
}

// time.Date promises nothing about a time that a switch leaves out or repeats; a freeze needs one answer.
func TestInstantAtTheSwitches(t *testing.T) {
	for _, tt := range []struct{ zone, wall, want string }{
		{"Europe/Berlin", "2026-03-29T01:59:59Z", "2026-03-29T01:59:59+01:00"},
		{"Europe/Berlin", "2026-03-29T02:30:00Z", "2026-03-29T03:30:00+02:00"},
		{"Europe/Berlin", "2026-03-29T03:00:00Z", "2026-03-29T03:00:00+02:00"},
		{"Europe/Berlin", "2026-10-25T02:30:00Z", "2026-10-25T02:30:00+02:00"},
		{"Europe/Berlin", "2026-10-25T03:00:00Z", "2026-10-25T03:00:00+01:00"},
		{"America/New_York", "2026-03-08T02:30:00Z", "2026-03-08T03:30:00-04:00"},
		{"America/New_York", "2026-11-01T01:30:00Z", "2026-11-01T01:30:00-04:00"},
		{"America/New_York", "2026-11-01T02:00:00Z", "2026-11-01T02:00:00-05:00"},
		{"Asia/Beirut", "2026-03-29T00:00:00Z", "2026-03-29T01:00:00+03:00"},
		{"Pacific/Auckland", "2026-09-27T02:30:00Z", "2026-09-27T03:30:00+13:00"},
	} {
		if got := instant(at(t, tt.wall), zone(t, tt.zone)); !got.Equal(at(t, tt.want)) {
			t.Errorf("%s in %s is %s, want %s", tt.wall, tt.zone, got, tt.want)
		}
	}
}
