package report

import (
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/net/html"
	"pgregory.net/rapid"
)

// parsed is the page as a browser reads it.
func parsed(t *testing.T, r *Report) *html.Node {
	t.Helper()
	page, err := r.HTML()
	if err != nil {
		t.Fatal(err)
	}
	root, err := html.Parse(strings.NewReader(page))
	if err != nil {
		t.Fatal(err)
	}
	return root
}

// all finds the elements of a name.
func all(root *html.Node, name string) []*html.Node {
	var nodes []*html.Node
	for node := range root.Descendants() {
		if node.Type == html.ElementNode && node.Data == name {
			nodes = append(nodes, node)
		}
	}
	return nodes
}

func attribute(node *html.Node, name string) string {
	for _, attribute := range node.Attr {
		if attribute.Key == name {
			return attribute.Val
		}
	}
	return ""
}

func content(node *html.Node) string {
	var out strings.Builder
	for child := range node.Descendants() {
		if child.Type == html.TextNode {
			out.WriteString(child.Data)
		}
	}
	return out.String()
}

// The page runs nothing, loads nothing, and shows what came from outside as text.
func TestThePageIsSelfContained(t *testing.T) {
	root := parsed(t, build(t, charted(input(t, story(), "week1", after(80*time.Hour)))))
	for _, name := range []string{"script", "iframe", "object", "embed", "link", "img", "image", "use", "form", "base",
		"foreignobject"} {
		if nodes := all(root, name); len(nodes) > 0 {
			t.Errorf("%d elements %s", len(nodes), name)
		}
	}
	for node := range root.Descendants() {
		for _, attribute := range node.Attr {
			switch {
			case strings.HasPrefix(attribute.Key, "on"), attribute.Key == "src", attribute.Key == "style":
				t.Errorf("<%s %s=%q>", node.Data, attribute.Key, attribute.Val)
			case attribute.Key == "href" && node.Data != "a":
				t.Errorf("<%s href=%q>", node.Data, attribute.Val)
			}
		}
	}
	// Of the two links the one that would run something leads nowhere.
	var links []string
	for _, a := range all(root, "a") {
		links = append(links, attribute(a, "href"))
	}
	if len(links) != 2 || links[0] != "https://grafana.example/d/finance-week1" || strings.Contains(links[1], "alert") {
		t.Errorf("links %q", links)
	}
	if styles := content(all(root, "style")[0]); strings.Contains(styles, "url(") || strings.Contains(styles, "@import") {
		t.Error("the style loads something")
	}
	if text := content(root); !strings.Contains(text, `<script>alert("x")</script> & [link](https://evil.example)`) {
		t.Error("the reason is not shown as it was given")
	}
}

// Each chart names itself, stays within its frame, and has a line for each track, broken where there is nothing.
func TestTheChartsAreDrawn(t *testing.T) {
	r := build(t, charted(input(t, story(), "week1", after(80*time.Hour))))
	root := parsed(t, r)
	charts := all(root, "svg")
	if len(charts) != 3 {
		t.Fatalf("%d charts", len(charts))
	}
	ids := map[string]bool{}
	for _, chart := range charts {
		labels := strings.Fields(attribute(chart, "aria-labelledby"))
		titles := all(chart, "title")
		if len(labels) != 2 || len(titles) != 1 || attribute(titles[0], "id") != labels[0] || ids[labels[0]] {
			t.Errorf("labels %q of %d titles, twice: %v", labels, len(titles), ids[labels[0]])
		}
		ids[labels[0]] = true
		pieces := map[string]int{}
		for _, polyline := range all(chart, "polyline") {
			pieces[attribute(polyline, "class")]++
			inFrame(t, attribute(polyline, "points"))
		}
		// The canary has two gaps: one of four hours, and one of a single point, which is bridged.
		if pieces["line canary"] != 2 || pieces["line stable"] != 1 {
			t.Errorf("pieces %v", pieces)
		}
		marks := 0
		for _, line := range all(chart, "line") {
			if strings.HasPrefix(attribute(line, "class"), "mark") {
				marks++
			}
		}
		if marks != 5 {
			t.Errorf("%d marks", marks)
		}
	}
	if description := content(all(charts[1], "desc")[0]); !strings.Contains(description,
		"canary at most 33 %, stable at most 0.1 %") {
		t.Errorf("description %q", description)
	}
}

