package calendar

import (
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/vextrus/finance-rollout/internal/sanitize"
)

// ParseZone reads the IANA name of a time zone. Local is no name: two machines would judge differently.
func ParseZone(name string) (*time.Location, error) {
	if zone, err := time.LoadLocation(name); err == nil && name != "" && name != "Local" {
		return zone, nil
	}
	return nil, errors.New("no time zone: allowed is an IANA name such as UTC, Europe/Berlin or America/New_York")
}

// ParseDay reads a weekday by its English name or the first three letters of it.
func ParseDay(text string) (time.Weekday, error) {
	for weekday := time.Sunday; weekday <= time.Saturday; weekday++ {
		if name := weekday.String(); strings.EqualFold(text, name) || strings.EqualFold(text, name[:3]) {
			return weekday, nil
		}
	}
	return 0, errors.New("no weekday: allowed are Mon, Tue, Wed, Thu, Fri, Sat, Sun")
}

var hoursPattern = regexp.MustCompile(`^(\d\d):(\d\d)-(\d\d):(\d\d)$`)

// ParseHours reads two times of a day, such as 09:00-16:00. They do not go across midnight: with weekdays beside them,
// nobody could tell which day the hours after midnight belong to.
func ParseHours(text string) (Hours, error) {
	match := hoursPattern.FindStringSubmatch(text)
	if match == nil {
		return Hours{}, errors.New("no hours: allowed are two times of a day, such as 09:00-16:00")
	}
	var numbers [4]time.Duration
	for i, digits := range match[1:] {
		number, err := strconv.Atoi(digits)
		if err != nil {
			return Hours{}, err
		}
		numbers[i] = time.Duration(number)
	}
	hours := Hours{From: numbers[0]*time.Hour + numbers[1]*time.Minute, To: numbers[2]*time.Hour + numbers[3]*time.Minute}
	switch {
	case numbers[1] > 59 || numbers[3] > 59 || hours.To > day:
		return Hours{}, errors.New("no time of a day: allowed are 00:00 to 24:00")
	case hours.From >= hours.To:
		return Hours{}, errors.New("the hours end before they begin; hours across midnight are not allowed: 24:00 is the " +
			"last end, such as 20:00-24:00")
	}
	return hours, nil
}

// ParseFreeze reads a freeze. Both ends are dates in the time zone, both inclusive, or instants.
func ParseFreeze(from, to, reason string, zone *time.Location) (Freeze, error) {
	if reason = strings.TrimSpace(sanitize.Line(reason)); reason == "" {
		return Freeze{}, errors.New("reason is missing: whom the freeze stops wants to know why")
	}
	begin, err := ParseFrom(from, zone)
	if err != nil {
		return Freeze{}, fmt.Errorf("from %q: %w", from, err)
	}
	end, err := ParseUntil(to, zone)
	if err != nil {
		return Freeze{}, fmt.Errorf("to %q: %w", to, err)
	}
	if !begin.Before(end) {
		return Freeze{}, fmt.Errorf("to %q is not after from %q", to, from)
	}
	return Freeze{From: begin, To: end, Reason: reason}, nil
}

// ParseFrom reads a beginning: an instant, or the first moment of a date in the zone.
func ParseFrom(text string, zone *time.Location) (time.Time, error) {
	at, isDate, err := parse(text)
	if err != nil || !isDate {
		return at, err
	}
	return instant(at, zone), nil
}

// ParseUntil reads an end: an instant, or the end of a date in the zone.
func ParseUntil(text string, zone *time.Location) (time.Time, error) {
	at, isDate, err := parse(text)
	if err != nil || !isDate {
		return at, err
	}
	return instant(at.AddDate(0, 0, 1), zone), nil
}

// unquoted are the fields of a time that YAML reads as a time of its own and Pulumi hands on as Go prints it:
// 2026-12-18 00:00:00 +0000 UTC for an unquoted 2026-12-18.
const unquoted = "2006-01-02 15:04:05 -0700"

// parse reads a date or an instant.
func parse(text string) (at time.Time, isDate bool, err error) {
	text = strings.TrimSpace(text)
	if at, err := time.Parse(time.DateOnly, text); err == nil {
		return at, true, nil
	}
	if at, err := time.Parse(time.RFC3339, text); err == nil {
		return at, false, nil
	}
	if fields := strings.Fields(text); len(fields) == 4 {
		if at, err := time.Parse(unquoted, strings.Join(fields[:3], " ")); err == nil {
			return at, sinceMidnight(at) == 0 && fields[2] == "+0000", nil
		}
	}
	return time.Time{}, false, errors.New("neither a date nor an instant: allowed are 2026-12-18, and " +
		"2026-12-18T16:00:00+01:00 in quotes")
}
