package promql

import (
	"errors"
	"fmt"
	"os"
	"regexp"
	"strconv"
	"strings"

	"github.com/prometheus/common/model"
)

// Matcher is one condition on a label of a series, as PromQL writes it: severity="critical", team=~"pay.*". Patterns
// are anchored at both ends; a series without the label has an empty value.
type Matcher struct{ Label, Operator, Value string }

// Operators of a Matcher.
const (
	equal      = "="
	unequal    = "!="
	matches    = "=~"
	matchesNot = "!~"
)

// Equal takes the series whose label has the value.
func Equal(label, value string) Matcher { return Matcher{label, equal, value} }

// Matches takes the series whose label matches the regular expression.
func Matches(label, expression string) Matcher { return Matcher{label, matches, expression} }

// Not takes the series that the matcher leaves out.
func (m Matcher) Not() Matcher {
	m.Operator = map[string]string{equal: unequal, unequal: equal, matches: matchesNot, matchesNot: matches}[m.Operator]
	return m
}

// IsExact reports whether the matcher takes one value alone.
func (m Matcher) IsExact() bool { return m.Operator == equal }

// Compile gives the test of a label's value. A pattern that is not a regular expression is an error.
func (m Matcher) Compile() (func(value string) bool, error) {
	switch m.Operator {
	case equal:
		return func(value string) bool { return value == m.Value }, nil
	case unequal:
		return func(value string) bool { return value != m.Value }, nil
	case matches, matchesNot:
		pattern, err := regexp.Compile("^(?s:" + m.Value + ")$")
		if err != nil {
			return nil, fmt.Errorf("pattern %q of label %s: %w", m.Value, m.Label, err)
		}
		return func(value string) bool { return pattern.MatchString(value) == (m.Operator == matches) }, nil
	default:
		return nil, fmt.Errorf("operator %q of label %s: allowed are =, !=, =~ and !~", m.Operator, m.Label)
	}
}

// Expand replaces $name and ${name} in the value by the variables. In a pattern they stand for their exact text. What
// is no variable stays: $ is also the end of a text.
func (m Matcher) Expand(variables map[string]string) Matcher {
	m.Value = os.Expand(m.Value, func(name string) string {
		value, known := variables[name]
		switch {
		case !known:
			return "$" + name
		case m.Operator == matches || m.Operator == matchesNot:
			return regexp.QuoteMeta(value)
		default:
			return value
		}
	})
	return m
}

// String is the matcher as PromQL writes it.
func (m Matcher) String() string { return quotedLabel(m.Label) + m.Operator + strconv.Quote(m.Value) }

var matcherPattern = regexp.MustCompile(`^\s*([\p{L}_][\p{L}\p{Nd}_./]*|"(?:[^"\\]|\\.)*")\s*(=~|!~|!=|=)\s*` +
	`("(?:[^"\\]|\\.)*"|` + "`[^`]*`" + `)\s*$`)

// ParseMatcher reads a matcher. A label beyond the classic characters may be quoted, as in PromQL, and need not be.
func ParseMatcher(text string) (Matcher, error) {
	match := matcherPattern.FindStringSubmatch(text)
	if match == nil {
		return Matcher{}, errors.New(`no matcher: a label, one of =, !=, =~ and !~, and a quoted value are needed, such as ` +
			`severity="critical"`)
	}
	label, value := match[1], match[3]
	for _, part := range []*string{&label, &value} {
		if !strings.ContainsAny((*part)[:1], "\"`") {
			continue
		}
		unquoted, err := strconv.Unquote(*part)
		if err != nil {
			return Matcher{}, fmt.Errorf("the text %s is not readable: %w", *part, err)
		}
		*part = unquoted
	}
	m := Matcher{Label: label, Operator: match[2], Value: value}
	_, err := m.text()
	return m, err
}

// ParseAlertMatcher reads a matcher of an alert's label.
func ParseAlertMatcher(text string) (Matcher, error) {
	m, err := ParseMatcher(text)
	if m.Label == model.MetricNameLabel || m.Label == labelState {
		return Matcher{}, fmt.Errorf("the label %s is no alert's own: firing alerts are asked for anyway", m.Label)
	}
	return m, err
}

// text is the matcher in a selector.
func (m Matcher) text() (string, error) {
	if _, err := m.Compile(); err != nil {
		return "", err
	}
	return matcher(m.Label, m.Operator, m.Value)
}

// FiringThat selects the alerts that fire and meet all matchers.
func FiringThat(matchers []Matcher) (string, error) {
	return alertsThat("ALERTS", append([]Matcher{{labelState, "=", "firing"}}, matchers...))
}

// ActiveThat selects the alerts that meet all matchers, by when they became active in seconds since 1970. It is a query
// of its own: a server that keeps no such series still has the alerts.
func ActiveThat(matchers []Matcher) (string, error) { return alertsThat("ALERTS_FOR_STATE", matchers) }

func alertsThat(metric string, matchers []Matcher) (string, error) {
	parts, err := conditions(nil, matchers)
	return metric + braced(parts), err
}
