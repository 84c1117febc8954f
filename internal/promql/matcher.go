package promql

import (
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"strings"

	"github.com/prometheus/common/model"
)

// Matcher is one condition on a label of a series, as PromQL writes it: severity="critical", team=~"pay.*".
type Matcher struct{ Label, Operator, Value string }

var matcherPattern = regexp.MustCompile(`^\s*([a-zA-Z_][a-zA-Z0-9_]*)\s*(=~|!~|!=|=)\s*` +
	`("(?:[^"\\]|\\.)*"|` + "`[^`]*`" + `)\s*$`)

// ParseMatcher reads a matcher of an alert's label.
func ParseMatcher(text string) (Matcher, error) {
	match := matcherPattern.FindStringSubmatch(text)
	if match == nil {
		return Matcher{}, errors.New(`no matcher: a label, one of =, !=, =~ and !~, and a quoted value are needed, such as ` +
			`severity="critical"`)
	}
	value, err := strconv.Unquote(match[3])
	if err != nil {
		return Matcher{}, fmt.Errorf("the value %s is not readable: %w", match[3], err)
	}
	m := Matcher{Label: match[1], Operator: match[2], Value: value}
	if m.Label == model.MetricNameLabel || m.Label == labelState {
		return Matcher{}, fmt.Errorf("the label %s is no alert's own: firing alerts are asked for anyway", m.Label)
	}
	if _, err := m.text(); err != nil {
		return Matcher{}, err
	}
	return m, nil
}

// text is the matcher in a selector.
func (m Matcher) text() (string, error) {
	if strings.HasSuffix(m.Operator, "~") {
		if _, err := regexp.Compile(m.Value); err != nil {
			return "", fmt.Errorf("pattern %q of label %s: %w", m.Value, m.Label, err)
		}
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
	parts := make([]string, 0, len(matchers))
	for _, m := range matchers {
		part, err := m.text()
		if err != nil {
			return "", err
		}
		parts = append(parts, part)
	}
	return metric + "{" + strings.Join(parts, ",") + "}", nil
}
