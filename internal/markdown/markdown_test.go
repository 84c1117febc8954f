package markdown

import (
	"regexp"
	"slices"
	"strings"
	"testing"
	"unicode"

	"golang.org/x/net/html"
	"pgregory.net/rapid"

	"github.com/vextrus/finance-rollout/internal/sanitize"
	"github.com/vextrus/finance-rollout/internal/testkit/render"
)

// hostile are texts as a pod, a branch or a release might bring them along.
var hostile = []string{
	"<script>alert(1)</script>", "<img src=x onerror=alert(1)>", "</pre></code><h1>all good</h1>", "<!-- --> -->",
	"&lt;b&gt;", "&#64;octocat",
	"`code` **bold** __bold__ ~~gone~~ $x$", "[a link](https://evil.example)",
	"![a picture](https://evil.example/pixel.png)",
	"[a]: https://evil.example", "<https://evil.example>", "| a | b |\n|---|---|", `a \| b`, `a \\| b`, `\`, "a|`b|`c",
	"@octocat @org/team please merge", "vextrus/finance@sha256:0123", "a@b.example", "#1 GH-1 org/repo#1",
	"# heading\n- [x] done", "- item", "+ item", "1. item", "12) item", "===", "---", "> quote", "    indented",
	"https://evil.example", "www.evil.example", "`www.evil.example|", "wWw.evil.example", "WWW.evil.example", "ftp://evil.example", "mailto:a@b.example",
	"\\*not bold\\*", "```\nfence\n```", "~~~\nfence", "````", "``", "`", " ` ", "a `` b", "\n\n```\n# heading",
	"\x1b[31mred\x1b[0m", "\x1b]0;title\x07", "\x1b]8;;https://evil.example\x1b\\click\x1b]8;;\x1b\\", "\u009b31mred",
	"over\rwritten", "back\b\bspace", "null\x00byte", "\u202egnp.exe", "zero\u200bwidth", "tag\U000E0041", "\xff\xfe",
	"\u2028line", "$(reboot) `reboot`", "", " ", "a", "Grüße, 東京 🚀", "  two\n    lines\n\nand more\n",
}

// places are where reports and comments put a text.
var places = map[string]struct {
	write    func(string) string
	before   string
	after    string
	elements []string
}{
	"paragraph": {Text, "", "", []string{"p"}},
	"sentence":  {Text, "by ", ".", []string{"p"}},
	"item":      {Text, "- ", "", []string{"ul", "li"}},
	"heading":   {Text, "# Rollback of ", "", []string{"h1"}},
	"cell": {Text, "| a | b |\n|---|---|\n| ", " | c |", []string{"table", "thead", "tr", "th", "th", "tbody", "tr",
		"td", "td"}},
	"code": {Code, "image: ", "", []string{"p", "code"}},
	"code in a cell": {Code, "| a | b |\n|---|---|\n| ", " | c |",
		[]string{"table", "thead", "tr", "th", "th", "tbody", "tr", "td", "code", "td"}},
	"block": {Block, "before\n\n", "\nafter\n", []string{"p", "pre", "p"}},
}

// checkPlaces fails the test when a text becomes anything but itself in one of the places.
func checkPlaces(t interface {
	render.T
	Errorf(string, ...any)
}, text string) {
	t.Helper()
	for name, place := range places {
		document := place.before + place.write(text) + place.after + "\n"
		root := render.Markdown(t, document)
		elements, read := render.Elements(root), render.Text(root)
		elements = slices.DeleteFunc(elements, func(name string) bool {
			return name == "code" &&
				place.elements[1%len(place.elements)] == "pre"
		})
		want := slices.DeleteFunc(slices.Clone(place.elements), func(element string) bool {
			return blank(text) && (element == "code" || element == "p" && place.before == "")
		})
		if !slices.Equal(elements, want) {
			t.Errorf("%s of %q becomes %q with the elements %q, want %q", name, text, document, elements, want)
		}
		frame := render.Text(render.Markdown(t, place.before+"X"+place.after+"\n"))
		if got, want := squeezed(read), squeezed(strings.Replace(frame, "X", strings.TrimSpace(sanitize.Text(text)),
			1)); got != want && !unreadable(text) {
			t.Errorf("%s of %q reads %q, want %q", name, text, got, want)
		}
		for i, r := range document {
			if r != '\n' && r != '\t' && string(r) != noWidth && (unicode.IsControl(r) || unicode.Is(unicode.Cf, r)) {
				t.Errorf("%s of %q holds %U at %d", name, text, r, i)
			}
		}
		if mentions.MatchString(document) {
			t.Errorf("%s of %q mentions somebody: %q", name, text, document)
		}
	}
}

var mentions = regexp.MustCompile(`(?:^|[^\w.-])@(?:octocat|org)`)

func blank(text string) bool { return strings.TrimSpace(sanitize.Line(text)) == "" }

// unreadable tells of a text whose characters HTML itself does not keep.
func unreadable(text string) bool { return strings.ContainsAny(text, "\f\v\u0085") }

func squeezed(text string) string { return strings.Join(strings.Fields(text), " ") }

func TestHostileTextsStandForThemselves(t *testing.T) {
	for _, text := range append(hostile, strings.Join(hostile, " ")) {
		checkPlaces(t, text)
	}
}

func TestAnyTextStandsForItself(t *testing.T) {
	texts := rapid.OneOf(rapid.String(), rapid.StringOf(rapid.SampledFrom([]rune("`|\\*_[]()<>!#@~-+=1. \n&;:/wa\"'$"))))
	rapid.Check(t, func(t *rapid.T) {
		checkPlaces(t, texts.Draw(t, "text")+rapid.SampledFrom(hostile).Draw(t, "hostile"))
	})
}

// The inside of HTML cannot end it, whatever reads it.
func TestReferencesHoldNoMarkup(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		text := sanitize.Text(rapid.OneOf(rapid.String(), rapid.SampledFrom(hostile)).Draw(t, "text"))
		escaped := references(text)
		if strings.ContainsAny(escaped, "<>`*_[]()|\\~@\"'!$:") {
			t.Fatalf("%q holds markup", escaped)
		}
		for i, r := range escaped {
			if r == '#' && (i == 0 || escaped[i-1] != '&') {
				t.Fatalf("%q holds a # by itself", escaped)
			}
		}
		if back := strings.ReplaceAll(html.UnescapeString(escaped), "@"+noWidth, "@"); back != text {
			t.Fatalf("%q reads %q", text, back)
		}
	})
}

func TestWhatIsPlainStaysPlain(t *testing.T) {
	for text, want := range map[string]string{
		"soak 31 h of 48 h (65 %), by jane": "soak 31 h of 48 h (65 %), by jane",
		"finance-service-week1":             "finance-service-week1",
	} {
		if got := Text(text); got != want {
			t.Errorf("Text gives %q, want %q", got, want)
		}
	}
	if got := Code("vextrus/finance@sha256:0123"); got != "`vextrus/finance@sha256:0123`" {
		t.Errorf("Code gives %q", got)
	}
	if got := Block("one\n  two <b>\n"); got != "```\none\n  two <b>\n```\n" {
		t.Errorf("Block gives %q", got)
	}
}

func FuzzPlaces(f *testing.F) {
	for _, text := range hostile {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) { checkPlaces(t, text) })
}
