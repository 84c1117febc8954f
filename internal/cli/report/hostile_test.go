package report

import (
	"slices"
	"strings"
	"testing"
	"time"
	"unicode"

	"golang.org/x/net/html"

	"github.com/vextrus/finance-rollout/internal/gate"
	"github.com/vextrus/finance-rollout/internal/ledger"
	"github.com/vextrus/finance-rollout/internal/testkit/render"
)

// lies are texts that would become something else than a text: in Markdown, in HTML, or in a terminal.
const lies = "<script>alert(1)</script> <img src=x onerror=alert(1)> </style></td></svg> [x](javascript:alert(1)) " +
	"![x](https://evil.example/x.png) " +
	"@octocat www.evil.example https://evil.example `code` *b* _i_ ~~s~~ | cell | \n# heading\n- [x] " +
	"done\n\x1b[2J\x1b]0;title\x07\u009b8m\u202egood &lt;b&gt; {{.Outcome}}"

// deceived is a report in which everything that comes from a pod, a server or a person is such a text.
func deceived(t *testing.T) *Report {
	t.Helper()
	entries := story()
	for i := range entries {
		entries[i].Who, entries[i].Reason, entries[i].Link = lies, lies, lies
		for j := range entries[i].Numbers {
			entries[i].Numbers[j].Name, entries[i].Numbers[j].Verdict = lies, lies
		}
	}
	in := charted(input(t, entries, "week1", after(80*time.Hour)))
	// The ledger sanitizes its texts when it writes them; a report must not rely on it.
	in.Entries = entries
	for i := range in.Entries {
		in.Entries[i].Seq = i + 1
	}
	in.App, in.Stack, in.Environment, in.Namespace, in.DashboardURL, in.RunbookURL = lies, lies, lies, lies, lies, lies
	in.Missing = []string{lies}
	for i := range in.Sections {
		in.Sections[i].Title = lies
		for j := range in.Sections[i].Panels {
			in.Sections[i].Panels[j].Title = lies
			in.Sections[i].Panels[j].Limits = []Limit{{0.1, lies}}
		}
	}
	return build(t, in)
}

func TestNothingInAReportActsInMarkdown(t *testing.T) {
	document := deceived(t).Markdown()
	root := render.Markdown(t, document)
	allowed := strings.Fields("h1 h2 p table thead tbody tr th td strong code ul li input")
	for _, element := range render.Elements(root) {
		if !slices.Contains(allowed, element) {
			t.Errorf("the report renders <%s>", element)
		}
	}
	honest := render.Markdown(t, build(t, charted(input(t, story(), "week1", after(80*time.Hour)))).Markdown())
	for _, name := range []string{"h1", "h2", "table", "input"} {
		if got, want := len(all(root, name)), len(all(honest, name)); got != want {
			t.Errorf("%d elements %s, %d without the texts", got, name, want)
		}
	}
	if text := render.Text(root); !strings.Contains(text, "<script>alert(1)</script> <img src=x onerror=alert(1)>") {
		t.Error("the texts do not stand for themselves")
	}
	if strings.Contains(document, "@octocat") {
		t.Error("the report mentions somebody")
	}
	if i := strings.IndexFunc(document, func(r rune) bool {
		return unicode.IsControl(r) && r != '\n' || r == '\u202e'
	}); i >= 0 {
		t.Errorf("a terminal would act on %q", document[i:min(len(document), i+20)])
	}
}

func TestNothingInAReportActsInHTML(t *testing.T) {
	root := parsed(t, deceived(t))
	for _, name := range []string{"script", "img", "iframe", "object", "embed", "link", "form", "base"} {
		if nodes := all(root, name); len(nodes) > 0 {
			t.Errorf("%d elements %s", len(nodes), name)
		}
	}
	for node := range root.Descendants() {
		if node.Type != html.ElementNode {
			continue
		}
		for _, attribute := range node.Attr {
			if strings.HasPrefix(attribute.Key, "on") || attribute.Key == "src" ||
				strings.HasPrefix(strings.TrimSpace(attribute.Val), "javascript:") {
				t.Errorf("<%s %s=%q>", node.Data, attribute.Key, attribute.Val)
			}
		}
	}
	honest := parsed(t, build(t, charted(input(t, story(), "week1", after(80*time.Hour)))))
	for _, name := range []string{"style", "svg", "h1", "h2", "table"} {
		if got, want := len(all(root, name)), len(all(honest, name)); got != want {
			t.Errorf("%d elements %s, %d without the texts", got, name, want)
		}
	}
}

// The texts in a ledger are tame already.
func TestALedgerTakesNoControlCharacters(t *testing.T) {
	entries := story()[:2]
	entries[1].Kind, entries[1].Release, entries[1].Reason = ledger.ShiftBegun, "week1", lies
	entries[1].Numbers = []ledger.Number{{Name: lies, Verdict: string(gate.Pass)}}
	for _, entry := range ledgerOf(t, entries...).Entries() {
		if strings.ContainsAny(entry.Reason, "\x1b\x07\n\u009b\u202e") {
			t.Errorf("reason %q", entry.Reason)
		}
		for _, number := range entry.Numbers {
			if strings.ContainsAny(number.Name, "\x1b\x07\n\u009b\u202e") {
				t.Errorf("number %q", number.Name)
			}
		}
	}
}
