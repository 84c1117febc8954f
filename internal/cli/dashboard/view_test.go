package dashboard

import (
	"reflect"
	"slices"
	"strings"
	"testing"
	"unicode"

	"golang.org/x/net/html"

	"github.com/vextrus/finance-rollout/internal/cli/report"
	"github.com/vextrus/finance-rollout/internal/cli/status"
)

// lies are texts that would become something else than a text, in a page, an attribute, a script or a terminal.
const lies = "<script>alert(1)</script><img src=x onerror=alert(1)>\"'`--></style></title></svg></pre></textarea>" +
	"<svg onload=alert(1)>javascript:alert(1) {{.Status}} ${1} \u2028</script>\x1b[2J\x1b]0;title\x07\u009b8m\u202egood " +
	"&lt;b&gt; &#60;script&#62;"

// deceive sets every text that can be reached from a value.
func deceive(value reflect.Value) {
	switch value.Kind() {
	case reflect.String:
		if value.CanSet() {
			value.SetString(lies)
		}
	case reflect.Pointer, reflect.Interface:
		if !value.IsNil() {
			deceive(value.Elem())
		}
	case reflect.Struct:
		for i := range value.NumField() {
			deceive(value.Field(i))
		}
	case reflect.Slice, reflect.Array:
		for i := range value.Len() {
			deceive(value.Index(i))
		}
	case reflect.Map:
		if value.Type().Elem().Kind() == reflect.String && value.Len() > 0 {
			changed := reflect.MakeMap(value.Type())
			changed.SetMapIndex(reflect.ValueOf(lies).Convert(value.Type().Key()),
				reflect.ValueOf(lies).Convert(value.Type().Elem()))
			value.Set(changed)
		}
	}
}

func written(t *testing.T, view View) (text string, root *html.Node) {
	t.Helper()
	rendered, err := view.Render()
	if err != nil {
		t.Fatal(err)
	}
	if text, err = page(rendered); err != nil {
		t.Fatal(err)
	}
	if root, err = html.Parse(strings.NewReader(text)); err != nil {
		t.Fatal(err)
	}
	return text, root
}

// elements counts the elements by name, and fails on what would run or load something.
func elements(t *testing.T, root *html.Node) map[string]int {
	t.Helper()
	count := map[string]int{}
	for node := range root.Descendants() {
		if node.Type != html.ElementNode {
			continue
		}
		count[node.Data]++
		for _, attribute := range node.Attr {
			value := strings.TrimSpace(attribute.Val)
			local := strings.HasPrefix(value, "#") || value == "data:,"
			switch {
			case strings.HasPrefix(attribute.Key, "on"), attribute.Key == "src", attribute.Key == "style",
				attribute.Key == "href" && !local:
				t.Errorf("<%s %s=%q>", node.Data, attribute.Key, attribute.Val)
			}
		}
	}
	return count
}

// Whatever a pod, a server or a person writes into any field stays a text.
func TestNoTextActs(t *testing.T) {
	_, honest := written(t, full())
	want := elements(t, honest)
	view := full()
	deceive(reflect.ValueOf(&view).Elem())
	// Of these the texts choose between the parts of the page.
	view.Charts.Value.Panels = full().Charts.Value.Panels
	for i := range view.Charts.Value.Panels {
		view.Charts.Value.Panels[i].Title = lies
	}
	view.Charts.Value.Marks[0].Tone = report.Plain
	text, root := written(t, view)
	got := elements(t, root)
	for name, number := range got {
		if number != want[name] && !slices.Contains([]string{"p", "line", "text", "g"}, name) {
			t.Errorf("%d elements <%s>, %d without the texts", number, name, want[name])
		}
	}
	if got["script"] != 1 || got["style"] != 1 || got["img"] != 0 {
		t.Errorf("elements %v", got)
	}
	if strings.Count(text, "&lt;script&gt;alert(1)") < 30 {
		t.Error("the texts do not stand for themselves")
	}
	if i := strings.IndexFunc(text, func(r rune) bool {
		return unicode.IsControl(r) && r != '\n' || r == '\u202e' || r == '\u2028'
	}); i >= 0 {
		t.Errorf("a character acts: %q", text[max(0, i-60):min(len(text), i+20)])
	}
}

