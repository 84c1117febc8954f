package main

import (
	"net/http"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// withMetrics counts the requests and serves /metrics. docs/metrics.md shows this function as the whole change.
func withMetrics(next http.Handler) http.Handler {
	registry := prometheus.NewRegistry()
	requests := prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "http_requests_total", Help: "Requests answered."}, []string{"code", "method"})
	durations := prometheus.NewHistogramVec(prometheus.HistogramOpts{
		Name: "http_request_duration_seconds", Help: "Time to answer.",
		Buckets: []float64{.05, .1, .25, .5, 1, 2.5}}, []string{"code", "method"})
	registry.MustRegister(requests, durations)
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", promhttp.HandlerFor(registry, promhttp.HandlerOpts{}))
	mux.Handle("/health", next) // probes are no evidence
	mux.Handle("/health/", next)
	mux.Handle("/", promhttp.InstrumentHandlerDuration(durations, promhttp.InstrumentHandlerCounter(requests, next)))
	return mux
}
