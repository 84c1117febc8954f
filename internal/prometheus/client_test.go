package prometheus

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/api"

	"github.com/vextrus/finance-rollout/internal/testkit"
)

var t0 = time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC)

// answering is a Prometheus server that gives one recorded answer; the values are those of the last request.
func answering(t *testing.T, status int, body string) (*Client, *url.Values) {
	t.Helper()
	var asked url.Values
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if err := r.ParseForm(); err != nil {
			t.Error(err)
		}
		asked = r.Form
		asked.Set("path", r.URL.Path)
		w.WriteHeader(status)
		_, _ = io.WriteString(w, body)
	}))
	t.Cleanup(server.Close)
	return connect(t, server.URL+"/prefix/"), &asked
}

func connect(t *testing.T, address string) *Client {
	t.Helper()
	client, err := api.NewClient(api.Config{Address: address})
	if err != nil {
		t.Fatal(err)
	}
	return New(client)
}

func TestPrometheusSamples(t *testing.T) {
	prometheus, asked := answering(t, http.StatusOK, `{"status":"success","data":{"resultType":"matrix","result":[
		{"metric":{"__name__":"http_requests_total","code":"200"},"values":[[1772442000,"10"],[1772442015.5,"12"]]}]}}`)
	got, err := prometheus.Samples(t.Context(), `http_requests_total{track="canary"}`, t0.Add(-5*time.Minute),
		t0.Add(1500*time.Millisecond))
	if err != nil {
		t.Fatal(err)
	}
	if want := `http_requests_total{code="200"} =>
10 @[1772442000]
12 @[1772442015.5]`; got.String() != want {
		t.Errorf("samples\n%s\nwant\n%s", got, want)
	}
	want := url.Values{"path": {"/prefix/api/v1/query"}, "query": {`http_requests_total{track="canary"}[5m1s500ms]`},
		"time": {"1772442001.5"}}
	if diff := cmp.Diff(want, *asked); diff != "" {
		t.Errorf("asked (-want +got)\n%s", diff)
	}
}

func TestPrometheusLabelValues(t *testing.T) {
	prometheus, asked := answering(t, http.StatusOK, `{"status":"success","data":["stable","canary"]}`)
	got, err := prometheus.LabelValues(t.Context(), "track", "http_requests_total", t0, t0.Add(time.Minute))
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"stable", "canary"}, got); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
	want := url.Values{"path": {"/prefix/api/v1/label/track/values"}, "match[]": {"http_requests_total"},
		"start": {"1772442000"}, "end": {"1772442060"}}
	if diff := cmp.Diff(want, *asked); diff != "" {
		t.Errorf("asked (-want +got)\n%s", diff)
	}
}

func TestPrometheusErrors(t *testing.T) {
	tests := []struct {
		name   string
		status int
		body   string
		want   []string
	}{
		{"bad query", http.StatusBadRequest, `{"status":"error","errorType":"bad_data","error":"parse error"}`,
			[]string{"did not answer the query", "bad_data: parse error"}},
		{"too many samples", http.StatusUnprocessableEntity,
			`{"status":"error","errorType":"execution","error":"query processing would load too many samples"}`,
			[]string{"too many samples"}},
		{"behind a proxy that is not ready", http.StatusServiceUnavailable, "  no endpoints available\n",
			[]string{"the query: server_error: no endpoints available"}},
		{"behind the API server's proxy", http.StatusNotFound,
			`{"kind":"Status","message":"services \"nope\" not found","code":404}`,
			[]string{`client_error: services "nope" not found`}},
		{"something else entirely", http.StatusOK, `<html>hello</html>`, []string{"bad_response", "invalid character"}},
		{"a vector", http.StatusOK, `{"status":"success","data":{"resultType":"vector","result":[]}}`,
			[]string{"with a vector instead of raw samples"}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			prometheus, _ := answering(t, test.status, test.body)
			_, err := prometheus.Samples(t.Context(), "up", t0, t0.Add(time.Minute))
			testkit.WantError(t, err, append(test.want, "prometheus at http://127.0.0.1")...)
		})
	}
}

func TestPrometheusUnreachable(t *testing.T) {
	server := httptest.NewServer(http.NotFoundHandler())
	server.Close()
	_, err := connect(t, strings.Replace(server.URL, "http://", "http://user:secret@", 1)).LabelValues(t.Context(),
		"track", "up", t0, t0)
	testkit.WantError(t, err, "user:xxxxx@127.0.0.1", "cannot be reached", "connection refused")
	if strings.Contains(err.Error(), "secret") {
		t.Errorf("error shows the password: %v", err)
	}
}

func TestPrometheusGivesUpWithItsContext(t *testing.T) {
	release := make(chan struct{})
	server := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { <-release }))
	defer server.Close()
	defer close(release)
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if _, err := connect(t, server.URL).Samples(ctx, "up", t0, t0.Add(time.Minute)); !errors.Is(err,
		context.DeadlineExceeded) {
		t.Errorf("error %v, want one for the deadline", err)
	}
}
