package calendar

import (
	"fmt"
	"slices"
	"strings"
	"time"

	_ "time/tzdata" // a machine without time zones judges like any other
)

// Calendar is when an upward move may happen. The zero Calendar is always open.
type Calendar struct {
	// Zone is the time zone of days, hours and dates; nil for UTC.
	Zone *time.Location
	// Days are the weekdays on which it is open; empty for all.
	Days []time.Weekday
	// Hours are the times of the day between which it is open; the zero Hours are the whole day.
	Hours Hours
	// Freezes close it, whatever day it is.
	Freezes []Freeze
	// Every is the least time between two upward moves, 0 for no limit, and Last the last one; zero for none.
	Every time.Duration
	Last  time.Time
}

// Opening is the calendar at a moment.
type Opening struct {
	// Rules are what keeps the calendar closed, one sentence each; empty when it is open.
	Rules []string
	// Next is the first moment from then on at which it is open; zero when there is none within [Horizon].
	Next time.Time
}

// Open reports whether an upward move may happen.
func (o Opening) Open() bool { return len(o.Rules) == 0 }

// Horizon is how far ahead the next opening is looked for.
const Horizon = 400 * 24 * time.Hour

// Judge is the calendar at a moment.
func (c Calendar) Judge(now time.Time) Opening {
	opening := Opening{Rules: c.rules(now)}
	for at := now; at.Sub(now) <= Horizon; {
		later := c.later(at)
		if later.Equal(at) {
			opening.Next = at.In(c.zone())
			break
		}
		at = later
	}
	return opening
}

// later is a moment before which the calendar cannot open, and t itself when it is open then.
func (c Calendar) later(t time.Time) time.Time {
	if free := c.Last.Add(c.Every); c.limits() && t.Before(free) {
		return free
	}
	for _, freeze := range c.Freezes {
		if freeze.covers(t) {
			return freeze.To
		}
	}
	return c.inHours(t.In(c.zone()))
}

// inHours is t itself on a day and at a time that are open; else the moment at which the next candidate begins.
func (c Calendar) inHours(t time.Time) time.Time {
	clock, from, to := sinceMidnight(t), c.Hours.From, c.Hours.end()
	switch {
	case !c.allows(t.Weekday()) || clock >= to:
		return ahead(t, day-clock)
	case clock < from:
		return ahead(t, from-clock)
	default:
		return t
	}
}

func (c Calendar) zone() *time.Location {
	if c.Zone == nil {
		return time.UTC
	}
	return c.Zone
}

func (c Calendar) allows(weekday time.Weekday) bool {
	return len(c.Days) == 0 || slices.Contains(c.Days, weekday)
}

// limits reports whether the last move counts.
func (c Calendar) limits() bool { return c.Every > 0 && !c.Last.IsZero() }

// rules are what keeps the calendar closed at a moment.
func (c Calendar) rules(now time.Time) []string {
	var rules []string
	local := now.In(c.zone())
	if !c.allows(local.Weekday()) {
		rules = append(rules, fmt.Sprintf("it is %s, and calendar.days allows %s", local.Weekday(), names(c.Days)))
	}
	if clock := sinceMidnight(local); clock < c.Hours.From || clock >= c.Hours.end() {
		rules = append(rules, fmt.Sprintf("it is %s, and calendar.hours allows %s", local.Format("15:04"), c.Hours))
	}
	for _, freeze := range c.Freezes {
		if freeze.covers(now) {
			rules = append(rules, freeze.text(c.zone()))
		}
	}
	if free := c.Last.Add(c.Every); c.limits() && now.Before(free) {
		rules = append(rules, fmt.Sprintf("the last upward move began %s, and calendar.every allows one in %s",
			Format(c.Last, c.zone()), length(c.Every)))
	}
	return rules
}

// Freeze is a time without upward moves: from From up to, but without, To.
type Freeze struct {
	From, To time.Time
	Reason   string
}

func (f Freeze) covers(t time.Time) bool { return !t.Before(f.From) && t.Before(f.To) }

// text is the freeze for people: whole days by their dates.
func (f Freeze) text(zone *time.Location) string {
	from, to := f.From.In(zone), f.To.In(zone)
	if sinceMidnight(from) == 0 && sinceMidnight(to) == 0 {
		first, last := from.Format(time.DateOnly), to.Add(-time.Nanosecond).Format(time.DateOnly)
		if first == last {
			return fmt.Sprintf("a freeze on %s: %s", first, f.Reason)
		}
		return fmt.Sprintf("a freeze from %s to %s: %s", first, last, f.Reason)
	}
	return fmt.Sprintf("a freeze from %s to %s: %s", Format(from, zone), Format(to, zone), f.Reason)
}

// Hours are times of the day as the clock on the wall shows them, since midnight: from From up to, but without, To.
type Hours struct{ From, To time.Duration }

// end is To, or the end of the day for the zero Hours.
func (h Hours) end() time.Duration {
	if h == (Hours{}) {
		return day
	}
	return h.To
}

// String is what ParseHours reads.
func (h Hours) String() string {
	return fmt.Sprintf("%02d:%02d-%02d:%02d", h.From/time.Hour, h.From%time.Hour/time.Minute, h.To/time.Hour,
		h.To%time.Hour/time.Minute)
}

// names are the short names of weekdays.
func names(days []time.Weekday) string {
	var list []string
	for _, weekday := range days {
		list = append(list, weekday.String()[:3])
	}
	return strings.Join(list, ", ")
}

// length is a duration without its empty units: 24h, 90m.
func length(d time.Duration) string {
	switch {
	case d%time.Hour == 0:
		return fmt.Sprintf("%dh", d/time.Hour)
	case d%time.Minute == 0:
		return fmt.Sprintf("%dm", d/time.Minute)
	default:
		return d.String()
	}
}
