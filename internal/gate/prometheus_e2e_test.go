//go:build e2e

package gate

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	product "github.com/vextrus/finance-rollout/internal/prometheus"

	"github.com/vextrus/finance-rollout/internal/testkit"
)

// scrapeEvery is how often the Prometheus of these tests scrapes.
const scrapeEvery = 200 * time.Millisecond

// service is a process with metrics. Restarting it begins them anew.
type service struct {
	handler  atomic.Pointer[http.Handler]
	requests *prometheus.CounterVec
	duration *prometheus.HistogramVec
}

func newService() *service {
	s := &service{}
	s.restart()
	return s
}

func (s *service) restart() {
	labels := []string{"track", "version"}
	s.requests = prometheus.NewCounterVec(prometheus.CounterOpts{Name: "http_requests_total"}, append(labels, "code"))
	s.duration = prometheus.NewHistogramVec(prometheus.HistogramOpts{
		Name: "http_request_duration_seconds", Buckets: []float64{0.1, 0.5, 1},
	}, labels)
	registry := prometheus.NewRegistry()
	registry.MustRegister(s.requests, s.duration)
	handler := promhttp.HandlerFor(registry, promhttp.HandlerOpts{})
	s.handler.Store(&handler)
}

func (s *service) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	(*s.handler.Load()).ServeHTTP(w, r)
}

// serve counts requests of the canary week1 with that status and duration.
func (s *service) serve(code string, seconds float64, count int) {
	for range count {
		s.requests.WithLabelValues("canary", "week1", code).Inc()
		s.duration.WithLabelValues("canary", "week1").Observe(seconds)
	}
}

// prometheusBinary is the one on PATH, or that of the local environment.
func prometheusBinary(t *testing.T) string {
	t.Helper()
	local, err := filepath.Abs("../../.local/bin/prometheus")
	if err != nil {
		t.Fatal(err)
	}
	for _, candidate := range []string{"prometheus", local} {
		if path, err := exec.LookPath(candidate); err == nil {
			return path
		}
	}
	t.Fatalf("no prometheus on PATH and none at %s: build the local tools first", local)
	return ""
}

func startPrometheus(t *testing.T, target string) *product.Client {
	t.Helper()
	directory := t.TempDir()
	config := fmt.Sprintf("global: {scrape_interval: %v, scrape_timeout: %v}\nscrape_configs: [{job_name: service, "+
		"static_configs: [{targets: [%q]}]}]\n",
		scrapeEvery, scrapeEvery, strings.TrimPrefix(target, "http://"))
	if err := os.WriteFile(filepath.Join(directory, "prometheus.yml"), []byte(config), 0o600); err != nil {
		t.Fatal(err)
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := listener.Addr().String()
	if err := listener.Close(); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	command := exec.CommandContext(ctx, prometheusBinary(t), "--config.file="+filepath.Join(directory, "prometheus.yml"),
		"--storage.tsdb.path="+filepath.Join(directory, "data"), "--web.listen-address="+address)
	var log bytes.Buffer
	command.Stdout, command.Stderr = &log, &log
	if err := command.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		cancel()
		var killed *exec.ExitError
		if err := command.Wait(); err != nil && !errors.As(err, &killed) {
			t.Error(err)
		}
		if t.Failed() {
			t.Logf("prometheus:\n%s", log.String())
		}
	})
	client, err := product.NewClient(http.DefaultClient, "http://"+address)
	if err != nil {
		t.Fatal(err)
	}
	until(t, func() string {
		if _, err := client.LabelValues(t.Context(), "job", "up", time.Now().Add(-time.Minute), time.Now()); err != nil {
			return err.Error()
		}
		return ""
	})
	return client
}

// until waits for a condition, which returns what is still missing.
func until(t *testing.T, missing func() string) {
	t.Helper()
	deadline := time.Now().Add(30 * time.Second)
	for what := missing(); what != ""; what = missing() {
		if time.Now().After(deadline) {
			t.Fatalf("after 30 s: %s", what)
		}
		time.Sleep(50 * time.Millisecond)
	}
}

// counted waits until the criterion has counted n requests and k bad ones, and returns its result.
func counted(t *testing.T, p *product.Client, m Metrics, c Criterion, since time.Time, n, k int64) Result {
	t.Helper()
	var result Result
	until(t, func() string {
		result = Evaluate(t.Context(), p, Question{Metrics: m, Criteria: []Criterion{c},
			Window: Window{Start: since, End: time.Now()}}).Results[0]
		if result.N == n && result.K == k {
			return ""
		}
		return fmt.Sprintf("%+v, want n %d and k %d", result, n, k)
	})
	return result
}

