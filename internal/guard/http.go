package guard

import (
	"context"
	"fmt"
	"net/http"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// stuckAfter is how long the loop may be silent before the guard reports itself unhealthy.
const stuckAfter = 30 * time.Second

// Handler serves /healthz, /readyz, /metrics and, with a token, /webhook.
func (g *Guard) Handler(gatherer prometheus.Gatherer) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) {
		silent := g.options.Now().Sub(time.Unix(g.beat.Load(), 0))
		if g.beat.Load() > 0 && silent > stuckAfter {
			http.Error(w, fmt.Sprintf("the loop has been silent for %v", silent.Round(time.Second)),
				http.StatusServiceUnavailable)
			return
		}
		fmt.Fprintln(w, "ok")
	})
	mux.HandleFunc("GET /readyz", func(w http.ResponseWriter, _ *http.Request) {
		if !g.synced.Load() {
			http.Error(w, "the cluster is not listed yet", http.StatusServiceUnavailable)
			return
		}
		fmt.Fprintln(w, "ok")
	})
	mux.Handle("GET /metrics", promhttp.HandlerFor(gatherer, promhttp.HandlerOpts{MaxRequestsInFlight: 4}))
	if g.options.Token != nil {
		mux.Handle("POST /webhook", newWebhook(g.options.Token, g.leads.Load, g.deliver, func(outcome string, by int) {
			g.metrics.alerts.WithLabelValues(outcome).Add(float64(by))
		}))
	}
	return mux
}

// Drain waits until no rollback runs or the context ends.
func (g *Guard) Drain(ctx context.Context) {
	done := make(chan struct{})
	go func() {
		g.background.Wait()
		close(done)
	}()
	select {
	case <-done:
	case <-ctx.Done():
	}
}
