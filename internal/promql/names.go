package promql

import (
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/prometheus/common/model"
)

// What may stand in a name, for the texts of errors.
const (
	AllowedInMetric = "letters, digits, _, :, ., - and /"
	AllowedInLabel  = "letters, digits, _, . and /"
)

// IsMetric reports whether a metric may have the name: a classic one, or one of UTF-8 as OpenTelemetry gives them, such
// as http.server.request.duration_bucket. Prometheus takes any text as a name; a space or a quote in one is a mistake
// of the person who wrote it.
func IsMetric(name string) bool { return isName(name, "_:./-", "_:") }

// IsLabel reports whether a label of a series may have the name, such as path or http.response.status_code.
func IsLabel(name string) bool { return name != model.MetricNameLabel && isName(name, "_./", "_") }

// isName accepts letters, digits and the further characters; a name begins with a letter or one of first.
func isName(name, further, first string) bool {
	if name == "" || !utf8.ValidString(name) {
		return false
	}
	for i, r := range name {
		allowed := unicode.IsLetter(r) || strings.ContainsRune(first, r) ||
			i > 0 && (unicode.IsDigit(r) || strings.ContainsRune(further, r))
		if !allowed {
			return false
		}
	}
	return true
}

// IsClassic reports whether every release of Prometheus takes the name without quotes.
func IsClassic(name string) bool { return model.LegacyValidation.IsValidMetricName(name) }

// quotedLabel is a label's name in an expression.
func quotedLabel(name string) string {
	if model.LegacyValidation.IsValidLabelName(name) {
		return name
	}
	return strconv.Quote(name)
}
