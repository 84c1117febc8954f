package redact

import (
	"regexp"
	"strings"
	"unicode"
)

// shapes are texts that are a credential wherever they stand. A message names the shape and never the text.
var shapes = []struct {
	name    string
	pattern *regexp.Regexp
}{
	{"a private key", regexp.MustCompile(`-----BEGIN [A-Z0-9 ]*PRIVATE KEY-----`)},
	{"a JSON web token", regexp.MustCompile(`\beyJ[A-Za-z0-9_-]{8,}\.eyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]*`)},
	{"an AWS access key", regexp.MustCompile(`\b(?:AKIA|ASIA)[0-9A-Z]{16}\b`)},
	{"a GitHub token", regexp.MustCompile(`\b(?:gh[pousr]_[A-Za-z0-9]{36,}|github_pat_[A-Za-z0-9_]{22,})`)},
	{"a GitLab token", regexp.MustCompile(`\bglpat-[A-Za-z0-9_-]{20,}`)},
	{"a Slack token", regexp.MustCompile(`\bxox[abeoprs]-[A-Za-z0-9-]{10,}`)},
	{"a Slack webhook", regexp.MustCompile(`https://hooks\.slack\.com/services/[A-Z0-9]+/[A-Z0-9]+/[A-Za-z0-9]+`)},
	{"a Google API key", regexp.MustCompile(`\bAIza[0-9A-Za-z_-]{35}`)},
	{"a Stripe key", regexp.MustCompile(`\b[rs]k_(?:live|test)_[0-9A-Za-z]{16,}`)},
	{"a Pulumi access token", regexp.MustCompile(`\bpul-[0-9a-f]{40}\b`)},
}

var (
	// addressPassword finds the password of an address such as scheme://user:password@host.
	addressPassword = regexp.MustCompile(`(?i)\b[a-z][a-z0-9+.-]*://[^\s/?#:@'"]*:([^\s/?#@'"]+)@`)
	// authorization finds what follows the scheme in an Authorization header.
	authorization = regexp.MustCompile(`(?i)\b(?:bearer|basic)\s+([A-Za-z0-9+/_~.-]{16,}=*)`)
	// assignment finds a name that ends like a credential's, with its value: in connection strings, flags, YAML and JSON.
	assignment = regexp.MustCompile(`(?i)([a-z0-9_.-]*(?:password|passwd|pwd|passphrase|secret|token|credentials?|` +
		`(?:api|access|private|secret|account|signing|encryption|master|auth)[_-]?key))["']?\s*[:=]\s*["']?(\$\([^)]*\)|\$\{[^}]*\}|[^\s"';,&(){}\[\]]+)`)
	// reference is a value that points to a secret, or stands for one that was left out.
	reference = regexp.MustCompile(
		`^(?:\$\(.+|\$\{.+|\$[A-Z_]+|<.+|%[svq]|\*+|\[(?:secret|redacted).*|file:.+|(?:/[\w.-]+){2,}/?)$`)
)

// Kind names the kind of credential that a text holds; it is empty when the text holds none.
func Kind(text string) string {
	for _, shape := range shapes {
		if shape.pattern.MatchString(text) {
			return shape.name
		}
	}
	for _, found := range addressPassword.FindAllStringSubmatch(text, -1) {
		if !Harmless(found[1]) {
			return "an address with a password"
		}
	}
	for _, found := range authorization.FindAllStringSubmatch(text, -1) {
		if !Harmless(found[1]) {
			return "an Authorization header"
		}
	}
	for _, found := range assignment.FindAllStringSubmatch(text, -1) {
		if NamesCredential(found[1]) && !Harmless(found[2]) {
			return "a value for " + found[1]
		}
	}
	return ""
}

// KindOf names the kind of credential that a value under a name is; it is empty when the value is none.
func KindOf(name, value string) string {
	if kind := Kind(value); kind != "" {
		return kind
	}
	if NamesCredential(name) && !Harmless(value) {
		return "a value in the open"
	}
	return ""
}

// Harmless reports whether a value cannot be a credential under any name: it is empty, a switch or a reference.
func Harmless(value string) bool {
	value = strings.TrimSpace(value)
	switch strings.ToLower(value) {
	case "", "true", "false", "yes", "no", "on", "off", "none", "null", "nil", "enabled", "disabled", "required",
		"optional":
		return true
	}
	return reference.MatchString(value)
}

// credentialWords end the names of credentials. What follows another word, such as TOKEN_TTL or SECRET_NAME, is about
// one.
var credentialWords = map[string]bool{
	"PASSWORD": true, "PASSWD": true, "PWD": true, "PASSPHRASE": true, "PASS": true, "SECRET": true, "TOKEN": true,
	"CREDENTIAL": true, "CREDENTIALS": true, "APIKEY": true,
}

// keyWords make a credential of a name that ends with KEY.
var keyWords = map[string]bool{
	"API": true, "ACCESS": true, "PRIVATE": true, "SECRET": true, "ACCOUNT": true, "SIGNING": true, "ENCRYPTION": true,
	"MASTER": true,
	"AUTH":   true, "JWT": true, "HMAC": true,
}

// NamesCredential reports whether a name is that of a credential, in any of the usual spellings.
func NamesCredential(name string) bool {
	parts := Words(name)
	if len(parts) == 0 {
		return false
	}
	last := parts[len(parts)-1]
	if last == "KEY" && len(parts) > 1 {
		return keyWords[parts[len(parts)-2]]
	}
	return credentialWords[last]
}

// Words splits a name into its words in upper case: databasePassword, DATABASE_PASSWORD and database-password give
// the same two.
func Words(name string) []string {
	var spaced strings.Builder
	var previous rune
	for _, r := range name {
		switch {
		case !unicode.IsLetter(r) && !unicode.IsDigit(r):
			r = ' '
		case unicode.IsUpper(r) && unicode.IsLower(previous):
			spaced.WriteRune(' ')
		}
		spaced.WriteRune(unicode.ToUpper(r))
		previous = r
	}
	return strings.Fields(spaced.String())
}
