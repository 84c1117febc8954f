package prcomment

import (
	"strings"
	"unicode/utf8"

	"github.com/vextrus/finance-rollout/internal/markdown"
	"github.com/vextrus/finance-rollout/internal/redact"
	"github.com/vextrus/finance-rollout/internal/sanitize"
)

// longestText is how many bytes of one text are looked at. The comment shows far less.
const longestText = 64 << 10

// clean makes a text fit to show: without credentials, and without anything that a terminal acts on.
func clean(text string) string {
	return redact.Text(sanitize.Text(text[:min(len(text), longestText)]), nil)
}

// inline is a text on one line, as code.
func inline(text string, most int) string {
	return markdown.Code(cut(strings.Join(strings.Fields(clean(text)), " "), most))
}

// block is a text with its lines, as code.
func block(text string, most int) string {
	return markdown.Block(cut(strings.TrimSpace(clean(text)), most))
}

// cut keeps the beginning of a text, in characters, and marks the cut.
func cut(text string, most int) string {
	if utf8.RuneCountInString(text) <= most {
		return text
	}
	runes := []rune(text)
	return string(runes[:most]) + "…"
}
