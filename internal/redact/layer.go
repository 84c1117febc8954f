package redact

import (
	"encoding/hex"
	"strings"
	"unicode/utf8"
)

// inAddress finds the credentials in the words of a text that are encoded for an address: what a form or a query
// carries is a text of its own, with blanks and line ends in it.
func (r Redactor) inAddress(text string, depth int) []span {
	if !strings.Contains(text, "%") {
		return nil
	}
	var matches []span
	for start := 0; start < len(text); {
		length := strings.IndexAny(text[start:], " \t\r\n\"'<>")
		if length < 0 {
			length = len(text) - start
		}
		if word := text[start : start+length]; strings.Contains(word, "%") {
			decoded, origin := decodePercent(word)
			// What is no text was not encoded: %DB_PASSWORD% is a variable.
			if decoded != word && utf8.ValidString(decoded) {
				for _, s := range r.spans(decoded, depth+1) {
					if s.end > s.start {
						matches = append(matches, span{start + origin[s.start], start + origin[s.end], s.kind})
					}
				}
			}
		}
		start += length + 1
	}
	return matches
}

// decodePercent decodes a word, and gives for each of its bytes, and for its end, the position in the word.
func decodePercent(word string) (decoded string, origin []int) {
	var out strings.Builder
	for i := 0; i < len(word); {
		origin = append(origin, i)
		if word[i] == '%' && i+2 < len(word) {
			if raw, err := hex.DecodeString(word[i+1 : i+3]); err == nil {
				out.WriteByte(raw[0])
				i += 3
				continue
			}
		}
		if word[i] == '+' {
			out.WriteByte(' ')
		} else {
			out.WriteByte(word[i])
		}
		i++
	}
	return out.String(), append(origin, len(word))
}
