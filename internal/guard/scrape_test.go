package guard

import (
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/vextrus/finance-rollout/internal/gate"
)

func TestFetch(t *testing.T) {
	tests := []struct {
		name    string
		handler http.HandlerFunc
		want    string // of the error; empty for none
	}{
		{"counts", func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, exposed(6, 3, 9, 9)) }, ""},
		{"no metrics", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNotFound) }, "status 404"},
		{"a redirect", func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, "http://127.0.0.1:1/", http.StatusFound)
		}, "status 302"},
		{"too long by its header", func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", strconv.Itoa(mostBytes+1))
		}, "too much"},
		{"cut off", func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", "1000")
			_, _ = io.WriteString(w, exposed(6, 3, 9, 9)[:300])
		}, "exposition"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			server := httptest.NewServer(tt.handler)
			defer server.Close()
			c := &counters{names: someNames(), fromZero: true}
			rise, err := fetch(t.Context(), newScrapeClient(nil), server.URL+"/metrics", c, time.Now)
			if tt.want == "" && (err != nil || rise.Requests != (gate.Counts{N: 9, K: 3})) {
				t.Errorf("%+v, %v", rise, err)
			}
			if tt.want != "" && (err == nil || !strings.Contains(err.Error(), tt.want)) {
				t.Errorf("error %v, want %q", err, tt.want)
			}
		})
	}
}

// A pod that limits each address to 100 requests in 15 minutes is scraped as often as it allows, and no more.
func TestPaceLearnsTheLimitOfAPod(t *testing.T) {
	const limit, window = 100, 15 * time.Minute
	now := time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC)
	start, resets, count := now, now.Add(window), 0
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		if !now.Before(resets) {
			resets, count = now.Add(window), 0
		}
		if count++; count > limit {
			w.Header().Set("Retry-After", strconv.Itoa(int(resets.Sub(now)/time.Second)+1))
			w.WriteHeader(http.StatusTooManyRequests)
			return
		}
		_, _ = io.WriteString(w, exposed(6, 3, 9, 9))
	}))
	defer server.Close()
	p, c := pace{interval: time.Second}, &counters{names: someNames()}
	client := newScrapeClient(nil)
	var refusals []time.Duration
	for now.Before(start.Add(3 * time.Hour)) {
		_, err := fetch(t.Context(), client, server.URL, c, func() time.Time { return now })
		wait := p.next()
		if limited, ok := errors.AsType[*limitedError](err); ok {
			refusals = append(refusals, now.Sub(start))
			wait = p.refused(now, limited.after)
		} else if err != nil {
			t.Fatal(err)
		} else {
			p.answer(now)
		}
		now = now.Add(wait)
	}
	if len(refusals) != 1 || !p.slowed() {
		t.Errorf("refused at %v", refusals)
	}
	if p.next() < 9*time.Second || p.next() > 11*time.Second {
		t.Errorf("it learned to wait %v", p.next())
	}
}

func TestRetryAfter(t *testing.T) {
	now := time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC)
	for header, want := range map[string]time.Duration{
		"7": 7 * time.Second, "0": time.Second, "-5": time.Second, "999999": time.Hour, "": defaultRetryAfter,
		"soon": defaultRetryAfter,
		now.Add(time.Minute).Format(http.TimeFormat): time.Minute, "99999999999999999999": defaultRetryAfter,
	} {
		if got := retryAfter(header, now); got != want {
			t.Errorf("%q: %v, want %v", header, got, want)
		}
	}
}
