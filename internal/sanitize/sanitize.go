// Package sanitize makes texts of outside fit to show: what a pod logs, a server answers or a label holds reaches a
// terminal, a report or an event as characters and never as a command. It knows nothing of what the texts are about,
// and imports nothing of this project.
package sanitize

import (
	"bytes"
	"fmt"
	"regexp"
	"strings"
	"unicode"
	"unicode/utf16"
	"unicode/utf8"
)

// Text keeps what can be read, line ends and tabs. Control characters go, and with them every sequence that a
// terminal acts on; so do the characters that turn the direction of writing or cannot be seen, because with them a
// text reads as another one.
func Text(text string) string {
	return strings.Map(func(r rune) rune {
		if r == '\n' || r == '\t' || !acts(r) {
			return r
		}
		return -1
	}, text)
}

// Line is [Text] on one line, so that nobody can begin a line that looks like one of this program.
func Line(text string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r == '\n' || r == '\t' || r == '\u2028' || r == '\u2029':
			return ' '
		case acts(r):
			return -1
		}
		return r
	}, text)
}

// acts tells a character that does something from one that is something.
func acts(r rune) bool {
	return unicode.In(r, unicode.Cc, unicode.Cf, unicode.Zl, unicode.Zp) || r == utf8.RuneError
}

// sgr are the sequences that set colours and boldness, or end them, and no others: a text cannot be hidden by them.
var sgr = regexp.MustCompile("\x1b\\[(?:0|1|[39][0-7]|38;5;[0-9]{1,3})?m")

// Coloured is [Text], and leaves those sequences that give a text a colour or make it bold.
func Coloured(text string) string {
	var out strings.Builder
	for {
		found := sgr.FindStringIndex(text)
		if found == nil {
			return out.String() + Text(text)
		}
		out.WriteString(Text(text[:found[0]]) + text[found[0]:found[1]])
		text = text[found[1]:]
	}
}

// JSON gives an encoded value the same meaning without a character that does something: the encoder leaves most of
// those as they are. Outside of its strings such a value has none but line ends and tabs.
func JSON(encoded []byte) []byte {
	var out bytes.Buffer
	for _, r := range string(encoded) {
		switch {
		case r == '\n' || r == '\t' || r == utf8.RuneError || !acts(r):
			out.WriteRune(r)
		case r > 0xffff:
			high, low := utf16.EncodeRune(r)
			fmt.Fprintf(&out, `\u%04x\u%04x`, high, low)
		default:
			fmt.Fprintf(&out, `\u%04x`, r)
		}
	}
	return out.Bytes()
}
