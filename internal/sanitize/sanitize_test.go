package sanitize

import (
	"encoding/json"
	"strings"
	"testing"
	"unicode"

	"pgregory.net/rapid"
)

// hostile are texts that a terminal would act on, and how they read once they are plain.
var hostile = map[string]string{
	"\x1b[2J\x1b[Hall good":                   "[2J[Hall good",
	"\x1b]0;title\x07text":                    "]0;titletext",
	"\x1b]8;;https://evil.example\x1b\\click": "]8;;https://evil.example\\click",
	"\u009b8mhidden":                          "8mhidden",
	"pass\rfail":                              "passfail",
	"fail\b\b\b\bpass":                        "failpass",
	"user\u202egnp.exe\u2066x":                "usergnp.exex",
	"a\u200bb\ufeffc\u2060d\U000e0041e":       "abcde",
	"\x00\x7f\u0085":                          "",
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
	if got := Text("one\n\ttwo\xff\u2028"); got != "one\n\ttwo" {
		t.Errorf("lines are %q", got)
	}
	if got := Line("one\n\ttwo\u2028three"); got != "one  two three" {
		t.Errorf("a line is %q", got)
	}
}

func TestColouredLeavesColoursAlone(t *testing.T) {
	for text, want := range map[string]string{
		"\x1b[31mred\x1b[0m \x1b[1mbold\x1b[m":      "\x1b[31mred\x1b[0m \x1b[1mbold\x1b[m",
		"\x1b[38;5;8mfaint\x1b[0m":                  "\x1b[38;5;8mfaint\x1b[0m",
		"\x1b[8mhidden\x1b[0m":                      "[8mhidden\x1b[0m",
		"\x1b[31;8mhidden":                          "[31;8mhidden",
		"\x1b[2J\x1b[31mred\x1b]0;title\x07\x1b[0m": "[2J\x1b[31mred]0;title\x1b[0m",
		"\x1b\x1b[31m[2J":                           "\x1b[31m[2J",
	} {
		if got := Coloured(text); got != want {
			t.Errorf("%q becomes %q, want %q", text, got, want)
		}
	}
}

// Whatever the text, nothing in it acts, what is plain already stays as it is, and JSON means what it meant.
func TestPlainProperties(t *testing.T) {
	texts := rapid.OneOf(rapid.String(),
		rapid.StringOf(rapid.RuneFrom([]rune("\x1b[]0;8m\x07\u009b\u202e\r\n\tx\U000e0041"))))
	rapid.Check(t, func(t *rapid.T) {
		text := texts.Draw(t, "text")
		for name, got := range map[string]string{"Text": Text(text), "Line": Line(text),
			"Coloured": sgr.ReplaceAllString(Coloured(text), "")} {
			if i := strings.IndexFunc(got, func(r rune) bool {
				return r != '\n' && r != '\t' &&
					unicode.In(r, unicode.Cc, unicode.Cf)
			}); i >= 0 {
				t.Fatalf("%s of %q is %q", name, text, got)
			}
		}
		if once := Text(text); Text(once) != once {
			t.Fatalf("%q is not plain yet", once)
		}
		encoded, err := json.Marshal(text)
		if err != nil {
			t.Fatal(err)
		}
		var before, after string
		made := JSON(encoded)
		if err := json.Unmarshal(made, &after); err != nil {
			t.Fatalf("%s: %v", made, err)
		}
		if err := json.Unmarshal(encoded, &before); err != nil || before != after {
			t.Fatalf("%q became %q", before, after)
		}
		if Text(string(made)) != strings.ReplaceAll(string(made), "\uFFFD", "") {
			t.Fatalf("%q holds what acts", made)
		}
	})
}
