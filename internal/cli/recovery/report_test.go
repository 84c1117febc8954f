package recovery

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/vextrus/finance-rollout/internal/gate"
	"github.com/vextrus/finance-rollout/internal/testkit/render"
)

// hostile is a text as a pod, a label or an answer of a server may bring along.
const hostile = "<img src=http://x/y.png> [click](http://evil) ![x](http://evil/x.png) @octocat www.evil.example a " +
	"\\| b | c\n" +
	"```\n# a heading\n- item\n\x1b[2J\u202egood </pre><script>alert(1)</script>"

func TestNothingFromOutsideActsInTheReport(t *testing.T) {
	report := &Report{
		Stack: hostile, Namespace: hostile, Who: hostile, Option: hostile, Reason: hostile, Revision: 3,
		RevisionImage: hostile,
		Canary:        Canary{Release: hostile, Image: hostile}, Began: time.Now(), Ended: time.Now(),
		Steps:    []Step{{Name: "isolate", Done: hostile, Error: hostile}, {Name: hostile}},
		Evidence: hostile, Smoke: hostile, Watch: &gate.Evaluation{}, Events: []string{"10:00 Warning ok", hostile},
		Left: []string{hostile, "- another item"},
	}
	document := report.Markdown()
	root := render.Markdown(t, document)
	allowed := strings.Fields("h1 h2 p table thead tbody tr th td strong code pre ul li")
	count := map[string]int{}
	for _, element := range render.Elements(root) {
		count[element]++
		if !slices.Contains(allowed, element) {
			t.Errorf("the report renders <%s>", element)
		}
	}
	for element, want := range map[string]int{"h1": 1, "h2": 6, "ul": 1, "li": 2, "pre": 3, "table": 2} {
		if count[element] != want {
			t.Errorf("%d elements %s, want %d:\n%s", count[element], element, want, document)
		}
	}
	if text := render.Text(root); strings.Count(text, "<img src=http://x/y.png> [click](http://evil)") != 16 {
		t.Errorf("the texts do not stand for themselves:\n%s", text)
	}
	if strings.ContainsAny(document, "\x1b\u202e") || strings.Contains(document, "@octocat") {
		t.Errorf("a terminal or a person is told something:\n%q", document)
	}
}
