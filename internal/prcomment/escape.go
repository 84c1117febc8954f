package prcomment

import (
	"fmt"
	"regexp"
	"strings"
	"unicode"
	"unicode/utf8"
)

// escapeSequences are the sequences that a terminal acts on: colours and cursor (CSI), titles and links (OSC, DCS and
// the like, up to their end), and two-character ones.
var escapeSequences = regexp.MustCompile("(?s)(?:\x1b\\[|\u009b)[0-?]*[ -/]*[@-~]|(?:\x1b[\\]PX^_]|[\u0090\u0098\u009d-\u009f]).*?(?:\x07|\x1b\\\\|\u009c|$)|\x1b[ -/]*[0-~]") //nolint:gocritic // the ranges are those of ECMA-48

// longestText is how many bytes of one text are looked at. What is shown is far less.
const longestText = 64 << 10

// tame takes everything from a text that is no text: escape sequences, control characters, and characters that turn
// the direction of writing or cannot be seen. Line ends stay.
func tame(text string) string {
	text = text[:min(len(text), longestText)]
	text = escapeSequences.ReplaceAllString(strings.ToValidUTF8(text, "�"), "")
	text = strings.ReplaceAll(text, "\r\n", "\n")
	return strings.Map(func(r rune) rune {
		switch {
		case r == '\n':
			return r
		case r == '\t', r == '\r':
			return ' '
		case unicode.IsControl(r), unicode.Is(unicode.Cf, r), unicode.Is(unicode.Co, r), r == '\u2028', r == '\u2029':
			return -1
		}
		return r
	}, text)
}

// escape makes a text stand for itself in Markdown and in HTML: everything that could begin markup becomes a
// character reference, and a character reference never does. Letters, digits and plain punctuation stay readable.
func escape(text string) string {
	var escaped strings.Builder
	for _, r := range tame(text) {
		switch {
		case r == '@':
			// Outside of code a name after this would be told: the space of no width is for readers that strip the code.
			escaped.WriteString("&#64;\u200b")
		case r == '\n', r == ' ', r > unicode.MaxASCII, unicode.IsLetter(r), unicode.IsDigit(r),
			strings.ContainsRune(".,;%/", r):
			escaped.WriteRune(r)
		default:
			fmt.Fprintf(&escaped, "&#%d;", r)
		}
	}
	return escaped.String()
}

// inline is a text on one line, as code.
func inline(text string, most int) string {
	text = strings.Join(strings.Fields(tame(text)), " ")
	if text == "" {
		return ""
	}
	return "<code>" + escape(cut(text, most)) + "</code>"
}

// block is a text with its lines, as code.
func block(text string, most int) string {
	return "<pre>" + escape(cut(strings.TrimSpace(tame(text)), most)) + "</pre>\n"
}

// cut keeps the beginning of a text, in characters, and says so.
func cut(text string, most int) string {
	if utf8.RuneCountInString(text) <= most {
		return text
	}
	runes := []rune(text)
	return string(runes[:most]) + "…"
}