// The page holds all that it needs, and its policy allows just that.
func TestThePageIsSelfContained(t *testing.T) {
	_, root := written(t, full())
	for node := range root.Descendants() {
		if node.Type != html.ElementNode || node.FirstChild == nil {
			continue
		}
		switch node.Data {
		case "script", "style":
			if source := hash(node.FirstChild.Data); !strings.Contains(policy, "'"+source+"'") {
				t.Errorf("the policy does not allow the %s of the page", node.Data)
			}
		}
	}
	if strings.Contains(style, "url(") || strings.Contains(style, "@import") || strings.Contains(policy, "unsafe") {
		t.Error("the page loads something, or the policy allows anything")
	}
}

// Each section shows its part of the view.
func TestTheSections(t *testing.T) {
	for name, tt := range map[string]struct {
		change func(*View)
		id     string
		want   []string
		not    string
	}{
		"phase": {func(*View) {}, "summary",
			[]string{"soaking", "v2 soaks at 10 %", "finance-service-stable has 8 pods"}, ""},
		"stale": {func(*View) {}, "summary",
			[]string{"does not answer since 2026-03-03 16:12:00 UTC", "connection refused"}, ""},
		"not stale":   {func(v *View) { v.Stale = "" }, "summary", []string{"soaking"}, "does not answer"},
		"weights":     {func(*View) {}, "weight", []string{"9.6 %", "of 3,012 requests in 5m", "finance-service-v2"}, ""},
		"no requests": {func(v *View) { v.Status.Weight.Measured = nil }, "weight", []string{"no requests"}, ""},
		"single": {func(v *View) { v.Status.Phase = status.PhaseSingle }, "weight",
			[]string{"finance-service-stable"}, "Asked"},
		"soak": {func(*View) {}, "soak",
			[]string{`value="62"`, "30 h 0 min of 48 h 0 min watched", "between 0.28 % and 0.51 %", `class="band"`,
				"target 0.5 %", "rollback 1 %", "1,200 more"}, ""},
		"no soak": {func(v *View) { v.Status.Soak = nil }, "soak", []string{"No stage soaks."}, "band"},
		"charts": {func(*View) {}, "charts",
			[]string{"panel 0", "panel 2", "too many series", `class="line canary"`, `class="line stable"`}, ""},
		"no charts": {func(v *View) { v.Charts = Part[report.Section]{Problem: "no server"} }, "charts",
			[]string{"Not read: no server"}, "svg"},
		"watch": {func(*View) {}, "watch",
			[]string{"CanaryLatencyHigh (warning)", "engaged", "calendar closed", "lifted (hotfix)",
				"x2 active; 2 ready", "offence 1", "anna@desk"}, "none firing"},
		"guard gone": {func(v *View) { v.Status.Guard.Leader = "" }, "watch",
			[]string{`class="bad">2 ready, none active`}, ""},
		"ledger": {func(*View) {}, "ledger", []string{"guard/x2", "inconclusive", "2026-03-03 15:12:00"}, ""},
		"evidence": {func(*View) {}, "evidence",
			[]string{"20 of 168 requests failed", "panic: no ledger", "BackOff", "Not kept: log of x",
				"Not read: forbidden"}, ""},
		"none": {func(v *View) { v.Evidence.Value = nil }, "evidence", []string{"No canary was rolled back."}, ""},
		"forecast": {func(*View) {}, "forecast",
			[]string{"40 simulated", "false rollback", "Not read: cannot be decided"}, ""},
		"before":       {func(v *View) { *v = View{} }, "summary", []string{"Nothing has been read yet."}, ""},
		"before, soak": {func(v *View) { *v = View{} }, "soak", []string{"Nothing has been read yet."}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			view := full()
			tt.change(&view)
			rendered, err := view.Render()
			if err != nil {
				t.Fatal(err)
			}
			for _, word := range tt.want {
				if !strings.Contains(rendered[tt.id], word) {
					t.Errorf("%q is missing:\n%s", word, rendered[tt.id])
				}
			}
			if tt.not != "" && strings.Contains(rendered[tt.id], tt.not) {
				t.Errorf("%q is there:\n%s", tt.not, rendered[tt.id])
			}
		})
	}
}

// The band of a criterion narrows from left to right.
func TestTheBandNarrows(t *testing.T) {
	list := bands(soaking().Soak, now)
	if len(list) != 3 || !list[0].Drawn || !list[1].Drawn || list[2].Drawn {
		t.Fatalf("%+v", list)
	}
	corners := strings.Fields(list[0].Plot.Band)
	if len(corners) != 62 || corners[0] == corners[61] || len(list[0].Plot.Limits) != 2 {
		t.Errorf("%d corners, limits %v: %s", len(corners), list[0].Plot.Limits, list[0].Plot.Band)
	}
}
