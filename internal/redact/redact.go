package redact

import (
	"cmp"
	"slices"
	"strings"
)

// Mark replaces a credential.
const Mark = "[redacted]"

// Redactor removes known secrets, and whatever looks like a credential, from texts. The zero value knows no secret. It
// is safe for concurrent use.
type Redactor struct {
	known []knownValue
}

// New returns a Redactor that also removes these values wherever they stand: as they are, in the escapes of JSON, Go
// and URLs, in base64 and in hexadecimal digits. A value shorter than four bytes is ignored, and one shorter than eight
// is removed only where no letter or digit touches it; else a short value would blacken half the text.
func New(secrets []string) Redactor { return Redactor{known: knownValues(secrets)} }

// Text returns the text with every credential replaced by [Mark]. The rest of the text is unchanged.
func (r Redactor) Text(text string) string { return replace(text, r.find(text)) }

// Text is [Redactor.Text] with these known secrets.
func Text(text string, secrets []string) string { return New(secrets).Text(text) }

// Kind names the kind of credential that a text holds; it is empty when the text holds none. The name is fit to show:
// it never contains a part of the credential.
func Kind(text string) string {
	matches := Redactor{}.find(text)
	if len(matches) == 0 {
		return ""
	}
	return matches[0].kind
}

// KindOf names the kind of credential that a value is under its name; it is empty when the value is none.
func KindOf(name, value string) string {
	if kind := Kind(value); kind != "" {
		return kind
	}
	if secretUnder(name, value) {
		return "a value in the open"
	}
	return ""
}

// span is a part of a text that holds a credential: text[start:end].
type span struct {
	start, end int
	kind       string
}

// find lists the credentials in a text, in order and without overlaps. It looks at the text as a terminal would show
// it, so that a colour between a name and its value hides nothing.
func (r Redactor) find(text string) []span {
	visible, origin := withoutEscapes(text)
	matches := r.spans(visible, 0)
	slices.SortFunc(matches, func(a, b span) int { return cmp.Or(a.start-b.start, b.end-a.end) })
	var merged []span
	for _, s := range matches {
		switch last := len(merged) - 1; {
		case s.end <= s.start:
		case last >= 0 && s.start < merged[last].end:
			merged[last].end = max(merged[last].end, s.end)
		default:
			merged = append(merged, s)
		}
	}
	if origin != nil {
		for i := range merged {
			merged[i].start, merged[i].end = origin[merged[i].start], origin[merged[i].end-1]+1
		}
	}
	return merged
}

// deepest bounds how many layers of base64 are opened.
const deepest = 2

// spans runs every detector over a text.
func (r Redactor) spans(text string, depth int) []span {
	matches := r.knownSpans(text)
	matches = append(matches, keyBlocks(text)...)
	matches = append(matches, tokens(text)...)
	matches = append(matches, hashes(text)...)
	matches = append(matches, addresses(text)...)
	matches = append(matches, phrases(text)...)
	matches = append(matches, statements(text)...)
	matches = append(matches, lists(text)...)
	matches = append(matches, columns(text)...)
	matches = append(matches, assignments(text)...)
	if depth < deepest {
		matches = append(matches, r.encoded(text, depth)...)
		matches = append(matches, r.inAddress(text, depth)...)
		matches = append(matches, r.inEntities(text, depth)...)
	}
	return append(matches, repeated(text, matches)...)
}

func replace(text string, matches []span) string {
	if len(matches) == 0 {
		return text
	}
	var out strings.Builder
	end := 0
	for _, s := range matches {
		out.WriteString(text[end:s.start] + Mark)
		end = s.end
	}
	return out.String() + text[end:]
}

// withoutEscapes returns the text without the sequences that set a terminal's colours, and for each of its bytes the
// position in the original text. The positions are nil when the text has no such sequence.
func withoutEscapes(text string) (visible string, origin []int) {
	if !strings.Contains(text, "\x1b[") && !strings.Contains(text, `001b[`) && !strings.Contains(text, `001B[`) &&
		!strings.Contains(text, `x1b[`) && !strings.Contains(text, "\u009b") && !strings.Contains(text, "\u200b") {
		return text, nil
	}
	var out strings.Builder
	for i := 0; i < len(text); {
		if n := escapeAt(text[i:]); n > 0 {
			i += n
			continue
		}
		out.WriteByte(text[i])
		origin = append(origin, i)
		i++
	}
	return out.String(), origin
}

// escapeAt is the length of the invisible sequence that a text begins with, raw or as JSON and Go escape it; 0 for
// none.
func escapeAt(text string) int {
	start := 0
	for _, prefix := range []string{"\x1b[", "\u009b", `\u001b[`, `\u001B[`, `\x1b[`} {
		if strings.HasPrefix(text, prefix) {
			start = len(prefix)
		}
	}
	if start == 0 {
		if strings.HasPrefix(text, "\u200b") {
			return len("\u200b")
		}
		return 0
	}
	for i := start; i < min(len(text), start+32); i++ {
		switch c := text[i]; {
		case c >= '@' && c <= '~':
			return i + 1
		case c < ' ' || c > '?':
			return 0
		}
	}
	return 0
}