func inFrame(t *testing.T, points string) {
	t.Helper()
	for _, pair := range strings.Fields(points) {
		x, y, _ := strings.Cut(pair, ",")
		px, errX := strconv.ParseFloat(x, 64)
		py, errY := strconv.ParseFloat(y, 64)
		if errX != nil || errY != nil || px < left || px > plotRight || py < top || py > plotBottom {
			t.Fatalf("point %s is out of the frame", pair)
		}
	}
}

func TestNothingToDraw(t *testing.T) {
	in := input(t, story(), "week1", after(80*time.Hour))
	in.Sections = []Section{{Title: "soak", Start: after(0), End: after(time.Hour), Step: time.Minute,
		Panels: Question{}.panels()}}
	in.Missing = []string{"Prometheus: connection refused"}
	text := content(parsed(t, build(t, in)))
	if strings.Count(text, "Prometheus has nothing of this time.") != 3 ||
		!strings.Contains(text, "Not read: Prometheus: connection refused") {
		t.Errorf("%s", text)
	}
}

// Whatever the numbers, what is drawn lies in the frame, and the axes are labelled in order.
func TestPlotsStayInTheirFrame(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		length := time.Duration(rapid.Int64Range(1, int64(40*24*time.Hour)).Draw(rt, "length"))
		section := Section{Start: monday, End: monday.Add(max(length, time.Second)), Step: time.Minute}
		panel := Panel{Title: "x", Unit: rapid.SampledFrom([]Unit{PerSecond, Share, Seconds}).Draw(rt, "unit"),
			Limits: []Limit{{0.5, "limit"}}}
		for range rapid.IntRange(0, 30).Draw(rt, "points") {
			at := section.Start.Add(time.Duration(rapid.Int64Range(0, int64(section.End.Sub(section.Start))).Draw(rt, "at")))
			panel.Canary = append(panel.Canary, Point{at, rapid.Float64Range(0, 1e9).Draw(rt, "value")})
		}
		for _, point := range panel.Canary {
			panel.Bounds = append(panel.Bounds, Bound{point.Time, point.Value * 0.5, point.Value * 2})
		}
		p := section.Draw("id", panel)
		inFrame(t, p.Band)
		for _, line := range p.Lines {
			for _, piece := range line.Pieces {
				inFrame(t, piece)
			}
			for _, dot := range line.Dots {
				inFrame(t, dot.X+","+dot.Y)
			}
		}
		if len(p.ValueTicks) < 2 || len(p.ValueTicks) > 7 || len(p.TimeTicks) > mostTimeTicks+2 {
			rt.Fatalf("%d ticks of values, %d of time", len(p.ValueTicks), len(p.TimeTicks))
		}
		for i := 1; i < len(p.ValueTicks); i++ {
			if p.ValueTicks[i].Label == p.ValueTicks[i-1].Label {
				rt.Fatalf("two ticks are labelled %s", p.ValueTicks[i].Label)
			}
		}
	})
}

func TestPrint(t *testing.T) {
	for _, tt := range []struct {
		unit  Unit
		value float64
		want  string
	}{
		{Share, 0.005, "0.5 %"}, {Share, 0, "0 %"}, {Share, 1, "100 %"}, {Share, 0.123456, "12.3 %"},
		{Share, 0.00004, "0.004 %"},
		{Seconds, 0.25, "250 ms"}, {Seconds, 1.5, "1.5 s"}, {Seconds, 0.0004, "0.4 ms"}, {PerSecond, 1234, "1230/s"},
		{PerSecond, 0.1, "0.1/s"},
	} {
		if got := tt.unit.print(tt.value); got != tt.want {
			t.Errorf("%v of %s is %q, want %q", tt.value, tt.unit, got, tt.want)
		}
	}
}
