package redact

import (
	"html"
	"regexp"
	"strings"
)

var entity = regexp.MustCompile(`&(?:#\d{1,7}|#[xX][0-9a-fA-F]{1,6}|[A-Za-z]{2,8});`)

// inEntities finds the credentials in a text that is escaped for HTML or XML: the text behind the escapes is one of its
// own, with tags, quotes and separators in it.
func (r Redactor) inEntities(text string, depth int) []span {
	if !strings.Contains(text, ";") || !entity.MatchString(text) {
		return nil
	}
	decoded, origin := decodeEntities(text)
	if decoded == text {
		return nil
	}
	var matches []span
	for _, s := range r.spans(decoded, depth+1) {
		if s.end > s.start {
			matches = append(matches, span{origin[s.start], origin[s.end], s.kind})
		}
	}
	return matches
}

// decodeEntities decodes the escapes of HTML, and gives for each byte of the result, and for its end, the position in
// the text.
func decodeEntities(text string) (decoded string, origin []int) {
	var out strings.Builder
	write := func(part string, at int, literal bool) {
		for i := range len(part) {
			out.WriteByte(part[i])
			if literal {
				origin = append(origin, at+i)
			} else {
				origin = append(origin, at)
			}
		}
	}
	end := 0
	for _, at := range entity.FindAllStringIndex(text, -1) {
		write(text[end:at[0]], end, true)
		write(html.UnescapeString(text[at[0]:at[1]]), at[0], false)
		end = at[1]
	}
	write(text[end:], end, true)
	return out.String(), append(origin, len(text))
}
