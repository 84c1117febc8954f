package calendar

import "time"

const day = 24 * time.Hour

// sinceMidnight is the time of the day as the clock on the wall shows it.
func sinceMidnight(local time.Time) time.Duration {
	hour, minute, second := local.Clock()
	return time.Duration(hour)*time.Hour + time.Duration(minute)*time.Minute + time.Duration(second)*time.Second +
		time.Duration(local.Nanosecond())
}

// ahead moves the clock on the wall ahead. It stops where the clock is set to another offset, because what the clock
// shows from there on is another question.
func ahead(local time.Time, by time.Duration) time.Time {
	next := local.Add(by)
	if _, end := local.ZoneBounds(); !end.IsZero() && end.Before(next) {
		return end
	}
	return next
}

// instant is the moment at which the clock on the wall in a zone shows what wall shows in UTC. A time that occurs twice
// is the first one; a time that a switch leaves out is taken by the offset before the switch, as RFC 5545 asks.
// time.Date leaves both open.
func instant(wall time.Time, zone *time.Location) time.Time {
	offset := func(at time.Time) time.Duration {
		_, seconds := at.In(zone).Zone()
		return time.Duration(seconds) * time.Second
	}
	before, after := offset(wall.Add(-day)), offset(wall.Add(day))
	first, second := wall.Add(-before), wall.Add(-after)
	if offset(first) != before && offset(second) == after {
		return second.In(zone)
	}
	return first.In(zone)
}

// Format is a moment for people: Mon 2026-11-30 09:00 Europe/Berlin. Seconds are shown where there are any, and a
// fraction counts as a whole one, so that nobody comes too early. Without a zone it is in UTC.
func Format(t time.Time, zone *time.Location) string {
	if zone == nil {
		zone = time.UTC
	}
	if fraction := t.Nanosecond(); fraction > 0 {
		t = t.Add(time.Second - time.Duration(fraction))
	}
	layout := "Mon 2006-01-02 15:04"
	if t.Second() != 0 {
		layout += ":05"
	}
	return t.In(zone).Format(layout) + " " + zone.String()
}
