package settings

import (
	"encoding/json"
	"errors"
	"log/slog"
	"regexp"
	"strings"
)

// Secret is a value that must not be shown. Every way of printing or encoding it gives a mark in its place; Reveal is
// the only way to the value, which makes its uses easy to find.
type Secret string

const hidden = "[secret]"

// Reveal gives the value itself.
func (s Secret) Reveal() string { return string(s) }

// String gives a mark in place of the value.
func (Secret) String() string { return hidden }

// GoString gives a mark in place of the value.
func (Secret) GoString() string { return hidden }

// LogValue gives a mark in place of the value.
func (Secret) LogValue() slog.Value { return slog.StringValue(hidden) }

// MarshalJSON gives a mark in place of the value.
func (Secret) MarshalJSON() ([]byte, error) { return json.Marshal(hidden) }

// placeholders are values that people put into a template for somebody else to replace.
var placeholders = regexp.MustCompile(
	`(?i)^\s*$|<[^<>]*>|^(change[-_ ]?me|replace[-_ ]?me|placeholder|todo|fixme|x{3,})$`)

// IsPlaceholder reports whether the value is a template's mark, such as <SECURE_PASSWORD>, in place of a real value.
func (s Secret) IsPlaceholder() bool { return placeholders.MatchString(string(s)) }

// errNoReference does not quote the text, which may be the credential itself.
var errNoReference = errors.New("no secret reference: allowed is secret/key, for example finance-db/password")

// ParseSecretRef reads "secret/key"; the empty string is the empty reference.
func ParseSecretRef(text string) (SecretRef, error) {
	if text == "" {
		return SecretRef{}, nil
	}
	secret, key, ok := strings.Cut(text, "/")
	if !ok || secret == "" || key == "" || strings.Contains(key, "/") {
		return SecretRef{}, errNoReference
	}
	return SecretRef{Secret: secret, Key: key}, nil
}

// String gives the form that ParseSecretRef reads.
func (r SecretRef) String() string {
	if r == (SecretRef{}) {
		return ""
	}
	return r.Secret + "/" + r.Key
}

// UnmarshalText reads the form secret/key.
func (r *SecretRef) UnmarshalText(text []byte) error {
	parsed, err := ParseSecretRef(string(text))
	if err != nil {
		return err
	}
	*r = parsed
	return nil
}

// MarshalText writes the form secret/key.
func (r SecretRef) MarshalText() ([]byte, error) { return []byte(r.String()), nil }
