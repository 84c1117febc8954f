package smoke

import (
	"strings"
	"unicode/utf8"

	"github.com/vextrus/finance-rollout/internal/redact"
	"github.com/vextrus/finance-rollout/internal/sanitize"
)

const (
	// maxReason bounds a reason, in bytes.
	maxReason = 400
	// maxExcerpt bounds the part of an answer that a reason quotes, in bytes.
	maxExcerpt = 160
)

// cleaner makes text from a pod fit to show: on one line, without credentials and without anything that a terminal acts
// on.
type cleaner struct{ redactor redact.Redactor }

func newCleaner(v Values) cleaner {
	return cleaner{redact.New([]string{v.Token, v.ForgedToken, v.ExpiredToken})}
}

// text cleans text and bounds it to that many bytes. Cutting comes last: half a secret would no longer be recognized.
func (c cleaner) text(text string, most int) string {
	text = c.redactor.Text(sanitize.Line(text))
	return clip(strings.Join(strings.Fields(text), " "), most)
}

// clip cuts text to at most that many bytes, at a rune's boundary, and marks the cut.
func clip(text string, most int) string {
	const mark = "…"
	if len(text) <= most {
		return text
	}
	cut := most - len(mark)
	for cut > 0 && !utf8.RuneStart(text[cut]) {
		cut--
	}
	return text[:cut] + mark
}