func TestEndToEndPrometheus(t *testing.T) {
	service := newService()
	exporter := httptest.NewServer(service)
	defer exporter.Close()
	// Before the window: must not be counted in it.
	service.serve("200", 0.05, 1000)
	service.serve("500", 2, 50)
	server := startPrometheus(t, exporter.URL)
	metrics := DefaultMetrics().For("canary", "week1")
	errorRate, latency := ErrorRate(0.005, 0.01), Latency(500*time.Millisecond, 0.95)
	until(t, func() string {
		matrix, err := server.Samples(t.Context(), `http_requests_total{track="canary"}`, time.Now().Add(-time.Hour),
			time.Now())
		if err != nil || len(matrix) != 2 {
			return fmt.Sprintf("%v, %v; want two series", matrix, err)
		}
		return ""
	})
	// Nobody knows how old the process is: what it counted before its first scrape is no evidence.
	counted(t, server, metrics, errorRate, time.Now().Add(-time.Hour), 0, 0)

	start := time.Now()
	service.serve("200", 0.05, 900)
	service.serve("404", 0.7, 10)
	service.serve("503", 0.3, 2)
	if got := counted(t, server, metrics, errorRate, start, 912, 2); got.Verdict != Pass {
		t.Errorf("healthy: %+v", got)
	}
	if got := counted(t, server, metrics, latency, start, 912, 10); got.Verdict != Pass {
		t.Errorf("fast: %+v", got)
	}

	t.Run("restart", func(t *testing.T) {
		service.restart()
		service.serve("200", 0.05, 88)
		service.serve("500", 3, 40)
		if got := counted(t, server, metrics, errorRate, start, 1040, 42); got.Verdict != Fail {
			t.Errorf("bad: %+v", got)
		}
		if got := counted(t, server, metrics, latency, start, 1040, 50); got.Verdict != Pass {
			t.Errorf("slow for some: %+v", got)
		}
	})
	t.Run("idle", func(t *testing.T) {
		since := time.Now()
		if got := counted(t, server, metrics, errorRate, since, 0, 0); got.Verdict == Fail {
			t.Errorf("%+v", got)
		}
		until(t, func() string {
			got := Evaluate(t.Context(), server, Question{Metrics: metrics, Criteria: []Criterion{needing(errorRate, 1)},
				Window: Window{Start: since, End: time.Now()}})
			if got.LacksRequests() {
				return ""
			}
			return got.String()
		})
	})
	t.Run("refusals", func(t *testing.T) { refusals(t, server, metrics, start) })
	t.Run("stale", func(t *testing.T) {
		exporter.Close()
		until(t, func() string {
			got := Evaluate(t.Context(), server, Question{Metrics: metrics, Criteria: []Criterion{errorRate},
				Window: Window{Start: start, End: time.Now()}}).Results[0]
			if got.Verdict == Error && strings.Contains(got.Reason, "stale") {
				return ""
			}
			return fmt.Sprintf("%+v", got)
		})
		got := Evaluate(t.Context(), server, Question{Metrics: metrics, Criteria: []Criterion{errorRate},
			Window: Window{Start: time.Now().Add(-time.Millisecond), End: time.Now()}}).Results[0]
		testkit.WantError(t, errors.New(got.Reason), "no sample of", "its last sample is from")
	})
}

func refusals(t *testing.T, server *product.Client, metrics Metrics, start time.Time) {
	misnamed := metrics
	misnamed.RequestsTotal = "http_server_requests_count"
	tests := []struct {
		name      string
		metrics   Metrics
		criterion Criterion
		want      []string
	}{
		{"no such metric", misnamed, ErrorRate(0.005, 0.01),
			[]string{"there is no metric http_server_requests_count", "http_requests_total"}},
		{"another release", metrics.For("canary", "week2"), ErrorRate(0.005, 0.01),
			[]string{"not with these labels", "track has the values canary", "version has the values week1"}},
		{"a release that tries to inject", metrics.For("canary", `week1"} or vector(1) or up{x="`), ErrorRate(0.005, 0.01),
			[]string{"not with these labels", "version has the values week1"}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			got := Evaluate(t.Context(), server, Question{Metrics: test.metrics, Criteria: []Criterion{test.criterion},
				Window: Window{Start: start, End: time.Now()}})
			if got.Verdict() != Error {
				t.Fatalf("verdict %q: %s", got.Verdict(), got)
			}
			testkit.WantError(t, errors.New(got.Results[0].Reason), test.want...)
		})
	}
}
