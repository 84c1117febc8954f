package calendar

import (
	"errors"
	"fmt"
	"iter"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"
)

// repeat is the part of an RRULE that is understood: every so many days, weeks, months or years.
type repeat struct {
	// years, months and days are the step from one event to the next.
	years, months, days int
	// count is the number of events, 0 for no end; until is the last moment at which one may begin, zero for no end.
	count int
	until time.Time
}

var errNoRule = errors.New("only a plain repetition is supported (FREQ with INTERVAL, COUNT or UNTIL; a BY part only " +
	"where it says what DTSTART does): give each freeze an event of its own")

// parseRule reads an RRULE. Its parts are refused unless they mean what a plain repetition from DTSTART means.
func parseRule(text string, begin moment) (*repeat, error) {
	parts := map[string]string{}
	for _, part := range strings.Split(strings.TrimSuffix(strings.ToUpper(text), ";"), ";") {
		key, value, given := strings.Cut(part, "=")
		if _, twice := parts[key]; !given || twice {
			return nil, fmt.Errorf("its part %q is not readable", part)
		}
		parts[key] = value
	}
	r, err := newRepeat(parts)
	if err != nil {
		return nil, err
	}
	for _, key := range slices.Sorted(maps.Keys(parts)) {
		switch value := parts[key]; key {
		case "FREQ", "INTERVAL", "WKST":
		case "COUNT":
			if r.count, err = strconv.Atoi(value); err != nil || r.count < 1 {
				return nil, fmt.Errorf("COUNT=%s is no count", value)
			}
		case "UNTIL":
			if r.until, err = parseRuleEnd(value, begin); err != nil {
				return nil, err
			}
		default:
			if !isRedundant(key, parts, begin.wall) {
				return nil, fmt.Errorf("its part %s=%s: %w", key, value, errNoRule)
			}
		}
	}
	if r.count > 0 && !r.until.IsZero() {
		return nil, errors.New("COUNT and UNTIL exclude each other")
	}
	return r, nil
}

func newRepeat(parts map[string]string) (*repeat, error) {
	interval := 1
	if text, given := parts["INTERVAL"]; given {
		var err error
		if interval, err = strconv.Atoi(text); err != nil || interval < 1 || interval > 1000 {
			return nil, fmt.Errorf("INTERVAL=%s: allowed are 1 to 1000", text)
		}
	}
	switch parts["FREQ"] {
	case "DAILY":
		return &repeat{days: interval}, nil
	case "WEEKLY":
		return &repeat{days: 7 * interval}, nil
	case "MONTHLY":
		return &repeat{months: interval}, nil
	case "YEARLY":
		return &repeat{years: interval}, nil
	default:
		return nil, fmt.Errorf("FREQ=%s: allowed are DAILY, WEEKLY, MONTHLY and YEARLY", parts["FREQ"])
	}
}

// parseRuleEnd reads UNTIL: a date where DTSTART is one, and else a time in UTC or on DTSTART's clock.
func parseRuleEnd(value string, begin moment) (time.Time, error) {
	p := property{name: "UNTIL", value: value, params: map[string]string{}}
	if begin.isDate {
		p.params["VALUE"] = "DATE"
	}
	end, err := parseMoment(p, begin.zone)
	if err != nil {
		return time.Time{}, err
	}
	return end.instant(), nil
}

// isRedundant reports whether a BY part only says again what the date of DTSTART does. A day of the month without its
// month is that day of every month.
func isRedundant(key string, parts map[string]string, start time.Time) bool {
	value, frequency, month := parts[key], parts["FREQ"], strconv.Itoa(int(start.Month()))
	switch key {
	case "BYMONTH":
		return frequency == "YEARLY" && value == month
	case "BYMONTHDAY":
		return value == strconv.Itoa(start.Day()) &&
			(frequency == "MONTHLY" || frequency == "YEARLY" && parts["BYMONTH"] == month)
	case "BYDAY":
		return frequency == "WEEKLY" && value == strings.ToUpper(start.Weekday().String()[:2])
	default:
		return false
	}
}

// latest is a year after which nothing is repeated.
const latest = 9999

// from are the beginnings of the events, the first one at begin. A day that a month lacks is passed over.
func (r *repeat) from(begin moment) iter.Seq[moment] {
	if r == nil {
		return slices.Values([]moment{begin})
	}
	return func(yield func(moment) bool) {
		count := 0
		for n := 0; ; n++ {
			next := begin
			next.wall = begin.wall.AddDate(n*r.years, n*r.months, n*r.days)
			if next.wall.Year() > latest {
				return
			}
			if r.days == 0 && next.wall.Day() != begin.wall.Day() {
				continue
			}
			if count++; r.count > 0 && count > r.count || !r.until.IsZero() && next.instant().After(r.until) {
				return
			}
			if !yield(next) {
				return
			}
		}
	}
}
