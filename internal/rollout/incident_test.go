package rollout

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/vextrus/finance-rollout/internal/ledger"
	"github.com/vextrus/finance-rollout/internal/plan"
)

func TestAnEndpointHolds(t *testing.T) {
	for name, tt := range map[string]struct {
		field, closed, answer string
		status                int
		want                  []string
	}{
		"a status page that is quiet": {".status.indicator", `["none"]`, `{"status":{"indicator":"none"}}`, 200, nil},
		"a status page that is not":   {".status.indicator", `["none"]`, `{"status":{"indicator":"major"}}`, 200, []string{"open incident", ".status.indicator is major since an unknown time"}},
		"without braces and dot":      {"status.indicator", `["none"]`, `{"status":{"indicator":"minor"}}`, 200, []string{"is minor"}},
		"a switch off":                {"open", `[]`, `{"open":false}`, 200, nil},
		"a switch on":                 {"open", `[]`, `{"open":true}`, 200, []string{"open is true"}},
		"no number":                   {"open", `[]`, `{"open":0}`, 200, nil},
		"a number":                    {"open", `[]`, `{"open":2}`, 200, []string{"open is 2"}},
		"no text":                     {"open", `[]`, `{"open":" "}`, 200, nil},
		"null":                        {"open", `[]`, `{"open":null}`, 200, nil},
		"an empty list":               {"incidents", `[]`, `{"incidents":[]}`, 200, nil},
		"a list":                      {"incidents", `[]`, `{"incidents":[{"name":"cards"},{"id":"INC-7"}]}`, 200, []string{"is cards", "is INC-7"}},
		"a list of what is over":      {"incidents[*].status", `["resolved"]`, `{"incidents":[{"status":"resolved"}]}`, 200, nil},
		"a filter that nothing meets": {`incidents[?(@.severity=="high")].name`, `[]`, `{"incidents":[{"severity":"low","name":"x"}]}`, 200, nil},
		"a filter that something meets": {`{.incidents[?(@.severity=="high")].name}`, `[]`,
			`{"incidents":[{"severity":"high","name":"x\u001b[31m"}]}`, 200, []string{"is x since"}},
		"a list of nothing": {"incidents[*].status", `["resolved"]`, `{"incidents":[]}`, 200, nil},
		"a filter of what is missing": {`incidents[?(@.severity=="high")].name`, `[]`, `{"page":{}}`, 200,
			[]string{"no evidence", "no field incidents"}},
		// Whether the first one is high is not known.
		"a filter by a field that some have": {`incidents[?(@.severity=="high")].name`, `[]`,
			`{"incidents":[{"name":"y"},{"severity":"high","name":"x"}]}`, 200, []string{"no evidence"}},
		"the answer itself":    {"$", `[]`, `[]`, 200, nil},
		"no such field":        {"status.indicator", `[]`, `{"page":{}}`, 200, []string{"no evidence: open incidents are not known", "no field status.indicator"}},
		"no JSON":              {"open", `[]`, `<html>`, 200, []string{"no evidence", "no JSON"}},
		"a refusal":            {"open", `[]`, `{"open":false}`, 503, []string{"no evidence", "503"}},
		"another address":      {"open", `[]`, `{"open":false}`, 302, []string{"no evidence", "302"}},
		"an answer too large":  {"open", `[]`, `{"open":false,"x":"` + strings.Repeat("x", mostFileBytes) + `"}`, 200, []string{"larger than"}},
		"a text without limit": {"open", `[]`, `{"open":"` + strings.Repeat("x", 5000) + `"}`, 200, []string{"xxx…"}},
	} {
		t.Run(name, func(t *testing.T) {
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("Location", "/elsewhere")
				w.WriteHeader(tt.status)
				fmt.Fprint(w, tt.answer)
			}))
			defer server.Close()
			r, _ := held(t, map[string]string{"incidents": fmt.Sprintf(`{"endpoint":{"url":%q,"field":%q,"closed":%s}}`,
				server.URL+"/api", tt.field, tt.closed)})
			got := text(r.Holds(t.Context(), ledger.State{}, plan.Move{Kind: plan.Advance}, imageA))
			wants(t, got, tt.want)
			if len(got) > 1000 {
				t.Errorf("%d bytes are said", len(got))
			}
		})
	}
}

func TestAnEndpointThatIsNotThereHolds(t *testing.T) {
	r, _ := held(t, map[string]string{"incidents": `{"endpoint":{"url":"http://127.0.0.1:1/key/in/the/path","field":"open"}}`})
	got := text(r.Holds(t.Context(), ledger.State{}, plan.Move{Kind: plan.Enter}, imageA))
	wants(t, got, []string{"no evidence", "config incidents.endpoint at 127.0.0.1:1", "connection refused"})
	if strings.Contains(got, "in/the/path") {
		t.Errorf("the path is shown: %s", got)
	}
}
