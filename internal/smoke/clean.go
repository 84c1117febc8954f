package smoke

import (
	"regexp"
	"strings"
	"unicode"
	"unicode/utf8"
)

const (
	// maxReason bounds a reason, in bytes.
	maxReason = 400
	// maxExcerpt bounds what a reason quotes from an answer, in bytes.
	maxExcerpt = 160
	redacted   = "[redacted]"
)

var (
	// escapeSequence matches what a terminal acts on: CSI, OSC and two-character sequences, in 7-bit and 8-bit form.
	//nolint:gocritic // the ranges are those of ECMA-48: a CSI sequence has parameter, intermediate and final bytes
	escapeSequence = regexp.MustCompile("(?:\x1b\\[|\u009b)[0-?]*[ " +
		"-/]*[@-~]|(?:\x1b\\]|\u009d)[^\x07\x1b\u009c]*(?:\x07|\x1b\\\\|\u009c)?|\x1b[ -~]?")
	// webToken matches JSON Web Tokens, also the parts of one.
	webToken = regexp.MustCompile(`eyJ[A-Za-z0-9_-]{6,}(?:\.[A-Za-z0-9_-]*){0,2}`)
	// bearer matches an Authorization header's value.
	bearer = regexp.MustCompile(`(?i)\bbearer\s+[^\s"',;]{16,}`)
	// userInfo matches the name and password of a URL.
	userInfo = regexp.MustCompile(`://[^\s/"']+@`)
)

// cleaner makes text from outside fit to show: without secrets, without anything that a terminal acts on.
type cleaner struct{ secrets *strings.Replacer }

func newCleaner(v Values) cleaner {
	var pairs []string
	for _, secret := range []string{v.Token, v.ForgedToken, v.ExpiredToken} {
		// A short value would be found, and hidden, everywhere.
		if len(secret) >= 8 {
			pairs = append(pairs, secret, redacted)
		}
	}
	return cleaner{secrets: strings.NewReplacer(pairs...)}
}

// text cleans text and bounds it to that many bytes. Cutting comes last: half a secret would no longer be recognized.
func (c cleaner) text(text string, most int) string {
	text = escapeSequence.ReplaceAllString(strings.ToValidUTF8(text, "\uFFFD"), "")
	text = strings.Map(func(r rune) rune {
		switch {
		case unicode.IsSpace(r):
			return ' '
		case !unicode.IsPrint(r):
			return -1
		}
		return r
	}, text)
	text = c.secrets.Replace(text)
	text = webToken.ReplaceAllString(text, redacted)
	text = bearer.ReplaceAllString(text, "Bearer "+redacted)
	text = userInfo.ReplaceAllString(text, "://"+redacted+"@")
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
