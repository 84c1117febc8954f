package diagnose

import (
	"cmp"
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/vextrus/finance-rollout/internal/gate"
)

// signatures match the error messages of clients: PostgreSQL and its clients in Go and Node, and the operating system's
// messages in both. The first match of a line wins.
var signatures = []struct {
	cause   Cause
	pattern *regexp.Regexp
	meaning string
}{
	{CauseCredentials,
		regexp.MustCompile(
			`(?i)password authentication failed|SQLSTATE 28P01|SQLSTATE 28000|authentication failed|access denied for user|invalid credentials`),
		"it refuses the credentials"},
	{CauseNoDatabase, regexp.MustCompile(`(?i)database \\?"[^"\\]+\\?" does not exist|SQLSTATE 3D000|unknown database`),
		"there is no database of that name"},
	{CauseSchema,
		regexp.MustCompile(
			`(?i)relation \\?"[^"\\]+\\?" does not exist|SQLSTATE 42P01|column \\?"[^"\\]+\\?" does not exist|permission denied for (table|schema|relation)|SQLSTATE 42501`),
		"the schema does not fit this version: a migration is missing"},
	{CauseConnections,
		regexp.MustCompile(
			`(?i)too many (clients|connections)|remaining connection slots|SQLSTATE 53300|timeout exceeded when trying to connect|timeout acquiring a connection|` +
				`pool (is )?(exhausted|full)|resourcerequest timed out|connection pool timed? ?out`),
		"all its connections are in use"},
	{CauseUnknownName,
		regexp.MustCompile(
			`(?i)no such host|ENOTFOUND|EAI_AGAIN|server misbehaving|could not translate host name|name or service not known`),
		"its name does not resolve"},
	{CauseUnreachable,
		regexp.MustCompile(
			`(?i)connection refused|ECONNREFUSED|i/o timeout|ETIMEDOUT|no route to host|EHOSTUNREACH|network is unreachable|ECONNRESET|connection reset by peer`),
		"it is unreachable"},
}

// blamed returns the newest line that blames a dependency.
func blamed(lines []string) (cause Cause, line string, ok bool) {
	for _, text := range slices.Backward(lines) {
		for _, signature := range signatures {
			if signature.pattern.MatchString(text) {
				return signature.cause, text, true
			}
		}
	}
	return "", "", false
}

func meaning(cause Cause) string {
	for _, signature := range signatures {
		if signature.cause == cause {
			return signature.meaning
		}
	}
	return "it is unhealthy"
}

// current returns the log lines of a pod's running containers.
func current(pod *Pod) []string {
	var lines []string
	for _, log := range pod.Logs {
		if !log.Previous {
			lines = append(lines, log.Lines...)
		}
	}
	return lines
}

// logged is a structured log line, with the field names of common loggers.
type logged struct {
	Level      any    `json:"level"`
	Msg        string `json:"msg"`
	Message    string `json:"message"`
	Error      any    `json:"error"`
	Err        any    `json:"err"`
	Status     int    `json:"status"`
	StatusCode int    `json:"statusCode"`
}

func (l logged) status() int { return cmp.Or(l.Status, l.StatusCode) }

// isError reports whether the line is an error, by the name of its level or by pino's number.
func (l logged) isError() bool {
	switch level := l.Level.(type) {
	case string:
		return slices.Contains([]string{"error", "fatal", "critical", "panic"}, strings.ToLower(level))
	case float64:
		return level >= 50
	default:
		return false
	}
}

// plainError matches errors in lines that are not JSON.
var plainError = regexp.MustCompile(`(?i)\b(error|fatal|panic|exception|unhandled)\b`)

// varying matches the parts in which lines about the same error differ.
var varying = regexp.MustCompile(`\b[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}\b|\b[0-9a-f]{16,}\b|\d+(\.\d+)?`)

// errorLines returns the most frequent error lines with their counts.
func errorLines(pods []Pod, most int) []string {
	type kind struct {
		example string
		count   int
	}
	kinds := map[string]*kind{}
	for i := range pods {
		for _, line := range current(&pods[i]) {
			text, ok := errorText(line)
			if !ok {
				continue
			}
			key := varying.ReplaceAllString(text, "#")
			if kinds[key] == nil {
				kinds[key] = &kind{example: text}
			}
			kinds[key].count++
		}
	}
	var sorted []*kind
	for _, k := range kinds {
		sorted = append(sorted, k)
	}
	slices.SortFunc(sorted, func(a, b *kind) int {
		return cmp.Or(cmp.Compare(b.count, a.count), strings.Compare(a.example, b.example))
	})
	var texts []string
	for _, k := range sorted[:min(most, len(sorted))] {
		texts = append(texts, fmt.Sprintf("log, %d times: %s", k.count, short(k.example)))
	}
	return texts
}

// errorText returns the message of an error line without its time; the second result is false for other lines.
func errorText(line string) (string, bool) {
	var l logged
	if err := json.Unmarshal([]byte(line), &l); err != nil {
		return line, plainError.MatchString(line)
	}
	if !l.isError() && l.status() < 500 {
		return "", false
	}
	text := cmp.Or(l.Msg, l.Message)
	for _, detail := range []any{l.Error, l.Err} {
		if detail != nil {
			text += fmt.Sprintf(": %v", detail)
		}
	}
	if l.status() > 0 {
		text += fmt.Sprintf(" (status %d)", l.status())
	}
	return text, true
}

// answered counts the requests in the logs, and those with a status of 500 or more. It stands in for Prometheus when
// that does not answer.
func answered(pods []Pod) gate.Counts {
	var counts gate.Counts
	for i := range pods {
		for _, line := range current(&pods[i]) {
			var l logged
			if err := json.Unmarshal([]byte(line), &l); err != nil || l.status() < 100 || l.status() > 599 {
				continue
			}
			counts.N++
			if l.status() >= 500 {
				counts.K++
			}
		}
	}
	return counts
}
