// Package servicetest runs the example service within a test: its real handler, behind a real HTTP server, on a real
// PostgreSQL. It may import nothing of this module but the example service's own packages.
package servicetest

import (
	"bytes"
	"log/slog"
	"net/http/httptest"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/vextrus/finance-rollout/examples/finance-service/pgtest"
	"github.com/vextrus/finance-rollout/examples/finance-service/service"
)

const (
	// Secret is the key that the instance's tokens are signed with.
	Secret = "a secret for tests only"
	// Origin is the only origin that the instance allows.
	Origin = "https://app.example.com"
)

// Instance is a running service.
type Instance struct {
	// URL is where it is reached.
	URL string
	// Faults is its switch; nothing is on.
	Faults *service.FaultSwitch
	// Logs holds what it logged, at every level.
	Logs *Log
	// Exits counts how often a fault ended the process, which it does not do here.
	Exits func() int
}

// Config is the configuration of a production instance on a database.
func Config(db *pgtest.Server) service.Config {
	return service.Config{
		Environment: "production",
		Database: service.DatabaseConfig{
			Host: db.Host, Port: db.Port, Username: db.Username, Password: service.Secret(db.Password), Name: db.Database,
		},
		JWTSecret:      Secret,
		EventStore:     "memory://",
		AllowedOrigins: []string{Origin},
	}
}

// Start runs a service until the test ends.
func Start(t testing.TB, cfg service.Config) *Instance {
	t.Helper()
	database, err := service.OpenDatabase(t.Context(), cfg.Database)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(database.Close)
	eventStore, err := service.ParseEventStore(cfg.EventStore)
	if err != nil {
		t.Fatal(err)
	}
	var exits struct {
		sync.Mutex
		n int
	}
	instance := &Instance{Logs: &Log{}}
	instance.Faults = service.NewFaultSwitch(cfg.Faults, func(int) {
		exits.Lock()
		defer exits.Unlock()
		exits.n++
	})
	instance.Exits = func() int {
		exits.Lock()
		defer exits.Unlock()
		return exits.n
	}
	server := httptest.NewServer(service.NewServer(cfg, service.Deps{
		Database:   database,
		EventStore: eventStore,
		Faults:     instance.Faults,
		Registry:   prometheus.NewRegistry(),
		Logger:     slog.New(slog.NewJSONHandler(instance.Logs, &slog.HandlerOptions{Level: slog.LevelDebug})),
		Now:        time.Now,
	}))
	t.Cleanup(server.Close)
	instance.URL = server.URL
	return instance
}

// Log collects what a service logs. It is safe for concurrent use.
type Log struct {
	mu   sync.Mutex
	text bytes.Buffer
}

// Write adds to the log.
func (l *Log) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(p)
}

// String returns the log.
func (l *Log) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}
