package jsonvalue

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

func TestNumber(t *testing.T) {
	for name, tt := range map[string]struct {
		answer, field string
		want          float64
		problem       string
	}{
		"a number":             {answer: `{"value":0.25}`, field: "value", want: 0.25},
		"a text":               {answer: `{"data":{"result":[{"value":[1700000000,"0.25"]}]}}`, field: ".data.result[0].value[1]", want: 0.25},
		"the last point":       {answer: `{"series":[{"pointlist":[[1,0.1],[2,0.3]]}]}`, field: ".series[0].pointlist[-1][1]", want: 0.3},
		"by a filter":          {answer: `{"r":[{"id":"a","v":[1]},{"id":"b","v":[2]}]}`, field: `.r[?(@.id=="b")].v[0]`, want: 2},
		"zero":                 {answer: `{"value":0}`, field: ".value", want: 0},
		"no field":             {answer: `{"other":1}`, field: ".value", problem: "no field .value"},
		"nothing measured":     {answer: `{"series":[]}`, field: ".series[0].value", problem: ".series[0].value"},
		"null":                 {answer: `{"value":null}`, field: ".value", problem: "holds no number"},
		"a word":               {answer: `{"value":"many"}`, field: ".value", problem: "holds no number"},
		"not a number at all":  {answer: `{"value":"NaN"}`, field: ".value", problem: "holds no number"},
		"an object":            {answer: `{"value":{"a":1}}`, field: ".value", problem: "holds no number"},
		"two":                  {answer: `{"value":[1,2]}`, field: ".value", problem: "2 values instead of one"},
		"a filter that is not": {answer: `{"r":[{"id":"a","v":1}]}`, field: `.r[?(@.id=="b")].v`, problem: "0 values instead of one"},
		"no path":              {answer: `{}`, field: ".[", problem: "unterminated"},
	} {
		t.Run(name, func(t *testing.T) {
			var answer any
			if err := json.Unmarshal([]byte(tt.answer), &answer); err != nil {
				t.Fatal(err)
			}
			got, err := Number(tt.field, answer)
			if tt.problem == "" && (err != nil || got != tt.want) {
				t.Errorf("%v, %v; want %v", got, err, tt.want)
			}
			if tt.problem != "" && (err == nil || !strings.Contains(err.Error(), tt.problem)) {
				t.Errorf("%v, %v; want %s", got, err, tt.problem)
			}
		})
	}
}

// What is asked arrives, and what fails is said without a word of the address or the answer.
func TestFetch(t *testing.T) {
	const secret = "s3cr3t-k8Ro2pQz77"
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			t.Error(err)
		}
		switch r.URL.Path {
		case "/ok":
			fmt.Fprintf(w, `{"method":%q,"body":%q,"type":%q}`, r.Method, body, r.Header.Get("Content-Type"))
		case "/redirect":
			http.Redirect(w, r, "/ok", http.StatusFound)
		case "/refused":
			w.WriteHeader(http.StatusForbidden)
			fmt.Fprint(w, secret)
		case "/text":
			fmt.Fprint(w, secret)
		case "/large":
			fmt.Fprint(w, `"`+strings.Repeat("a", mostBytes)+`"`)
		case "/slow":
			<-r.Context().Done()
		}
	}))
	defer server.Close()
	answer, err := Fetch(t.Context(), nil, Request{Method: "POST", URL: server.URL + "/ok", Body: `{"a":1}`})
	want := map[string]any{"method": "POST", "body": `{"a":1}`, "type": "application/json"}
	if fmt.Sprint(answer) != fmt.Sprint(want) || err != nil {
		t.Errorf("%v, %v; want %v", answer, err, want)
	}
	if answer, err := Fetch(t.Context(), nil, Request{URL: server.URL + "/ok"}); err != nil ||
		!strings.Contains(fmt.Sprint(answer), "method:GET") {
		t.Errorf("%v, %v", answer, err)
	}
	for path, problem := range map[string]string{
		"/redirect": "302 Found", "/refused": "403 Forbidden", "/text": "no JSON", "/large": "larger than",
		"/slow": "no answer within",
	} {
		ctx, cancel := context.WithTimeoutCause(t.Context(), 300*time.Millisecond, fmt.Errorf("no answer within 300ms"))
		_, err := Fetch(ctx, nil, Request{URL: server.URL + path + "?key=" + secret})
		cancel()
		if err == nil || !strings.Contains(err.Error(), problem) || strings.Contains(err.Error(), secret) {
			t.Errorf("%s: %v; want %s", path, err, problem)
		}
	}
	server.Close()
	if _, err := Fetch(t.Context(), nil, Request{URL: server.URL + "/ok?key=" + secret}); err == nil ||
		strings.Contains(err.Error(), secret) {
		t.Errorf("a server that is gone: %v", err)
	}
}
