package calendar

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/vextrus/finance-rollout/internal/sanitize"
)

// Event is an event of an iCalendar file, once or repeated.
type Event struct {
	Summary string
	begin   moment
	// days and rest are its length: whole days by the calendar and an exact time.
	days   int
	rest   time.Duration
	repeat *repeat
}

// moment is a time on the clock on the wall of a zone, put as if that zone were UTC.
type moment struct {
	wall   time.Time
	zone   *time.Location
	isDate bool
}

func (m moment) instant() time.Time { return instant(m.wall, m.zone) }

// ParseEvents reads the VEVENTs of an iCalendar file (RFC 5545). A time without a zone of its own is in the given one.
// Alarms, to-dos and definitions of time zones are passed over, and so are cancelled events; a time zone is known by
// its IANA name. Whatever else could move or repeat a freeze and is not understood is an error, because a freeze that
// is passed over in silence is none.
func ParseEvents(text string, zone *time.Location) ([]Event, error) {
	reader := eventReader{zone: zone}
	for _, line := range unfold(text) {
		if err := reader.read(line); err != nil {
			return nil, fmt.Errorf("line %d: %w", line.number, err)
		}
	}
	if !reader.begun || len(reader.open) > 0 {
		return nil, errors.New("not a whole iCalendar file: it begins with BEGIN:VCALENDAR and ends with END:VCALENDAR")
	}
	return reader.events, nil
}

// eventReader reads a file line by line.
type eventReader struct {
	zone *time.Location
	// open are the components around the line, the outermost first.
	open   []string
	begun  bool
	event  map[string]property
	events []Event
}

const (
	calendarComponent = "VCALENDAR"
	eventComponent    = "VEVENT"
)

func (r *eventReader) read(line contentLine) error {
	p, err := parseProperty(line.text)
	if err != nil {
		return err
	}
	switch {
	case p.name == "BEGIN":
		return r.begin(strings.ToUpper(p.value))
	case p.name == "END":
		return r.end(strings.ToUpper(p.value))
	case len(r.open) == 0:
		return fmt.Errorf("%s outside a VCALENDAR", p.name)
	case len(r.open) != 2 || r.open[1] != eventComponent:
		return nil
	}
	if _, twice := r.event[p.name]; twice && isRead(p.name) {
		return fmt.Errorf("a second %s in one event", p.name)
	}
	r.event[p.name] = p
	return nil
}

func (r *eventReader) begin(component string) error {
	if len(r.open) == 0 && component != calendarComponent {
		return fmt.Errorf("%s outside a VCALENDAR", component)
	}
	r.open, r.begun = append(r.open, component), true
	if len(r.open) == 2 && component == eventComponent {
		r.event = map[string]property{}
	}
	return nil
}

func (r *eventReader) end(component string) error {
	last := len(r.open) - 1
	if last < 0 || r.open[last] != component {
		return fmt.Errorf("END:%s without its BEGIN", component)
	}
	r.open = r.open[:last]
	if last != 1 || component != eventComponent {
		return nil
	}
	if strings.EqualFold(r.event["STATUS"].value, "CANCELLED") {
		return nil
	}
	event, err := newEvent(r.event, r.zone)
	if err != nil {
		return fmt.Errorf("event %q: %w", title(r.event), err)
	}
	r.events = append(r.events, event)
	return nil
}

// isRead reports whether a property says when an event is.
func isRead(name string) bool {
	switch name {
	case "DTSTART", "DTEND", "DURATION", "RRULE", "SUMMARY":
		return true
	default:
		return false
	}
}

// notRead are properties that move or repeat an event and are not understood.
var notRead = []string{"RDATE", "EXDATE", "EXRULE", "RECURRENCE-ID"}

// title is what an event is called in errors and refusals.
func title(properties map[string]property) string {
	for _, name := range []string{"SUMMARY", "UID"} {
		if text := strings.TrimSpace(sanitize.Line(unescape(properties[name].value))); text != "" {
			return text
		}
	}
	return "without a summary"
}

func newEvent(properties map[string]property, zone *time.Location) (Event, error) {
	for _, name := range notRead {
		if _, given := properties[name]; given {
			return Event{}, fmt.Errorf("%s is not supported: give each freeze an event of its own", name)
		}
	}
	start, given := properties["DTSTART"]
	if !given {
		return Event{}, errors.New("DTSTART is missing")
	}
	begin, err := parseMoment(start, zone)
	if err != nil {
		return Event{}, err
	}
	event := Event{Summary: title(properties), begin: begin}
	if err := event.setLength(properties, zone); err != nil {
		return Event{}, err
	}
	if rule, given := properties["RRULE"]; given {
		if event.repeat, err = parseRule(rule.value, begin); err != nil {
			return Event{}, fmt.Errorf("RRULE %s: %w", rule.value, err)
		}
	}
	return event, nil
}

// setLength reads DTEND or DURATION. An event of a date without either is a whole day.
func (e *Event) setLength(properties map[string]property, zone *time.Location) error {
	end, hasEnd := properties["DTEND"]
	length, hasLength := properties["DURATION"]
	switch {
	case hasEnd && hasLength:
		return errors.New("DTEND and DURATION exclude each other")
	case hasEnd:
		until, err := parseMoment(end, zone)
		if err != nil {
			return err
		}
		if until.isDate != e.begin.isDate {
			return errors.New("one of DTSTART and DTEND is a date and the other a time")
		}
		if until.isDate {
			e.days = int(until.wall.Sub(e.begin.wall) / day)
		} else {
			e.rest = until.instant().Sub(e.begin.instant())
		}
	case hasLength:
		var err error
		if e.days, e.rest, err = parseLength(length.value); err != nil {
			return err
		}
		if e.begin.isDate && e.rest != 0 {
			return fmt.Errorf("DURATION %s: a date lasts whole days", length.value)
		}
	case e.begin.isDate:
		e.days = 1
	default:
		return errors.New("neither DTEND nor DURATION: the end of the freeze is missing")
	}
	if e.days < 0 || e.rest < 0 || e.days == 0 && e.rest == 0 {
		return errors.New("it does not end after it begins")
	}
	return nil
}

// Between are the freezes of the event that are not over at from and begin before until.
func (e Event) Between(from, until time.Time) []Freeze {
	var freezes []Freeze
	for begin := range e.repeat.from(e.begin) {
		freeze := Freeze{From: begin.instant(), Reason: e.Summary}
		if !freeze.From.Before(until) {
			break
		}
		freeze.To = instant(begin.wall.AddDate(0, 0, e.days), begin.zone).Add(e.rest)
		if freeze.To.After(from) {
			freezes = append(freezes, freeze)
		}
	}
	return freezes
}
