package redact

import (
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/url"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/vextrus/finance-rollout/internal/redact/corpus"
)

func TestKnownSecretsAreRemovedInEverySpelling(t *testing.T) {
	const secret = `pa$$ "w<rd>" & 1ö`
	inJSON, err := json.Marshal(secret)
	if err != nil {
		t.Fatal(err)
	}
	twice, err := json.Marshal(string(inJSON))
	if err != nil {
		t.Fatal(err)
	}
	r := New([]string{secret + "\n"})
	for name, text := range map[string]string{
		"plain": secret, "JSON": string(inJSON), "JSON in JSON": string(twice), "Go": fmt.Sprintf("%q", secret),
		"query": url.QueryEscape(secret), "path": url.PathEscape(secret), "hex": hex.EncodeToString([]byte(secret)),
		"base64": base64.StdEncoding.EncodeToString([]byte(secret)), "URL": base64.URLEncoding.EncodeToString([]byte(secret)),
		"base64 behind one byte":  base64.StdEncoding.EncodeToString([]byte("u" + secret)),
		"base64 behind two bytes": base64.StdEncoding.EncodeToString([]byte("u:" + secret)),
		"coloured":                "pa\x1b[31m" + secret[2:],
	} {
		if got := r.Text("before " + text + " after"); !strings.Contains(got, Mark) || strings.Contains(got, "w<rd>") ||
			len(got) > len("before  after")+len(Mark)+8 {
			t.Errorf("%s: %q", name, got)
		}
	}
}

func TestKnownSecretsAndTheirParts(t *testing.T) {
	tests := map[string]struct {
		secrets    []string
		text, want string
	}{
		"nothing known":           {nil, "hunter", "hunter"},
		"too short":               {[]string{"", "abc", "  x \n"}, "abc", "abc"},
		"short, alone":            {[]string{"root"}, "user root at rootfs, root:", "user [redacted] at rootfs, [redacted]:"},
		"short, behind an escape": {[]string{"root"}, `one\nroot`, `one\n[redacted]`},
		"long, in a word":         {[]string{"hunter22"}, "xhunter22y", "x[redacted]y"},
		"the longer one first":    {[]string{"hunter22", "hunter22hunter33"}, "hunter22hunter33", "[redacted]"},
		"password of an address":  {[]string{"esdb://admin:changeit@host:2113"}, "login changeit", "login [redacted]"},
		"a line of several": {[]string{"-----BEGIN X-----\nabcdefghijklmnop\n-----END X-----"},
			"line abcdefghijklmnop!", "line [redacted]!"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			if got := Text(tt.text, tt.secrets); got != tt.want {
				t.Errorf("%q, want %q", got, tt.want)
			}
		})
	}
}

func TestTheRestOfATextStays(t *testing.T) {
	for text, want := range map[string]string{
		`{"user":"app","password":"hunter2","port":1}`:         `{"user":"app","password":"[redacted]","port":1}`,
		`{"m":"{\"password\":\"a\\\"b\",\"port\":1}"}`:         `{"m":"{\"password\":\"[redacted]\",\"port\":1}"}`,
		"dial postgres://app:hunter2@db:5432/x failed":         "dial postgres://[redacted]@db:5432/x failed",
		"host=db password=hunter2 sslmode=require":             "host=db password=[redacted] sslmode=require",
		"?token=abcdef&x=y":                                    "?token=[redacted]&x=y",
		"Server=db;Password=a b,c;Encrypt=true":                "Server=db;Password=[redacted];Encrypt=true",
		"password='a, b' user=c":                               "password='[redacted]' user=c",
		"a:\n  password: |\n    one\n    two\n  port: 1":       "a:\n  password: |\n    [redacted]\n  port: 1",
		"<db><password>hunter2</password></db>":                "<db><password>[redacted]</password></db>",
		"Authorization: Bearer abcdef0123456789, then":         "Authorization: Bearer [redacted], then",
		"{Name:DB_PASSWORD Value:hunter2 ValueFrom:nil}":       "{Name:DB_PASSWORD Value:[redacted] ValueFrom:nil}",
		"\x1b[36mpassword=\x1b[0mhunter2 \x1b[36muser=\x1b[0m": "\x1b[36mpassword=\x1b[0m[redacted] \x1b[36muser=\x1b[0m",
	} {
		if got := Text(text, nil); got != want {
			t.Errorf("%q becomes %q, want %q", text, got, want)
		}
	}
}

