package gate

import (
	"math"
	"strings"
	"testing"

	"github.com/prometheus/common/model"
)

// A bucket whose value is not a count is an error: it neither rolls a canary back nor advances one.
func TestBucketsThatAreNoCountsAreErrors(t *testing.T) {
	for _, value := range []float64{math.NaN(), math.Inf(1), math.Inf(-1), -1, 0.5, 1e300} {
		matrix := model.Matrix{
			series("le=+Inf", 0, 100, 200), {Metric: model.Metric{"le": "0.5"},
				Values: []model.SamplePair{{Timestamp: 1, Value: model.SampleValue(value)}}},
		}
		if got, err := latencyCounts(matrix, t0, 5e8, 1e9); err == nil || !strings.Contains(err.Error(), "whole numbers") {
			t.Errorf("%v: %+v, %v", value, got, err)
		}
	}
}

// Names that would end the string they are put into are quoted in double quotes, and refused for the strings that
// have no escapes.
func TestNamesStayWithinTheirString(t *testing.T) {
	query := `max(up{release="$release"}) or max(up{release='$release'})`
	for _, release := range []string{"week1' or vector(1) or '", "week1` or vector(1)", "\xff"} {
		asked := ""
		criterion := QueryCriterion{Name: "up", Query: query, Limit: 0, Direction: Above}
		got := criterion.Evaluate(t.Context(), answers{value: vector(1), asked: &asked}, Rollout{Release: release}, window)
		if got.Verdict != Error || !strings.Contains(got.Reason, "$release") || asked != "" {
			t.Errorf("%q: %s, %s; asked %s", release, got.Verdict, got.Reason, asked)
		}
	}
	hostile := `x"}) or vector(0) #`
	about := Rollout{Namespace: hostile, App: hostile, Release: hostile, Deployment: hostile}
	for name, ask := range map[string]func(Asker) Result{
		"restarts": func(a Asker) Result { return Restarts(t.Context(), a, about, nil, window) },
		"alerts":   func(a Asker) Result { return Firing(t.Context(), a, about, window) },
	} {
		asked := ""
		ask(answers{value: vector(), asked: &asked})
		if rest := withoutStrings(asked); strings.ContainsAny(rest, `#"\`) || strings.Contains(rest, "vector(0)") {
			t.Errorf("%s asks %s", name, asked)
		}
	}
	increase, err := DefaultMetrics().With(map[string]string{"app": hostile}).Increase(1e9)
	if err != nil || strings.Contains(withoutStrings(increase), "vector(0)") {
		t.Errorf("asks %s, %v", increase, err)
	}
}

// withoutStrings leaves the double-quoted strings of a query out.
func withoutStrings(query string) string {
	var out strings.Builder
	quoted := false
	for i := 0; i < len(query); i++ {
		switch {
		case quoted && query[i] == '\\':
			i++
		case query[i] == '"':
			quoted = !quoted
		case !quoted:
			out.WriteByte(query[i])
		}
	}
	return out.String()
}

// Texts of labels and servers stand in a reason, and act on no terminal.
func TestReasonsArePlain(t *testing.T) {
	got := Result{}.is(Error, "prometheus says %s", "\x1b[2J\x1b]0;title\x07no\u202e")
	if got.Reason != "prometheus says no" {
		t.Errorf("%q", got.Reason)
	}
}
