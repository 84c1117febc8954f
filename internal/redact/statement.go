package redact

import (
	"regexp"
	"strings"
)

var (
	insert = regexp.MustCompile(`(?i)\binsert\s+into\s+[\w."` + "`" + `\[\]]+\s*\(([^()]*)\)\s*values\s*\(([^()]*)\)`)
	// sqlText matches one value of a statement: a text in quotes, whose quotes are doubled, or anything else.
	sqlText = regexp.MustCompile(`'(?:[^']|'')*'|[^,]+`)
	// keyObject and keyMember match a JSON Web Key and those of its members that are private (RFC 7518, section 6).
	keyObject = regexp.MustCompile(`\{?[^{}]*"kty\\*"[^{}]*`)
	keyMember = regexp.MustCompile(`"(?:d|k|p|q|dp|dq|qi)\\*"\s*:\s*\\*"([A-Za-z0-9_-]{16,})`)
)

// statements finds credentials whose names stand in another place of the same statement or object: the columns of an
// INSERT, the kind of a JSON Web Key.
func statements(text string) []span {
	var matches []span
	if strings.Contains(lower(text), "insert") {
		for _, at := range insert.FindAllStringSubmatchIndex(text, -1) {
			matches = append(matches, insertedSpans(text, at)...)
		}
	}
	if strings.Contains(text, `"kty`) {
		for _, object := range keyObject.FindAllStringIndex(text, -1) {
			for _, at := range keyMember.FindAllStringSubmatchIndex(text[object[0]:object[1]], -1) {
				matches = append(matches, span{object[0] + at[2], object[0] + at[3], "a private JSON Web Key"})
			}
		}
	}
	return matches
}

// insertedSpans judges the values of an INSERT by their columns.
func insertedSpans(text string, at []int) []span {
	columns := strings.Split(text[at[2]:at[3]], ",")
	values := sqlText.FindAllStringIndex(text[at[4]:at[5]], -1)
	if len(values) != len(columns) {
		return nil
	}
	var matches []span
	for i, column := range columns {
		start, end := at[4]+values[i][0], at[4]+values[i][1]
		for start < end && strings.IndexByte(" '\t\n", text[start]) >= 0 {
			start++
		}
		for end > start && strings.IndexByte(" '\t\n", text[end-1]) >= 0 {
			end--
		}
		if name := strings.Trim(column, " \"`[]\t\n"); secretUnder(name, text[start:end]) {
			matches = append(matches, span{start, end, "a value for " + name})
		}
	}
	return matches
}
