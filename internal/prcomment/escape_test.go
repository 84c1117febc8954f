package prcomment

import (
	"strings"
	"testing"
	"unicode/utf8"
)

// hostile are texts as a pod, a branch or a release might bring them along. internal/markdown tests how each of them is
// escaped.
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

func TestTextsAreCutAfterTheyAreRedacted(t *testing.T) {
	const text = "dial postgres://app:hunter2hunter2@db:5432/finance"
	for name, got := range map[string]string{"inline": inline(text, 25), "block": block(text, 25)} {
		if strings.Contains(got, "hunter") || !strings.Contains(got, "postgres://[redacted") || !strings.Contains(got, "…") {
			t.Errorf("%s: %q", name, got)
		}
	}
	if got := inline(strings.Repeat("x", 2*longestText), 1<<20); len(got) > longestText+2 {
		t.Errorf("%d bytes of a text are looked at", len(got))
	}
}

func FuzzInline(f *testing.F) {
	for _, text := range hostile {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		for name, got := range map[string]string{"inline": inline(text, 200), "block": block(text, 200)} {
			if strings.ContainsAny(got, "\x1b\u202e\x07") || !utf8.ValidString(got) {
				t.Errorf("%s: %q", name, got)
			}
		}
	})
}
