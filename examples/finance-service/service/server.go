package service

import (
	"log/slog"
	"net/http"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// Deps are what the service depends on. All fields but Pod are required.
type Deps struct {
	// Pod is the name that answers are signed with, in the header X-Served-By; empty for none.
	Pod string

	Database   *Database
	EventStore EventStore
	// Faults holds the faults that are on; see [NewFaultSwitch].
	Faults *FaultSwitch
	// Registry gets the service's metrics; it must not hold them yet.
	Registry *prometheus.Registry
	Logger   *slog.Logger
	// Now is the clock that tokens and rate limits go by.
	Now func() time.Time
}

// NewServer returns the service's handler: /health/live, /health/ready, /health, /graphql and /metrics. It panics if
// the registry already holds the service's metrics.
func NewServer(cfg Config, deps Deps) http.Handler {
	instrumented := newInstruments(deps.Registry)
	mux := http.NewServeMux()
	// A metric's path label is one of these routes, never what a client made up.
	handle := func(path string, level slog.Level, handler http.Handler) http.Handler {
		return instrumented.wrap(path, logRequests(handler, deps.Logger, level, path, deps.Now))
	}

	health := &healthHandler{
		database: deps.Database, eventStore: deps.EventStore, faults: deps.Faults, logger: deps.Logger,
		track: cfg.Track, version: cfg.Version,
	}
	live := health.probe(func(f Faults) bool { return f.NotLive })
	ready := health.probe(func(f Faults) bool { return f.NotReady })
	mux.Handle("GET /health/live", handle("/health/live", slog.LevelDebug, live))
	mux.Handle("GET /health/ready", handle("/health/ready", slog.LevelDebug, ready))
	mux.Handle("GET /health", handle("/health", slog.LevelDebug, http.HandlerFunc(health.full)))

	queries := &graphqlHandler{
		schema:        newSchema(&resolver{deps.Database, deps.Faults, deps.Logger}, cfg.Introspection),
		auth:          &authenticator{cfg.JWTSecret, deps.Faults, deps.Now},
		faults:        deps.Faults,
		introspection: cfg.Introspection,
	}
	mux.Handle("/graphql", handle("/graphql", slog.LevelInfo, misbehave(queries, deps.Faults)))
	mux.Handle("GET /metrics", handle("/metrics", slog.LevelDebug,
		promhttp.HandlerFor(deps.Registry, promhttp.HandlerOpts{Registry: deps.Registry})))
	mux.Handle("/", handle("other", slog.LevelInfo, misbehave(http.NotFoundHandler(), deps.Faults)))

	return servedBy(deps.Pod, limitRate(cors(mux, cfg.AllowedOrigins, deps.Faults), cfg.RateLimit, deps.Now))
}

// servedBy lets a client count which pods its answers come from.
func servedBy(pod string, next http.Handler) http.Handler {
	if pod == "" {
		return next
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("X-Served-By", pod)
		next.ServeHTTP(w, r)
	})
}

// instruments are the metrics that gates and alerts look at.
type instruments struct {
	requests *prometheus.CounterVec
	duration *prometheus.HistogramVec
	inFlight *prometheus.GaugeVec
}

func newInstruments(registry *prometheus.Registry) *instruments {
	labels := []string{"code", "method", "path"}
	m := &instruments{
		requests: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "http_requests_total",
			Help: "HTTP requests answered, by status code, method and route.",
		}, labels),
		duration: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "http_request_duration_seconds",
			Help: "Time to answer HTTP requests, by status code, method and route.",
			// The limit of 500 ms is a bucket's bound, so that requests on either side of it are counted exactly.
			Buckets: []float64{0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 10},
		}, labels),
		inFlight: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Name: "http_requests_in_flight",
			Help: "HTTP requests that are being answered, by route.",
		}, []string{"path"}),
	}
	registry.MustRegister(m.requests, m.duration, m.inFlight,
		collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	return m
}

// wrap counts and times the requests of a route.
func (m *instruments) wrap(path string, handler http.Handler) http.Handler {
	route := prometheus.Labels{"path": path}
	handler = promhttp.InstrumentHandlerDuration(m.duration.MustCurryWith(route), handler)
	handler = promhttp.InstrumentHandlerCounter(m.requests.MustCurryWith(route), handler)
	return promhttp.InstrumentHandlerInFlight(m.inFlight.With(route), handler)
}
