package redact

import (
	"encoding/base64"
	"regexp"
	"strings"
	"unicode"
)

// plainWords are values that no credential has: switches, types, and what stands for a value that was left out.
var plainWords = set(
	"true false yes no on off none null nil <nil> undefined enabled disabled required optional unset " +
		"empty missing hidden masked redacted filtered sensitive n/a unknown string str bool boolean int integer " +
		"number object text char varchar bytes any string! []byte &str opaque not_set not-set notset present absent ok " +
		"default valid invalid expired revoked changed unchanged rotated created deleted updated provided configured")

// reference matches values that point to a credential or stand for one that was left out.
var reference = regexp.MustCompile(`(?i)^(?:` + strings.Join([]string{
	`!(?:vault|secret|env_var|include|reference|Ref|Sub|GetAtt|ImportValue)\b.*`,
	`\$\(.*`, `\$\{.*`, `\$[\d@*#?]`, `\(\(.*\)\)`, `await`, `read-host`, `\$[A-Z_][A-Z0-9_]*`, `\$env:\w+`, `%[A-Z_]+%`, `\{\{.*`, `<[^>]*>?`, `%[+#]?[svqdxwT]`, `[*•.xX#-]{2,}`,
	`[\[(<{](?:secret|redacted|filtered|hidden|masked|sensitive|protected|omitted|unset|none|empty|known|pad|unk|mask|cls|sep)` +
		`\b[^\])>}]*[\])>}]*`,
	`(?:file|env|vault|sm|op|ref\+\w+|awssm|gcpsm|ssm|keyvault|keychain|base64file|awssecret):.+`, `arn:aws[\w-]*:.+`,
	`projects/[\w-]+/secrets/.+`,
	`(?:process\.env|os\.environ|os\.getenv|env\[|getenv|system\.getenv|env\.|import\.meta\.env)\b.*`,
	`(?:config|settings|options|args|params|input|vars?|data|local|values|self|this|req(?:uest)?|ctx|props)\.[\w.]+(?:\(\))?`,
	`(?:get|fetch|read|load|prompt|input|ask)\w*\(.*`, `(?:cat|vault|aws|kubectl|gcloud|sops|openssl) [\w./-].*`, `0x[0-9a-f]{8,16}`, `\d{1,3}`,
	`\d+(?:\.\d+)?(?:ns|us|µs|ms|s|m|h|d|w)(?:\d+(?:ns|us|µs|ms|s|m|h))*`,
	`\d+ ?(?:bytes|chars|characters|items|keys|days|hours|minutes|seconds)`, `v?\d+(?:\.\d+){1,3}`, `enc\[.*`,
	`@(?:-|[\w./-]*/[\w./-]+|[\w-]+\.\w{2,4})`, `https?://\S+`, `(?:RS|HS|ES|PS|EdDSA)\d{3}`, `sha(?:1|256|384|512):\S+`,
	`(?:kubernetes\.io|helm\.sh)/[\w.-]+`, `/`, `@?(?:\w+\.)?(?:n?varchar2?|char|text|string)\(\d+\)`,
}, "|") + `)$`)

// pathSegment matches what people call files and folders. Random text mixes cases and digits.
var pathSegment = regexp.MustCompile(`^(?:[a-z0-9][a-z0-9._-]*|[A-Z]?[a-z._-]+|[A-Z._-]+|\.\.?|\.[a-z][\w.-]*)$`)

// isPath reports whether a value is an absolute or relative path of a file system.
func isPath(value string) bool {
	rest, ok := strings.CutPrefix(strings.TrimPrefix(strings.TrimPrefix(value, "~"), "."), "/")
	if !ok {
		return false
	}
	segments := strings.Split(strings.TrimSuffix(rest, "/"), "/")
	for _, segment := range segments {
		if !pathSegment.MatchString(segment) {
			return false
		}
	}
	return len(segments) >= 2 || strings.HasPrefix(value, "./") || strings.HasPrefix(value, "~/") || pathNames[segments[0]]
}

var pathNames = set("app root home tmp var etc opt usr srv mnt data run workspace")

// Harmless reports whether a value cannot be a credential under any name: it is empty, a switch, a number of few
// digits, a duration, or a reference.
func Harmless(value string) bool {
	value = strings.TrimSpace(value)
	if plainWords[strings.ToLower(value)] || isPath(value) || reference.MatchString(value) {
		return true
	}
	return !strings.ContainsFunc(value, func(r rune) bool { return unicode.IsLetter(r) || unicode.IsDigit(r) })
}

