package redact

import (
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"net/url"
	"slices"
	"strings"
)

const (
	// shortestSecret is the length in bytes from which a known secret is looked for.
	shortestSecret = 4
	// shortestAnywhere is the length from which it is looked for inside other words too.
	shortestAnywhere = 8
	// shortestLine is the length from which one line of a known secret is looked for by itself.
	shortestLine = 16
)

const knownKind = "a known secret"

// knownValue is one spelling of a known secret.
type knownValue struct {
	text string
	// alone requires that no letter or digit touches the value.
	alone bool
}

// knownValues lists the spellings of secrets, the longest first.
func knownValues(secrets []string) []knownValue {
	spellings := map[string]bool{}
	for _, secret := range secrets {
		for _, part := range partsOf(secret) {
			for _, spelling := range spellingsOf(part) {
				spellings[spelling] = true
			}
		}
	}
	var known []knownValue
	for spelling := range spellings {
		known = append(known, knownValue{spelling, len(spelling) < shortestAnywhere})
	}
	slices.SortFunc(known, func(a, b knownValue) int {
		if len(a.text) != len(b.text) {
			return len(b.text) - len(a.text)
		}
		return strings.Compare(a.text, b.text)
	})
	return known
}

// partsOf lists a secret and what of it is a secret by itself: its long lines, and the password of an address.
func partsOf(secret string) []string {
	secret = strings.TrimSpace(secret)
	if len(secret) < shortestSecret {
		return nil
	}
	parts := []string{secret}
	if strings.Contains(secret, "\n") {
		for line := range strings.Lines(secret) {
			line = strings.TrimSpace(line)
			if len(line) >= shortestLine && !strings.HasPrefix(line, "-----") {
				parts = append(parts, line)
			}
		}
	}
	if address, err := url.Parse(secret); err == nil && address.User != nil {
		if password, ok := address.User.Password(); ok && len(password) >= shortestSecret {
			parts = append(parts, password)
		}
	}
	return parts
}

// spellingsOf lists the ways in which logs and APIs write a value.
func spellingsOf(value string) []string {
	once := quoted(value)
	spellings := []string{value, once, quoted(once), htmlQuoted(value), htmlQuoted(htmlQuoted(value)),
		url.QueryEscape(value), url.PathEscape(value)}
	if len(value) < shortestAnywhere {
		return spellings
	}
	spellings = append(spellings, hex.EncodeToString([]byte(value)), strings.ToUpper(hex.EncodeToString([]byte(value))))
	// In base64 a value has three spellings, by the number of bytes before it. The ends depend on the neighbours.
	for before := range 3 {
		padded := append(make([]byte, before), value...)
		for _, encoding := range []*base64.Encoding{base64.RawStdEncoding, base64.RawURLEncoding} {
			text := encoding.EncodeToString(padded)
			text = text[(before*8+5)/6:]
			if len(padded)%3 != 0 {
				text = text[:len(text)-1]
			}
			spellings = append(spellings, text)
		}
	}
	return spellings
}

// quoted is a text as JSON writes it, without the quotes.
func quoted(text string) string {
	var out strings.Builder
	encoder := json.NewEncoder(&out)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(text); err != nil {
		return text
	}
	return strings.TrimSuffix(out.String(), "\n")[1 : out.Len()-2]
}

// htmlQuoted is a text as Go writes it into JSON by default.
func htmlQuoted(text string) string {
	encoded, err := json.Marshal(text)
	if err != nil {
		return text
	}
	return string(encoded[1 : len(encoded)-1])
}

// knownSpans finds the known secrets.
func (r Redactor) knownSpans(text string) []span {
	var matches []span
	for _, known := range r.known {
		for from := 0; ; {
			at := strings.Index(text[from:], known.text)
			if at < 0 {
				break
			}
			start := from + at
			end := start + len(known.text)
			from = end
			if !known.alone || !touched(text, start, end) {
				matches = append(matches, span{start, end, knownKind})
			}
		}
	}
	return matches
}

// touched reports whether a letter or digit stands right before or after a part of a text.
func touched(text string, start, end int) bool {
	return start > 0 && isWord(text[start-1]) && !escaped(text, start) || end < len(text) && isWord(text[end])
}

// escaped reports whether the byte before a position ends an escape such as \n, \u003d or %3D, so that a word begins
// there.
func escaped(text string, at int) bool {
	for _, escape := range []struct{ sign, digits int }{{'\\', 1}, {'u', 5}, {'%', 3}, {'x', 3}} {
		start := at - escape.digits
		switch {
		case escape.sign == '\\':
			if at >= 2 && text[at-2] == '\\' && strings.IndexByte("nrtbfv0", text[at-1]) >= 0 {
				return true
			}
		case escape.sign == '%':
			if start >= 0 && text[start] == '%' && areHex(text[start+1:at]) {
				return true
			}
		case start >= 1 && int(text[start]) == escape.sign && text[start-1] == '\\' && areHex(text[start+1:at]):
			return true
		}
	}
	return false
}

func areHex(text string) bool {
	for i := range len(text) {
		if c := text[i]; !isDigit(c) && (c|0x20 < 'a' || c|0x20 > 'f') {
			return false
		}
	}
	return true
}

func isDigit(c byte) bool  { return c >= '0' && c <= '9' }
func isLetter(c byte) bool { return c|0x20 >= 'a' && c|0x20 <= 'z' }
func isWord(c byte) bool   { return isDigit(c) || isLetter(c) }
