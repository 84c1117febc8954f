package smoke

import (
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"pgregory.net/rapid"
)

func TestCleanText(t *testing.T) {
	const token = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJ4In0.c2lnbmF0dXJl"
	clean := newCleaner(Values{Token: "an-opaque-token", ForgedToken: token})
	tests := map[string]struct{ text, want string }{
		"plain":              {"status 200", "status 200"},
		"color":              {"\x1b[31mred\x1b[0m", "red"},
		"8-bit CSI":          {"\u009b31mred", "red"},
		"title":              {"\x1b]0;owned\x07text", "text"},
		"title, other end":   {"\x1b]0;owned\x1b\\text", "text"},
		"unterminated title": {"text\x1b]0;owned", "text"},
		"clear":              {"a\x1bcb", "ab"},
		"lone escape":        {"a\x1b", "a"},
		"lines":              {"a\r\n\tb", "a b"},
		"bell and null":      {"a\x07\x00b", "ab"},
		"right to left":      {"a\u202eb", "ab"},
		"not UTF-8":          {"a\xffb", "a\uFFFDb"},
		"known token":        {`{"got":"an-opaque-token"}`, `{"got":"[redacted]"}`},
		"signed token":       {"token " + token + "!", "token [redacted]!"},
		"unknown token":      {"token eyJhbGciOiJub25lIn0.eyJzdWIiOiJ4In0.", "token [redacted]"},
		"hidden by escapes":  {"an-opa\x1b[0mque-token", "[redacted]"},
		"header":             {"Authorization: Bearer 0123456789abcdef0123", "Authorization: Bearer [redacted]"},
		"bearer as a word":   {"a valid bearer token is required", "a valid bearer token is required"},
		"name and value":     {`{"error":"bad","password":"hunter2"}`, `{"error":"bad","password":"[redacted]"}`},
		"token of a forge":   {"clone with gh" + "p_0123456789abcdefghijABCDEFGHIJ012345", "clone with [redacted]"},
		"key of a cloud":     {"using AK" + "IAIOSFODNN7EXAMPLE", "using [redacted]"},
		"password in a URL":  {"dial postgres://u:p@ss@db:5432/x", "dial postgres://[redacted]@db:5432/x"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			if got := clean.text(test.text, maxReason); got != test.want {
				t.Errorf("got %q, want %q", got, test.want)
			}
		})
	}
}

func TestCleanTextProperties(t *testing.T) {
	const secret = "s3cr3t-token-value"
	clean := newCleaner(Values{Token: secret})
	rapid.Check(t, func(t *rapid.T) {
		before, after := rapid.String().Draw(t, "before"), string(rapid.SliceOf(rapid.Byte()).Draw(t, "after"))
		limit := rapid.IntRange(8, 64).Draw(t, "limit")
		got := clean.text(before+secret+after, limit)
		if len(got) > limit || !utf8.ValidString(got) {
			t.Fatalf("%q is longer than %d bytes or not UTF-8", got, limit)
		}
		if i := strings.IndexFunc(got, func(r rune) bool { return !unicode.IsPrint(r) }); i >= 0 {
			t.Fatalf("%q holds something unprintable", got)
		}
		if strings.Contains(got, secret[:6]) && !strings.Contains(before+after, secret[:6]) {
			t.Fatalf("%q holds the beginning of the secret", got)
		}
	})
}

func FuzzCleanText(f *testing.F) {
	f.Add("\x1b[31mred\x1b[0m", 20)
	f.Add("a\xff\u009b\x1b]x", 3)
	f.Fuzz(func(t *testing.T, text string, limit int) {
		if limit < 3 || limit > 1000 {
			return
		}
		got := newCleaner(Values{}).text(text, limit)
		if len(got) > limit || strings.ContainsAny(got, "\x1b\x07\r\n\u009b") {
			t.Errorf("got %q", got)
		}
	})
}
