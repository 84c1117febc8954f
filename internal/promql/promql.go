// Package promql builds every PromQL text of the product: those of the gates, the guard, the alerts, the dashboard,
// the reports and the commands, so that a label, a window or a quantile means the same to all of them. A selector is
// built and checked by [Selector]; the functions of expressions.go combine selectors. It imports nothing of the module.
package promql

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/prometheus/common/model"
)

// Pattern is a matcher that takes the values of a label which match a regular expression, anchored at both ends, or
// with Not those which do not. A series without the label has an empty value.
type Pattern struct {
	Label, Expression string
	Not               bool
}

// OneOf matches exactly the given values.
func OneOf(label string, values ...string) Pattern {
	quoted := make([]string, len(values))
	for i, value := range values {
		quoted[i] = regexp.QuoteMeta(value)
	}
	return Pattern{Label: label, Expression: strings.Join(quoted, "|")}
}

// PodsOf matches the label "pod" of the pods of a Deployment, whose names begin with its name.
func PodsOf(deployment string) Pattern {
	return Pattern{Label: "pod", Expression: regexp.QuoteMeta(deployment) + "-.*"}
}

// Selector selects the series of a metric whose labels have exactly the given values and match the patterns. Values
// are quoted, so that no value reaches beyond its matcher. A metric or label name that PromQL does not allow unquoted,
// a value that is not valid UTF-8, and a pattern that is not a regular expression are errors.
func Selector(metric string, labels map[string]string, patterns ...Pattern) (string, error) {
	if !model.LegacyValidation.IsValidMetricName(metric) {
		return "", fmt.Errorf("%q is not a metric name: letters, digits, _ and : are allowed", metric)
	}
	matchers, err := matchers(labels, patterns)
	if err != nil {
		return "", err
	}
	return metric + matchers, nil
}

// NamesContaining selects the series of every metric whose name contains one of the words.
func NamesContaining(words ...string) string {
	return "{" + model.MetricNameLabel + "=~" + strconv.Quote(".*("+OneOf("", words...).Expression+").*") + "}"
}

// matchers are the braces of a selector, empty without labels and patterns.
func matchers(labels map[string]string, patterns []Pattern) (string, error) {
	parts := make([]string, 0, len(labels)+len(patterns))
	for _, name := range slices.Sorted(maps.Keys(labels)) {
		part, err := matcher(name, "=", labels[name])
		if err != nil {
			return "", err
		}
		parts = append(parts, part)
	}
	for _, pattern := range patterns {
		if _, err := regexp.Compile(pattern.Expression); err != nil {
			return "", fmt.Errorf("pattern %q of label %s: %w", pattern.Expression, pattern.Label, err)
		}
		operator := "=~"
		if pattern.Not {
			operator = "!~"
		}
		part, err := matcher(pattern.Label, operator, pattern.Expression)
		if err != nil {
			return "", err
		}
		parts = append(parts, part)
	}
	if len(parts) == 0 {
		return "", nil
	}
	return "{" + strings.Join(parts, ",") + "}", nil
}

func matcher(name, operator, value string) (string, error) {
	if !model.LegacyValidation.IsValidLabelName(name) || name == model.MetricNameLabel {
		return "", fmt.Errorf("%q (for the value %q) is not a label name: letters, digits and _ are allowed", name, value)
	}
	if !utf8.ValidString(value) {
		return "", fmt.Errorf("value %q of label %s is not valid UTF-8", value, name)
	}
	// PromQL strings follow the escaping rules of Go's.
	return name + operator + strconv.Quote(value), nil
}

// Range selects the raw samples of the given time before the evaluation time, to the millisecond.
func Range(selector string, back time.Duration) string {
	return selector + "[" + model.Duration(back.Round(time.Millisecond)).String() + "]"
}

// Window is a duration as PromQL writes it: whole seconds, and at least one, since Prometheus refuses an empty range.
func Window(d time.Duration) string {
	return model.Duration(max(d.Round(time.Second), time.Second)).String()
}

// PercentileName is what people call a quantile of a latency, given as a share from 0 to 1: P95 for 0.95, P99.9 for
// 0.999.
func PercentileName(quantile float64) string { return "P" + number(100*quantile) }

// number prints up to 12 significant digits: 1-0.95 is not 0.05 in binary.
func number(value float64) string { return strconv.FormatFloat(value, 'g', 12, 64) }
