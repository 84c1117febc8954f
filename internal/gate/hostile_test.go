package gate

import (
	"fmt"
	"io"
	"math"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/api"
	"github.com/prometheus/common/model"
)

// A bucket that counts nothing countable is an error: it neither rolls a canary back nor lets one through.
func TestBucketsThatAreNoCountsAreErrors(t *testing.T) {
	for _, value := range []float64{math.NaN(), math.Inf(1), math.Inf(-1), -1, 0.5, 1e300} {
		matrix := model.Matrix{
			series("le=+Inf", 0, 100, 200), {Metric: model.Metric{"le": "0.5"}, Values: []model.SamplePair{{Timestamp: 1, Value: model.SampleValue(value)}}},
		}
		if n, k, err := latencyCounts(matrix, t0, 5e8, 1e9); err == nil || !strings.Contains(err.Error(), "whole numbers") {
			t.Errorf("%v: %d of %d, %v", value, k, n, err)
		}
	}
}

// Names that would end the string they are put into are quoted in double quotes, and refused for the strings that have no escapes.
func TestNamesStayWithinTheirString(t *testing.T) {
	query := `max(up{release="$release"}) or max(up{release='$release'})`
	for _, release := range []string{"week1' or vector(1) or '", "week1` or vector(1)", "\xff"} {
		asked := ""
		got := QueryCriterion{Name: "up", Query: query, Limit: 0, Direction: Above}.Evaluate(t.Context(), answers{value: vector(1), asked: &asked}, Rollout{Release: release}, window)
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

// What a label or a server says stands in a reason, and acts on no terminal.
func TestReasonsArePlain(t *testing.T) {
	got := Result{}.is(Error, "prometheus says %s", "\x1b[2J\x1b]0;title\x07no\u202e")
	if got.Reason != "prometheus says [2J]0;titleno" {
		t.Errorf("%q", got.Reason)
	}
}

// An answer with a million series is not read to its end, and says what to do; one just within the bound is.
func TestAnAnswerWithoutEndIsAnError(t *testing.T) {
	sent := 0
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(w, `{"status":"success","data":{"resultType":"matrix","result":[`)
		for sent = range 1_000_000 {
			_, err := fmt.Fprintf(w, `{"metric":{"__name__":"http_requests_total","user":"somebody %d"},"values":[[1767600000,"1"],[1767600015,"2"]]},`, sent)
			if err != nil {
				return
			}
		}
		_, _ = io.WriteString(w, `{}]}}`)
	}))
	defer server.Close()
	client, err := api.NewClient(api.Config{Address: server.URL, RoundTripper: Bounded(api.DefaultRoundTripper)})
	if err != nil {
		t.Fatal(err)
	}
	_, err = NewPrometheus(client).Samples(t.Context(), "http_requests_total", t0, t0.Add(step))
	wantError(t, err, "longer than 32 MiB", "metrics.selector")
	if sent > 900_000 {
		t.Errorf("%d series were read", sent)
	}
}

func TestBoundsAreExact(t *testing.T) {
	for length, ok := range map[int]bool{0: true, 9: true, 10: true, 11: false, 4000: false} {
		body := &boundedBody{ReadCloser: io.NopCloser(strings.NewReader(strings.Repeat("x", length))), left: 10, most: 10}
		if got, err := io.ReadAll(body); (err == nil) != ok || ok && len(got) != length || len(got) > 10 {
			t.Errorf("%d bytes: %d are read, %v", length, len(got), err)
		}
	}
}
