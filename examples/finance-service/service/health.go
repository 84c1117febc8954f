package service

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"time"
)

// pingTimeout bounds how long /health waits for one dependency.
const pingTimeout = 3 * time.Second

// dependencyHealth is the state of one dependency.
type dependencyHealth struct {
	Status string `json:"status"`
}

// health is the body of /health.
type health struct {
	Status  string                      `json:"status"`
	Track   string                      `json:"track,omitempty"`
	Version string                      `json:"version,omitempty"`
	Details map[string]dependencyHealth `json:"details"`
}

type healthHandler struct {
	database   *Database
	eventStore EventStore
	faults     *FaultSwitch
	logger     *slog.Logger
	track      string
	version    string
}

// full looks at the dependencies.
func (h *healthHandler) full(w http.ResponseWriter, r *http.Request) {
	faults := h.faults.Get()
	body := health{Status: "ok", Track: h.track, Version: h.version, Details: map[string]dependencyHealth{}}
	status := http.StatusOK
	check := func(name string, down bool, ping func(context.Context) error) {
		ctx, cancel := context.WithTimeout(r.Context(), pingTimeout)
		defer cancel()
		err := ping(ctx)
		if down {
			err = errors.New("down (fault)")
		}
		if err == nil {
			body.Details[name] = dependencyHealth{Status: "up"}
			return
		}
		h.logger.WarnContext(r.Context(), "dependency is down", "dependency", name, "error", err)
		body.Details[name] = dependencyHealth{Status: "down"}
		body.Status, status = "error", http.StatusServiceUnavailable
	}
	check("database", faults.DatabaseDown, h.database.Ping)
	check("eventstore", faults.EventStoreDown, h.eventStore.Ping)
	writeJSON(w, status, body)
}

// probe answers without a look at the dependencies: a database that is down would otherwise take every pod out of
// service, or restart it.
func (h *healthHandler) probe(broken func(Faults) bool) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		if broken(h.faults.Get()) {
			writeJSON(w, http.StatusServiceUnavailable, map[string]string{"status": "error"})
			return
		}
		writeJSON(w, http.StatusOK, map[string]string{"status": "ok"})
	}
}
