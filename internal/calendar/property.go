package calendar

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// contentLine is an unfolded line of an iCalendar file and the number of its first line.
type contentLine struct {
	number int
	text   string
}

// unfold joins the lines that were broken because of their length. Line ends of every kind are accepted, because
// editors and version control change them.
func unfold(text string) []contentLine {
	var lines []contentLine
	text = strings.ReplaceAll(strings.TrimPrefix(text, "\ufeff"), "\r\n", "\n")
	for i, line := range strings.Split(text, "\n") {
		folded := strings.HasPrefix(line, " ") || strings.HasPrefix(line, "\t")
		switch {
		case folded && len(lines) > 0:
			lines[len(lines)-1].text += line[1:]
		case strings.TrimSpace(line) != "":
			lines = append(lines, contentLine{number: i + 1, text: line})
		}
	}
	return lines
}

// property is a line such as DTSTART;TZID=Europe/Berlin:20261218T160000.
type property struct {
	name, value string
	params      map[string]string
}

func parseProperty(line string) (property, error) {
	head, value, ok := cutUnquoted(line, ':')
	if !ok {
		return property{}, fmt.Errorf("%q is no line of an iCalendar file: NAME:VALUE is expected", line)
	}
	name, rest, more := cutUnquoted(head, ';')
	p := property{name: strings.ToUpper(strings.TrimSpace(name)), value: strings.TrimSpace(value),
		params: map[string]string{}}
	for more {
		var param string
		param, rest, more = cutUnquoted(rest, ';')
		key, text, given := strings.Cut(param, "=")
		if !given {
			return property{}, fmt.Errorf("%s has the parameter %q without a value", p.name, param)
		}
		p.params[strings.ToUpper(key)] = strings.Trim(text, `"`)
	}
	return p, nil
}

// cutUnquoted cuts at the first separator outside quotes.
func cutUnquoted(text string, separator rune) (before, after string, found bool) {
	quoted := false
	for i, r := range text {
		switch {
		case r == '"':
			quoted = !quoted
		case r == separator && !quoted:
			return text[:i], text[i+1:], true
		}
	}
	return text, "", false
}

var escapes = strings.NewReplacer(`\n`, " ", `\N`, " ", `\,`, ",", `\;`, ";", `\\`, `\`)

func unescape(text string) string { return escapes.Replace(text) }

const (
	icsDate = "20060102"
	icsTime = "20060102T150405"
)

// parseMoment reads a date or a time: in UTC, in the zone that TZID names, or in the given one.
func parseMoment(p property, zone *time.Location) (moment, error) {
	switch kind := strings.ToUpper(p.params["VALUE"]); kind {
	case "", "DATE-TIME":
	case "DATE":
		wall, err := time.Parse(icsDate, p.value)
		if err != nil {
			return moment{}, fmt.Errorf("%s %q is no date such as 20261218", p.name, p.value)
		}
		return moment{wall: wall, zone: zone, isDate: true}, nil
	default:
		return moment{}, fmt.Errorf("%s is a %s: allowed are a date and a time", p.name, kind)
	}
	text, isUTC := strings.CutSuffix(p.value, "Z")
	wall, err := time.Parse(icsTime, text)
	if err != nil {
		return moment{}, fmt.Errorf("%s %q is no time such as 20261218T160000; a date needs ;VALUE=DATE", p.name, p.value)
	}
	name, named := p.params["TZID"]
	switch {
	case isUTC && named:
		return moment{}, fmt.Errorf("%s %s: a time in UTC has no TZID", p.name, p.value)
	case isUTC:
		zone = time.UTC
	case named:
		if zone, err = ParseZone(strings.TrimPrefix(name, "/")); err != nil {
			return moment{}, fmt.Errorf("%s has the TZID %q: %w", p.name, name, err)
		}
	}
	return moment{wall: wall, zone: zone}, nil
}

var lengthPattern = regexp.MustCompile(`^\+?P(?:(\d{1,4})W|(?:(\d{1,5})D)?` +
	`(T(?:(\d{1,6})H)?(?:(\d{1,6})M)?(?:(\d{1,8})S)?)?)$`)

// parseLength reads a DURATION: weeks, or days, hours, minutes and seconds. Days are those of the calendar, the rest is
// exact.
func parseLength(text string) (days int, rest time.Duration, err error) {
	match := lengthPattern.FindStringSubmatch(text)
	if match == nil || strings.HasSuffix(text, "P") || strings.HasSuffix(text, "T") {
		return 0, 0, fmt.Errorf("DURATION %q: allowed are lengths such as P3D, P2W or PT8H30M", text)
	}
	number := func(group int) int {
		count, err := strconv.Atoi(match[group])
		if err != nil {
			return 0 // the group is empty: the pattern takes digits alone
		}
		return count
	}
	rest = time.Duration(number(4))*time.Hour + time.Duration(number(5))*time.Minute +
		time.Duration(number(6))*time.Second
	return 7*number(1) + number(2), rest, nil
}
