// Package sanitize makes texts from outside fit to show: what a pod logs, a server answers or a label holds reaches a
// terminal, a report or an Event as characters and never as a command. There is one rule for all of them:
//
//   - A control sequence of a terminal (ECMA-48: colours, cursor, titles, links) is dropped as a whole. One that is not
//     ended reaches to the end of its line, so that a text cannot hide the lines behind it.
//   - Of the rest, what can be printed stays. Characters that turn the direction of writing or cannot be seen are
//     dropped, since with them a text reads as another one.
//   - A byte that is no UTF-8 becomes U+FFFD.
//
// The package knows nothing of what the texts are about, and imports nothing of this project.
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

// sequence matches the sequences that a terminal acts on, in 7-bit and 8-bit form: CSI with its parameters; OSC, DCS,
// SOS, PM and APC up to their end; and the ones of two characters.
var sequence = regexp.MustCompile(`(?:\x1b\[|` + "\u009b" + `)[0-?]*[ -/]*[@-~]|` + //nolint:gocritic // the ranges of ECMA-48
	`(?:\x1b[\]PX^_]|[` + "\u0090\u0098\u009d-\u009f" + `])[^\x07\x1b` + "\u009c" + `\n]*(?:\x07|\x1b\\|` + "\u009c" +
	`)?|` +
	`\x1b[ -/]*[0-~]`)

// Text returns what can be read of a text. Line ends and tabs stay; a carriage return becomes a line end with the one
// behind it, else a blank, and so do other spaces.
func Text(text string) string {
	text = strings.ReplaceAll(withoutSequences(text), "\r\n", "\n")
	return strings.Map(func(r rune) rune {
		if r == '\n' || r == '\t' {
			return r
		}
		return visible(r)
	}, text)
}

// Line is [Text] on one line, so that a text cannot begin a line that looks like one of this program. A line end
// becomes a blank.
func Line(text string) string {
	return strings.Map(visible, strings.ReplaceAll(withoutSequences(text), "\r\n", "\n"))
}

func withoutSequences(text string) string {
	text = strings.ToValidUTF8(text, string(utf8.RuneError))
	if !strings.ContainsFunc(text, unicode.IsControl) {
		return text
	}
	return sequence.ReplaceAllString(text, "")
}

// visible maps a character to itself when it can be seen, to a blank when it is a space, and else to nothing.
func visible(r rune) rune {
	switch {
	case unicode.IsPrint(r):
		return r
	case unicode.IsSpace(r):
		return ' '
	}
	return -1
}

// sgr matches the sequences that set colours and boldness, or end them, and no others: a text cannot be hidden by
// them.
var sgr = regexp.MustCompile("\x1b\\[(?:0|1|[39][0-7]|38;5;[0-9]{1,3})?m")

// Coloured is [Text], and keeps those sequences that give a text a colour or make it bold.
func Coloured(text string) string {
	var out strings.Builder
	for {
		at := sgr.FindStringIndex(text)
		if at == nil {
			return out.String() + Text(text)
		}
		out.WriteString(Text(text[:at[0]]) + text[at[0]:at[1]])
		text = text[at[1]:]
	}
}

// JSON returns an encoded value of the same meaning without a character that acts: encoders leave most of those as they
// are. Outside of its strings such a value has none but line ends and tabs.
func JSON(encoded []byte) []byte {
	var out bytes.Buffer
	for _, r := range string(encoded) {
		switch {
		case r == '\n' || r == '\t' || unicode.IsPrint(r):
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
