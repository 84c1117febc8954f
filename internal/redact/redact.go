package redact

import (
	"bytes"
	"encoding/json"
	"regexp"
	"strings"
)

// Mark replaces a credential.
const Mark = "[redacted]"

// shortestSecret is the length in bytes from which a known secret is looked for; a shorter one would blacken half the
// text.
const shortestSecret = 4

// credentials are texts that look like one wherever they stand: the name of a field before its value, bearer tokens,
// JSON web tokens, and the password of an address.
var credentials = []struct {
	pattern *regexp.Regexp
	with    string
}{
	{regexp.MustCompile(`(?i)\b(bearer|basic)\s+[A-Za-z0-9._~+/=-]{8,}`), "$1 " + Mark},
	{regexp.MustCompile(`\beyJ[A-Za-z0-9_-]{5,}\.[A-Za-z0-9_-]{5,}\.[A-Za-z0-9_-]*`), Mark},
	{regexp.MustCompile(`(?i)((?:password|passwd|pwd|secret|token|api[-_]?key)["']?\s*[=:]\s*["']?)[^\s"',;&]+`), "${1}" +
		Mark},
	{regexp.MustCompile(`([a-z][a-z0-9+.-]*://[^\s:/@]+:)[^\s@]+@`), "${1}" + Mark + "@"},
}

// Text replaces the known secrets, and whatever looks like a credential, in a text.
func Text(text string, secrets []string) string {
	for _, secret := range secrets {
		if len(secret) >= shortestSecret {
			text = strings.ReplaceAll(text, secret, Mark)
		}
	}
	for _, credential := range credentials {
		text = credential.pattern.ReplaceAllString(text, credential.with)
	}
	return text
}

// Document replaces the known secrets wherever they stand in a JSON document.
func Document(document []byte, secrets []string) []byte {
	for _, secret := range secrets {
		quoted, err := json.Marshal(secret)
		if len(secret) < shortestSecret || err != nil {
			continue
		}
		document = bytes.ReplaceAll(document, quoted[1:len(quoted)-1], []byte(Mark))
	}
	return document
}