func TestKinds(t *testing.T) {
	for text, want := range map[string]string{
		"":                                 "",
		"nothing here":                     "",
		"postgres://a:hunter2@db":          "an address with a password",
		"x: Bearer abcdef0123456789abcdef": "an Authorization header",
		"clientSecret=hunter2":             "a value for clientSecret",
		"AK" + "IA" + "IOSFODNN7EXAMPLE":   "an AWS access key",
		"Set-Cookie: sid=1234":             "a cookie",
		"eyJ" + "hbGciOiJIUzI1NiJ9.eyJzdWIiOiJ4In0.c2lnbmF0dXJl":                      "a JSON web token",
		base64.StdEncoding.EncodeToString([]byte("-----BEGIN PRIV" + "ATE KEY-----")): "a private key",
	} {
		if got := Kind(text); got != want {
			t.Errorf("%q holds %q, want %q", text, got, want)
		}
	}
}

func TestNamesAndTheirValues(t *testing.T) {
	for _, name := range []string{"password", "dbPassword", "DB_PASSWORD_OLD", "PGPASSWORD", "MYSQL_PWD", "SMTP_PASS",
		"SECRET_KEY_BASE", "AccountKey", "api-key", "apikey", "X-Vault-Token", "token1", "clientSecret", "CREDENTIALS"} {
		if !NamesCredential(name) {
			t.Errorf("%s names no credential", name)
		}
		if KindOf(name, "hunter2hunter2") == "" {
			t.Errorf("the value of %s is no credential", name)
		}
		if kind := KindOf(name, "$(REFERENCE)"); kind != "" {
			t.Errorf("a reference under %s is %s", name, kind)
		}
	}
	for _, name := range []string{"", "_", "TOKEN_TTL", "SECRET_NAME", "PASSWORD_FILE", "monkey", "primaryKey", "keyboard",
		"nextPageToken", "bypass", "author"} {
		if NamesCredential(name) {
			t.Errorf("%s names a credential", name)
		}
	}
	if KindOf("auth", "basic") != "" || KindOf("auth", "a0b1c2d3e4f5a6b7c8d9") == "" {
		t.Error("a name that says little needs a value that looks random")
	}
}