// shortestRandom is the length from which a value can look random.
const shortestRandom = 16

// random reports whether a value looks drawn by chance: one long word of letters and digits that nobody would write.
func random(value string) bool {
	if len(value) < shortestRandom || strings.ContainsAny(value, " \t\n,;()<>{}[]\"'`") || strings.Contains(value, "://") {
		return false
	}
	digits, upper, lower := classes(value)
	return digits >= 2 && (upper > 0 || lower > 0) || upper >= 3 && lower >= 3 &&
		!strings.ContainsAny(value, "-_./:") && changes(value) > len(value)/4
}

// mixed reports whether a value is no word of a language: it has digits or signs beside letters.
func mixed(value string) bool {
	digits, upper, lower := classes(value)
	letters := upper + lower
	switch {
	case len(value) < 5:
		return false
	case letters == 0:
		return digits >= 6
	case digits > 0:
		return true
	}
	return letters < len(value) && !strings.ContainsAny(value[:1]+value[len(value)-1:], "-_.:/,;()") &&
		strings.ContainsAny(value, "!$%^&*+=?~#@")
}

// isNumber reports whether a text holds nothing but digits.
func isNumber(text string) bool { return strings.Trim(text, "0123456789") == "" }

func classes(value string) (digits, upper, lower int) {
	for i := range len(value) {
		switch c := value[i]; {
		case isDigit(c):
			digits++
		case c >= 'A' && c <= 'Z':
			upper++
		case c >= 'a' && c <= 'z':
			lower++
		}
	}
	return digits, upper, lower
}

// changes counts how often the case of the letters changes.
func changes(value string) int {
	n := 0
	for i := 1; i < len(value); i++ {
		if isLetter(value[i]) && isLetter(value[i-1]) && (value[i]^value[i-1])&0x20 != 0 {
			n++
		}
	}
	return n
}

// decodeBase64 decodes either alphabet, with or without padding.
func decodeBase64(text string) ([]byte, bool) {
	text = strings.TrimRight(text, "=")
	encoding := base64.RawStdEncoding
	if strings.ContainsAny(text, "-_") {
		encoding = base64.RawURLEncoding
	}
	decoded, err := encoding.DecodeString(text)
	return decoded, err == nil
}

// messageWords begin or continue a message; behind a name and a colon they are no value: "token: signature is invalid".
var messageWords = set("not no must is was are were should cannot could can unable failed failure fails error " +
	"errors invalid expired " +
	"missing unexpected malformed unknown wrong incorrect denied unauthorized unauthenticated forbidden empty too " +
	"has have the a an want set give use run " +
	"expected got bad illegal unsupported rejected connection context timeout permission access " +
	"please enter already at of in for to from with and or if when while because required requires found exists " +
	"mismatch exceeded refused revoked be been will would may does do did didn't doesn't isn't wasn't this that " +
	"it its open read write dial lookup parse decode encode json header body status")

// isMessage reports whether an unquoted value is the beginning of a sentence rather than a credential. Rest is what
// follows it on its line.
func isMessage(value, rest string) bool {
	word := strings.ToLower(strings.TrimRight(value, ":.,;!?"))
	if word == "" || strings.ContainsFunc(word, noWordRune) {
		return false
	}
	if messageWords[word] || len(word) >= 6 && (strings.HasSuffix(word, "ed") || strings.HasSuffix(word, "ing")) {
		return true
	}
	// Another word or two, and one that only a sentence has.
	following := strings.Fields(rest[:min(len(rest), 80)])
	for _, next := range following[:min(len(following), 3)] {
		next = strings.ToLower(strings.Trim(next, ":.,;!?\"'"))
		if sentenceWords[next] {
			return true
		}
		if next == "" || strings.ContainsFunc(next, noWordRune) {
			return false
		}
	}
	return false
}

var sentenceWords = set("is was are were not cannot failed expired invalid required missing denied refused must " +
	"has have be could " +
	"should may will does did mismatch exceeded isn't wasn't doesn't didn't unauthorized found")

// noWordRune is true for a rune that no word of a language holds.
func noWordRune(r rune) bool { return !unicode.IsLetter(r) && r != '\'' && r != '-' }
