// Package markdown writes texts from outside into Markdown, so that they stand for themselves: nothing in them formats,
// links, mentions anybody, ends a table cell or a block, or reaches a terminal. Reports and comments on pull requests
// use it; both are also read as plain text, so that it changes no more than it must.
//
// The target is GitHub Flavored Markdown, which holds raw HTML. Every function sanitizes its text first.
//
// The package imports nothing of this project but the leaf sanitize.
package markdown

import (
	"fmt"
	"regexp"
	"strings"
	"unicode"

	"github.com/vextrus/finance-rollout/internal/sanitize"
)

// noWidth is written behind an @ or # that a name, a domain or a number follows: GitHub looks for those in the text
// that Markdown has become, where nothing is escaped any more. Elsewhere, as in the digest of an image, it would
// spoil a copy.
const noWidth = "\u200b"

var (
	// mention matches what notifies somebody. The @ of a digest does not.
	mention = regexp.MustCompile(`(^|[^\w.-])@(\w)`)
	email   = regexp.MustCompile(`@([\w-]+\.)`)
	issue   = regexp.MustCompile(`#(\d)`)
)

func withoutMentions(text string) string {
	text = mention.ReplaceAllString(text, "${1}@"+noWidth+"${2}")
	text = email.ReplaceAllString(text, "@"+noWidth+"${1}")
	return issue.ReplaceAllString(text, "#"+noWidth+"${1}")
}

// special replaces the characters that mean something to Markdown, or to the HTML that it may hold.
var special = strings.NewReplacer(
	`\`, `\\`, "`", "\\`", "*", `\*`, "_", `\_`, "[", `\[`, "]", `\]`, "|", `\|`, "~", `\~`, "!", `\!`, "$", `\$`,
	"<", "&lt;", ">", "&gt;", "&", "&amp;", "#", `\#`,
	// The following would become links by themselves.
	"://", `:\//`, "w.", `w\.`, "W.", `W\.`,
)

// listMark matches what begins an item of a list, or a line under a heading.
var listMark = regexp.MustCompile(`^(?:[-+=]|\d+[.)])`)

// Text returns a text on one line, for a sentence, a heading, an item or a cell of a table.
func Text(text string) string {
	text = withoutMentions(strings.TrimSpace(sanitize.Line(text)))
	mark := len(listMark.FindString(text))
	if mark == 0 {
		return special.Replace(text)
	}
	return text[:mark-1] + `\` + text[mark-1:mark] + special.Replace(text[mark:])
}

// Code returns a text on one line as code, for the same places. It is empty for an empty text.
func Code(text string) string {
	text = strings.TrimSpace(sanitize.Line(text))
	switch {
	case text == "":
		return ""
	case strings.ContainsAny(text, "`|") || mention.MatchString(text):
		return "<code>" + references(text) + "</code>"
	}
	return "`" + text + "`"
}

// Block returns a text with its lines as a block of code. It belongs at the beginning of a line, behind an empty one.
func Block(text string) string {
	text = strings.Trim(sanitize.Text(text), "\n")
	if strings.Contains(text, "```") || mention.MatchString(text) {
		return "<pre>" + references(text) + "</pre>\n"
	}
	return "```\n" + text + "\n```\n"
}

// references returns a text for the inside of HTML in Markdown, where backslashes escape nothing: everything that could
// begin markup becomes a character reference.
func references(text string) string {
	var out strings.Builder
	var previous rune
	for _, r := range text {
		switch {
		case r == '@':
			out.WriteString("&#64;" + noWidth)
		case r == '.' && (previous == 'w' || previous == 'W'):
			out.WriteString("&#46;") // www. would become a link
		case r == '\n', r == ' ', r > unicode.MaxASCII, unicode.IsLetter(r), unicode.IsDigit(r),
			strings.ContainsRune(".,;%/", r):
			out.WriteRune(r)
		default:
			fmt.Fprintf(&out, "&#%d;", r)
		}
		previous = r
	}
	return out.String()
}