func TestDocuments(t *testing.T) {
	tests := map[string]struct{ document, want string }{
		"field": {`{"password":"hunter2","port":5432}`, `{"password":"[redacted]","port":5432}`},
		"number": {`{"password":12345678,"big":12345678901234567890}`,
			`{"password":"[redacted]","big":12345678901234567890}`},
		"list": {`{"tokens":["a"],"secret":["a1","b2"]}`,
			`{"tokens":["a"],"secret":["[redacted]","[redacted]"]}`},
		"termination": {`{"terminated":{"message":"panic: password=hunter2 x"}}`,
			`{"terminated":{"message":"panic: password=[redacted] x"}}`},
		"name and value": {`[{"name":"DB_PASSWORD","value":"hunter2"},{"name":"PORT","value":"1"}]`,
			`[{"name":"DB_PASSWORD","value":"[redacted]"},{"name":"PORT","value":"1"}]`},
		"JSON inside":      {`{"log":"{\"apiKey\":\"abc123\"}"}`, `{"log":"{\"apiKey\":\"[redacted]\"}"}`},
		"name of a field":  {`{"postgres://a:pw12@h":1,"s3cr3t-value":2}`, `{"postgres://[redacted]@h":1,"[redacted]":2}`},
		"known number":     {`{"a":4821573}`, `{"a":"[redacted]"}`},
		"several":          {"{\"a\":1}\n[null,true]\n", "{\"a\":1}\n[null,true]\n"},
		"no JSON":          {`password=hunter2 {`, `password=[redacted] {`},
		"cut off":          {`{"password":"hunter2","a":[`, `{"password":"[redacted]","a":[`},
		"cut off in names": {`{"password":"hunter2","a"`, `{"password":"[redacted]","a"`},
		"empty":            {``, ``},
		"nothing to hide":  {`{"b":"<&>","a":{},"c":[]}`, `{"b":"<&>","a":{},"c":[]}`},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			got := string(Document([]byte(tt.document), []string{"s3cr3t-value", "4821573"}))
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// containers are texts around a name and a value that the detector must read. %[1]s is the name, %[2]s the value.
var containers = []string{
	`%[1]s=%[2]s`, `x %[1]s: %[2]s`, `{"%[1]s":"%[2]s","a":1}`, `{\"%[1]s\":\"%[2]s\"}`, `a=b&%[1]s=%[2]s&c=d`,
	`<%[1]s>%[2]s</%[1]s>`, `--%[1]s %[2]s`, `map[a:b %[1]s:%[2]s]`, `%[1]s => '%[2]s'`, "a: b\n%[1]s: \"%[2]s\"\nc: d",
	`[{"name":"%[1]s","value":"%[2]s"}]`, `Server=a;%[1]s=%[2]s;B=c`, `{a:{%[1]s:%[2]s}}`,
}

func TestNoValueOfACredentialIsShown(t *testing.T) {
	names := []string{"password", "DB_PASSWORD", "api_key", "clientSecret", "AUTH_TOKEN", "PGPASSWORD", "access-key",
		"MYSQL_PWD"}
	rapid.Check(t, func(t *rapid.T) {
		value := rapid.StringMatching(`[a-zA-Z][a-zA-Z0-9!$%*+./_~-]{6,30}[0-9]`).Draw(t, "value")
		container := rapid.SampledFrom(containers).Draw(t, "container")
		before := rapid.SampledFrom([]string{"", "msg ", "\n", "[x] ", `"a" `, "http://h/?"}).Draw(t, "before")
		text := before + fmt.Sprintf(container, rapid.SampledFrom(names).Draw(t, "name"), value)
		if got := Text(text, nil); strings.Contains(got, value) && !Harmless(value) {
			t.Fatalf("%q becomes %q", text, got)
		}
	})
}

func plantedTexts(seed uint64) []string {
	var texts []string
	for _, planted := range corpus.Secrets(seed) {
		texts = append(texts, planted.Text)
	}
	return texts
}

func TestAnyTextCanBeRedacted(t *testing.T) {
	texts := rapid.OneOf(rapid.String(), rapid.StringOf(rapid.SampledFrom([]rune("=:\"'\\`%&;,<>[]{}()@/?-| \n\tabpwdtokensecret3\x1b"))))
	rapid.Check(t, func(t *rapid.T) {
		parts := append(plantedTexts(3), corpus.Harmless(4)...)
		text := texts.Draw(t, "text") + rapid.SampledFrom(parts).Draw(t, "line") + texts.Draw(t, "more")
		checkRedacted(t, text)
	})
}

// A value whose end is escaped reaches over the next field.
func TestFieldsThatOverlap(t *testing.T) {
	for _, text := range []string{"-+name%3A+DB_PASSWORD%0A++value%3A+hunter2hunter2%0A", "name=a%0Avalue=b",
		"value=a%0Aname=b"} {
		checkRedacted(t, text)
	}
}

// checkRedacted fails the test when redacting a text breaks it.
func checkRedacted(t interface{ Fatalf(string, ...any) }, text string) {
	got := Text(text, []string{"s3cr3t-value"})
	if strings.Contains(got, "s3cr3t-value") || utf8.ValidString(text) && !utf8.ValidString(got) {
		t.Fatalf("%q becomes %q", text, got)
	}
	if (Text(text, nil) != text) != (Kind(text) != "") {
		t.Fatalf("%q: what is redacted and what a policy sees differ", text)
	}
	encoded, err := json.Marshal(map[string]string{"a-b": text})
	if err != nil {
		t.Fatalf("%q: %v", text, err)
	}
	if document := Document(encoded, nil); !json.Valid(document) {
		t.Fatalf("%s becomes %s", encoded, document)
	}
}

func FuzzText(f *testing.F) {
	for _, text := range append(plantedTexts(1), corpus.Harmless(2)...) {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) { checkRedacted(t, text) })
}

// Logs of many pods are redacted while an operator waits.
func BenchmarkText(b *testing.B) {
	var log strings.Builder
	for log.Len() < 128<<10 {
		for _, line := range corpus.Harmless(1) {
			log.WriteString("2026-01-02T03:04:05.678Z level=info msg=\"request served\" path=/graphql status=200 " + line + "\n")
		}
	}
	text := log.String()
	r := New([]string{"a-known-secret", "another-known-secret"})
	b.SetBytes(int64(len(text)))
	b.ReportAllocs()
	for b.Loop() {
		_ = r.Text(text)
	}
}

// A text that was made to be slow is not much slower than a log.
func TestHostileTextsAreNotSlow(t *testing.T) {
	for _, part := range []string{`password="$`, "token=1 ", `"password":"`, "a://b:", "[", `\"`, "-----BEGIN X PRIV" + "ATE KEY-----",
		"eyJ", "secret: ", "Server=a;Password=", "--password ", "%3D", "password is ", "|a|",
		"basic ", "k:1:a:b:", "<a>", "YWJjZGVm"} {
		text := strings.Repeat(part, (64<<10)/len(part))
		if got := Text(text, nil); got == "" || len(got) > 4*len(text) {
			t.Errorf("%q: %d bytes became %d", part, len(text), len(got))
		}
	}
}
