package promql

import (
	"strconv"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

func TestSelector(t *testing.T) {
	tests := []struct {
		labels map[string]string
		want   string
	}{
		{nil, "up"},
		{map[string]string{"version": "week1", "track": "canary"}, `up{track="canary",version="week1"}`},
		{map[string]string{"v": `"} or vector(1) #`}, `up{v="\"} or vector(1) #"}`},
		{map[string]string{"v": "a\\b\n"}, `up{v="a\\b\n"}`},
		{map[string]string{"v": ""}, `up{v=""}`},
	}
	for _, test := range tests {
		got, err := Selector("up", test.labels)
		if err != nil || got != test.want {
			t.Errorf("Selector(up, %q) = %s, %v; want %s", test.labels, got, err, test.want)
		}
	}
}

func TestPatterns(t *testing.T) {
	labels := map[string]string{"z": "1"}
	for want, patterns := range map[string][]Matcher{
		`up{z="1",code=~"5..|429"}`:        {Matches("code", "5..|429")},
		`up{z="1",pod=~"shop\\.eu-v2-.*"}`: {PodsOf("shop.eu-v2")},
		`up{z="1",le=~"0\\.5|\\+Inf"}`:     {OneOf("le", "0.5", "+Inf")},
		`up{z="1",a=~"b",c=~"\"}"}`:        {Matches("a", "b"), Matches("c", `"}`)},
		`up{z="1",path!~"/health.*"}`:      {Matches("path", "/health.*").Not()},
	} {
		if got, err := Selector("up", labels, patterns...); err != nil || got != want {
			t.Errorf("got  %s, %v\nwant %s", got, err, want)
		}
	}
	for _, pattern := range []Matcher{
		Matches("code", "5("), Matches("a:b", "c"), Matches("", "c"), Matches("a", "\xff"), {"a", "~", "b"},
	} {
		if got, err := Selector("up", nil, pattern); err == nil {
			t.Errorf("%+v gives %s", pattern, got)
		}
	}
}

func TestSelectorRefuses(t *testing.T) {
	tests := []struct {
		metric string
		labels map[string]string
		want   []string
	}{
		{"", nil, []string{`""`, "metric name"}},
		{"up or vector(1)", nil, []string{"metric name"}},
		{"up", map[string]string{`a="b",c`: "d"}, []string{"label name"}},
		{"up", map[string]string{"": "d"}, []string{"label name"}},
		{"up", map[string]string{"__name__": "other"}, []string{"label name"}},
		{"up", map[string]string{"a": "\xff"}, []string{"UTF-8", "label a"}},
	}
	for _, test := range tests {
		_, err := Selector(test.metric, test.labels)
		for _, word := range test.want {
			if err == nil || !strings.Contains(err.Error(), word) {
				t.Errorf("%s%q: error %v does not name %q", test.metric, test.labels, err, word)
			}
		}
	}
}

// For any value, the selector is one string literal between the braces, and the literal is the value.
func TestSelectorNeverEscapes(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		value := rapid.OneOf(rapid.String(), rapid.StringOf(rapid.RuneFrom([]rune("\"\\`'{}\n,=x")))).Draw(t, "value")
		got, err := Selector("up", map[string]string{"version": value})
		if err != nil {
			t.Fatalf("refused: %v", err)
		}
		literal, ok := strings.CutPrefix(got, "up{version=")
		literal, ok2 := strings.CutSuffix(literal, "}")
		if !ok || !ok2 {
			t.Fatalf("selector is %s", got)
		}
		prefix, err := strconv.QuotedPrefix(literal)
		if err != nil || prefix != literal {
			t.Fatalf("%s goes on after the literal %s (%v)", literal, prefix, err)
		}
		if back, err := strconv.Unquote(literal); err != nil || back != value {
			t.Errorf("%s is %q, %v; want %q", literal, back, err, value)
		}
	})
}
