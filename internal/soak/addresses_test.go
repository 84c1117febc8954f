package soak

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/vextrus/finance-rollout/internal/gate"
)

// datadog and cloudwatch are answers in the shapes that docs/metrics.md works with.
const (
	datadog = `{"status":"ok","series":[{"metric":"trace.http.request.errors","unit":null,"pointlist":` +
		`[[1764000000000.0,0.004],[1764000060000.0,0.002]],"scope":"service:orders,version:v2"}]}`
	cloudwatch = `{"Messages":[],"MetricDataResults":[{"Id":"requests","Label":"Requests","Values":[1000.0],"StatusCode":"Complete"},` +
		`{"Id":"errors","Label":"Errors","Values":[2.0,9.0],"StatusCode":"Complete"}]}`
)

func TestTheWorkedExamplesAreJudged(t *testing.T) {
	var asked []string
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked = append(asked, r.Method+" "+r.URL.String()+" "+r.Header.Get("DD-API-KEY"))
		switch r.URL.Path {
		case "/api/v1/query":
			fmt.Fprint(w, datadog)
		case "/":
			fmt.Fprint(w, cloudwatch)
		default:
			w.WriteHeader(http.StatusForbidden)
		}
	}))
	defer server.Close()
	logins := func(name string) (*http.Client, error) {
		if name != "key" {
			return &http.Client{}, nil
		}
		return &http.Client{Transport: keyed{}}, nil
	}
	asker := WithAddresses(nil, logins)
	window := gate.Window{Start: time.Unix(1764000000, 0), End: time.Unix(1764000060, 0)}
	for name, tt := range map[string]struct {
		address gate.Address
		verdict gate.Verdict
		reason  string
	}{
		"datadog": {gate.Address{URL: server.URL + "/api/v1/query?from=$start&to=$end", Login: "key",
			Field: ".series[0].pointlist[-1][1]"}, gate.Pass, "0.002 is below 0.01"},
		"cloudwatch": {gate.Address{URL: server.URL + "/", Method: "POST", Body: `{"EndTime":$end}`,
			Field: `.MetricDataResults[?(@.Id=="errors")].Values[0]`}, gate.Inconclusive, "2 is not below 0.01"},
		"refused": {gate.Address{URL: server.URL + "/other", Field: ".v"}, gate.Error, "it answers 403 Forbidden"},
	} {
		t.Run(name, func(t *testing.T) {
			criterion := gate.QueryCriterion{Name: name, Limit: 0.01, Direction: gate.Below, Address: &tt.address}
			result := criterion.Evaluate(t.Context(), asker, gate.Rollout{Release: "v2"}, window)
			if result.Verdict != tt.verdict || !strings.Contains(result.Reason, tt.reason) {
				t.Errorf("%s: %s", result.Verdict, result.Reason)
			}
		})
	}
	all := strings.Join(asked, "\n")
	if !strings.Contains(all, "GET /api/v1/query?from=1764000000&to=1764000060 k8Ro-2pQz") || !strings.Contains(all,
		"POST / ") {
		t.Errorf("asked\n%s", all)
	}
}

// keyed sends a key.
type keyed struct{}

func (keyed) RoundTrip(request *http.Request) (*http.Response, error) {
	request = request.Clone(request.Context())
	request.Header.Set("DD-API-KEY", "k8Ro-2pQz")
	return http.DefaultTransport.RoundTrip(request)
}

// A server that hangs ends the look at this criterion and not the whole one.
func TestAnAddressThatHangsIsAnError(t *testing.T) {
	release := make(chan struct{})
	server := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { <-release }))
	defer server.Close()
	defer close(release)
	asker := addresses{client: func(string) (*http.Client, error) {
		return &http.Client{Timeout: 50 * time.Millisecond}, nil
	}}
	_, err := asker.Tell(t.Context(), gate.Address{URL: server.URL, Field: ".v"})
	if err == nil || strings.Contains(err.Error(), server.URL) {
		t.Errorf("error %v", err)
	}
}
