package sanitize

import (
	"encoding/json"
	"strings"
	"testing"
	"unicode"

	"pgregory.net/rapid"
)

// hostile are texts that a terminal would act on, and what can be read of them.
var hostile = map[string]string{
	"\x1b[2J\x1b[Hall good":                                 "all good",
	"\x1b[1;31mred\x1b[0m text":                             "red text",
	"\x1b]0;title\x07text":                                  "text",
	"\x1b]0;title\x1b\\text":                                "text",
	"\x1b]8;;https://evil.example\x1b\\click\x1b]8;;\x1b\\": "click",
	"unfinished \x1b]0;title":                               "unfinished ",
	"\u009b8mhidden":                                        "hidden",
	"\u009d0;title\u009ctext":                               "text",
	"\x1bPq#0\x1b\\text":                                    "text",
	"a\x1bcb":                                               "ab",
	"a\x1b":                                                 "a",
	"pass\rfail":                                            "pass fail",
	"fail\b\b\b\bpass":                                      "failpass",
	"user\u202egnp.exe\u2066x":                              "usergnp.exex",
	"a\u200bb\ufeffc\u2060d\U000e0041e\ue000":               "abcde",
	"\x00\x7f":                                              "",
	"a\xffb":                                                "a\uFFFDb",
	"a\u00a0b":                                              "a b",
	"Grüße, 東京 🚀: <b> & \"x\" is {y=\"1\"} …": "Grüße, 東京 🚀: <b> & \"x\" is {y=\"1\"} …",
}

func TestNothingActs(t *testing.T) {
	for text, want := range hostile {
		for name, got := range map[string]string{"Text": Text(text), "Line": Line(text)} {
			if got != want {
				t.Errorf("%s of %q is %q, want %q", name, text, got, want)
			}
		}
	}
	if got := Text("one\r\n\ttwo\u2028three"); got != "one\n\ttwo three" {
		t.Errorf("lines are %q", got)
	}
	if got := Line("one\r\n\ttwo\u2028three"); got != "one  two three" {
		t.Errorf("a line is %q", got)
	}
}

func TestASequenceHidesNoLineBehindIt(t *testing.T) {
	if got := Text("one\x1b]0;never ended\ntwo\x1b[31\nthree"); got != "one\ntwo31\nthree" {
		t.Errorf("%q", got)
	}
}

func TestColouredLeavesColoursAlone(t *testing.T) {
	for text, want := range map[string]string{
		"\x1b[31mred\x1b[0m \x1b[1mbold\x1b[m":      "\x1b[31mred\x1b[0m \x1b[1mbold\x1b[m",
		"\x1b[38;5;8mfaint\x1b[0m":                  "\x1b[38;5;8mfaint\x1b[0m",
		"\x1b[8mhidden\x1b[0m":                      "hidden\x1b[0m",
		"\x1b[31;8mhidden":                          "hidden",
		"\x1b[2J\x1b[31mred\x1b]0;title\x07\x1b[0m": "\x1b[31mred\x1b[0m",
		"\x1b\x1b[31m[2J":                           "\x1b[31m[2J",
	} {
		if got := Coloured(text); got != want {
			t.Errorf("%q becomes %q, want %q", text, got, want)
		}
	}
}

// Nothing in any text acts, a sanitized text stays as it is, and JSON keeps its meaning.
func TestSanitizeProperties(t *testing.T) {
	texts := rapid.OneOf(rapid.String(),
		rapid.StringOf(rapid.RuneFrom([]rune("\x1b[]0;8m\x07\u009b\u202e\r\n\tx\U000e0041"))))
	rapid.Check(t, func(t *rapid.T) {
		text := texts.Draw(t, "text")
		for name, got := range map[string]string{"Text": Text(text), "Line": Line(text),
			"Coloured": sgr.ReplaceAllString(Coloured(text), "")} {
			if i := strings.IndexFunc(got, func(r rune) bool {
				return r != '\n' && r != '\t' && !unicode.IsPrint(r)
			}); i >= 0 {
				t.Fatalf("%s of %q is %q", name, text, got)
			}
		}
		if once := Text(text); Text(once) != once {
			t.Fatalf("%q is not sanitized yet", once)
		}
		encoded, err := json.Marshal(text)
		if err != nil {
			t.Fatal(err)
		}
		var before, after string
		cleaned := JSON(encoded)
		if err := json.Unmarshal(cleaned, &after); err != nil {
			t.Fatalf("%s: %v", cleaned, err)
		}
		if err := json.Unmarshal(encoded, &before); err != nil || before != after {
			t.Fatalf("%q became %q", before, after)
		}
		if Text(string(cleaned)) != string(cleaned) {
			t.Fatalf("%q still acts", cleaned)
		}
	})
}
