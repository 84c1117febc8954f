package guard

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

// Prometheus' answers to the guard are bounded for every client: a canary with ever new labels must not kill its guard.
func TestAnAnswerThatNeverEndsIsAnError(t *testing.T) {
	page := strings.Repeat(`{"metric":{"user":"x"},"values":[]},`, 1000)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, err := w.Write([]byte(`{"status":"success","data":{"resultType":"matrix","result":[`))
		for err == nil && r.Context().Err() == nil {
			_, err = w.Write([]byte(page))
		}
	}))
	defer server.Close()
	for name, client := range map[string]*http.Client{"with a transport": server.Client(), "without": {}} {
		g := &Guard{options: Options{Reach: func(string, string) (*http.Client, string, error) {
			return client, server.URL, nil
		}}}
		asked, err := g.prometheus("monitoring/prometheus:9090")
		if err != nil {
			t.Fatal(err)
		}
		if _, err := asked.Samples(t.Context(), "http_requests_total", time.Unix(0, 0), time.Unix(60, 0)); err == nil ||
			!strings.Contains(err.Error(), "longer than 32 MiB") {
			t.Errorf("%s: %v", name, err)
		}
	}
}
