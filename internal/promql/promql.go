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

// OneOf matches exactly the given values.
func OneOf(label string, values ...string) Matcher {
	quoted := make([]string, len(values))
	for i, value := range values {
		quoted[i] = regexp.QuoteMeta(value)
	}
	return Matches(label, strings.Join(quoted, "|"))
}

// PodsOf matches the label "pod" of the pods of a Deployment, whose names begin with its name.
func PodsOf(deployment string) Matcher { return Matches("pod", regexp.QuoteMeta(deployment)+"-.*") }

// Selector selects the series of a metric whose labels have exactly the given values and meet the matchers. Values are
// quoted, so that no value reaches beyond its matcher; a name beyond the classic characters, as OpenTelemetry gives
// them, is quoted too. A name that [IsMetric] or [IsLabel] refuses, a value that is not valid UTF-8, and a pattern that
// is not a regular expression are errors.
func Selector(metric string, labels map[string]string, matchers ...Matcher) (string, error) {
	if !IsMetric(metric) {
		return "", fmt.Errorf("%q is not a metric name: %s are allowed", metric, AllowedInMetric)
	}
	parts, err := conditions(labels, matchers)
	if err != nil {
		return "", err
	}
	if !model.LegacyValidation.IsValidMetricName(metric) {
		return braced(append([]string{strconv.Quote(metric)}, parts...)), nil
	}
	return metric + braced(parts), nil
}

// NamesContaining selects the series of every metric whose name contains one of the words.
func NamesContaining(words ...string) string {
	return "{" + model.MetricNameLabel + "=~" + strconv.Quote(".*("+OneOf("", words...).Value+").*") + "}"
}

// conditions are those inside the braces of a selector.
func conditions(labels map[string]string, matchers []Matcher) ([]string, error) {
	parts := make([]string, 0, len(labels)+len(matchers))
	for _, name := range slices.Sorted(maps.Keys(labels)) {
		part, err := matcher(name, "=", labels[name])
		if err != nil {
			return nil, err
		}
		parts = append(parts, part)
	}
	for _, m := range matchers {
		part, err := m.text()
		if err != nil {
			return nil, err
		}
		parts = append(parts, part)
	}
	return parts, nil
}

func braced(parts []string) string {
	if len(parts) == 0 {
		return ""
	}
	return "{" + strings.Join(parts, ",") + "}"
}

func matcher(name, operator, value string) (string, error) {
	if !IsLabel(name) {
		return "", fmt.Errorf("%q (for the value %q) is not a label name: %s are allowed", name, value, AllowedInLabel)
	}
	if !utf8.ValidString(value) {
		return "", fmt.Errorf("value %q of label %s is not valid UTF-8", value, name)
	}
	// PromQL strings follow the escaping rules of Go's.
	return quotedLabel(name) + operator + strconv.Quote(value), nil
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
