// Package promql builds PromQL texts. Gates, alerts, the dashboard and the reports take theirs from here, so that a
// label or a quantile means the same to all of them. It imports nothing of the module.
package promql

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/prometheus/common/model"
)

// Selector selects the series of a metric whose labels have exactly the given values. Values are quoted, so that no
// value reaches beyond its matcher. A metric or label name that PromQL does not allow unquoted, and a value that is
// not valid UTF-8, is an error.
func Selector(metric string, labels map[string]string) (string, error) {
	if !model.LegacyValidation.IsValidMetricName(metric) {
		return "", fmt.Errorf("%q is no metric name: letters, digits, _ and : are allowed", metric)
	}
	matchers, err := Matchers(labels)
	if err != nil {
		return "", err
	}
	return metric + matchers, nil
}

// Matchers are the braces of a selector, empty without labels. Its errors are those of [Selector].
func Matchers(labels map[string]string) (string, error) {
	parts := make([]string, 0, len(labels))
	for _, name := range slices.Sorted(maps.Keys(labels)) {
		value := labels[name]
		if !model.LegacyValidation.IsValidLabelName(name) || name == model.MetricNameLabel {
			return "", fmt.Errorf("%q (for the value %q) is no label name: letters, digits and _ are allowed", name, value)
		}
		if !utf8.ValidString(value) {
			return "", fmt.Errorf("value %q of label %s is not valid UTF-8", value, name)
		}
		// PromQL strings follow the escaping rules of Go's.
		parts = append(parts, name+"="+strconv.Quote(value))
	}
	if len(parts) == 0 {
		return "", nil
	}
	return "{" + strings.Join(parts, ",") + "}", nil
}

// Range selects the raw samples of the given time before the evaluation time, to the millisecond.
func Range(selector string, back time.Duration) string {
	return selector + "[" + model.Duration(back.Round(time.Millisecond)).String() + "]"
}
