package prcomment

import (
	"html"
	"strings"
	"testing"
	"unicode"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

// hostile are texts as a pod, a branch or a release might bring them along.
var hostile = []string{
	"<script>alert(1)</script>", "<img src=x onerror=alert(1)>", "</pre></code><h1>all good</h1>", "<!-- --> -->",
	"&lt;b&gt;",
	"`code` **bold** __bold__ ~~gone~~", "[a link](https://evil.example)", "![a picture](https://evil.example/pixel.png)",
	"| a | b |\n|---|---|",
	"@octocat @org/team please merge", "#1 GH-1 org/repo#1", "# heading\n- [x] done", "https://evil.example",
	"\\*not bold\\*", "```\nfence\n```",
	"\x1b[31mred\x1b[0m", "\x1b]0;title\x07", "\x1b]8;;https://evil.example\x1b\\click\x1b]8;;\x1b\\", "\u009b31mred",
	"\x1bc", "\x1b[2J\x1b[H",
	"over\rwritten", "back\b\bspace", "null\x00byte", "\u202egnp.exe", "zero\u200bwidth", "tag\U000E0041", "\xff\xfe",
	"\u2028line", "$(reboot) `reboot`",
}

func TestHostileTextsStandForThemselves(t *testing.T) {
	for _, text := range append(hostile, strings.Join(hostile, " ")) {
		for name, escaped := range map[string]string{"inline": inline(text, 100000), "block": block(text, 100000)} {
			checkEscaped(t, name, escaped)
		}
	}
}

// checkEscaped fails the test when anything of a text could be markup, or reach a terminal.
func checkEscaped(t interface {
	Helper()
	Errorf(string, ...any)
}, name, escaped string) {
	t.Helper()
	inner := escaped
	for _, own := range []string{"<code>", "</code>", "<pre>", "</pre>"} {
		if strings.Count(inner, own) > 1 {
			t.Errorf("%s: %q holds %s more than once", name, escaped, own)
		}
		inner = strings.Replace(inner, own, "", 1)
	}
	if strings.ContainsAny(inner, "<>`*_[]()|\\~@\"'!$:") {
		t.Errorf("%s: %q holds markup", name, escaped)
	}
	for i, r := range inner {
		if r != '\n' && r != '\u200b' && (unicode.IsControl(r) || unicode.Is(unicode.Cf, r)) {
			t.Errorf("%s: %q holds %U at %d", name, escaped, r, i)
		}
		if r == '#' && (i == 0 || inner[i-1] != '&') {
			t.Errorf("%s: %q holds a # by itself", name, escaped)
		}
	}
}

func TestNothingIsLostByEscaping(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		text := rapid.OneOf(rapid.String(), rapid.SampledFrom(hostile)).Draw(t, "text")
		escaped := escape(text)
		checkEscaped(t, "escape", escaped)
		back := strings.ReplaceAll(html.UnescapeString(escaped), "@\u200b", "@")
		if diff := cmp.Diff(tame(text), back); diff != "" {
			t.Fatalf("the text reads otherwise (-want +got):\n%s", diff)
		}
		if tame(back) != back {
			t.Fatalf("taming %q again changes it to %q", back, tame(back))
		}
	})
}

func TestTame(t *testing.T) {
	for text, want := range map[string]string{
		"\x1b[1;31mred\x1b[0m text":                             "red text",
		"\x1b]0;title\x07after":                                 "after",
		"\x1b]8;;https://evil.example\x1b\\click\x1b]8;;\x1b\\": "click",
		"unfinished \x1b]0;title":                               "unfinished ",
		"\u202eabc\u202c":                                       "abc",
		"a\r\nb\rc\td":                                          "a\nb c d",
		"a\xffb":                                                "a�b",
		"größer":                                                "größer",
	} {
		if got := tame(text); got != want {
			t.Errorf("%q becomes %q, want %q", text, got, want)
		}
	}
}

func FuzzEscape(f *testing.F) {
	for _, text := range hostile {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		checkEscaped(t, "inline", inline(text, 200))
		checkEscaped(t, "block", block(text, 200))
	})
}
