// Command finance-service is a small stand-in for the finance service that this project rolls out; package service says
// what it does. It is configured by environment variables alone, writes no file and logs JSON to standard error.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/signal"
	"strconv"
	"syscall"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/vextrus/finance-rollout/examples/finance-service/service"
)

// version is set at build time (-ldflags "-X main.version=…") and tells two builds apart.
var version = "development"

// drainTimeout is how long requests may take to finish after the signal to stop; the pod's grace period is longer.
const drainTimeout = 20 * time.Second

func main() {
	showVersion := flag.Bool("version", false, "print the version and exit")
	flag.Parse()
	if *showVersion {
		fmt.Println(version)
		return
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, os.Interrupt)
	err := run(ctx, os.LookupEnv)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "finance-service:", err)
		os.Exit(1)
	}
}

// run serves until the context ends.
func run(ctx context.Context, lookup func(string) (string, bool)) error {
	cfg, err := service.ConfigFromEnv(lookup)
	if err != nil {
		return err
	}
	logger := slog.New(slog.NewJSONHandler(os.Stderr, &slog.HandlerOptions{Level: cfg.LogLevel}))
	eventStore, err := service.ParseEventStore(cfg.EventStore)
	if err != nil {
		return fmt.Errorf("event store: %w", err)
	}
	database, err := service.OpenDatabase(ctx, cfg.Database)
	if err != nil {
		return err
	}
	defer database.Close()
	faults := service.NewFaultSwitch(cfg.Faults, os.Exit)
	pod, _ := lookup("HOSTNAME") // the pod's name, in Kubernetes
	handler := service.NewServer(cfg, service.Deps{
		Pod:        pod,
		Database:   database,
		EventStore: eventStore,
		Faults:     faults,
		Registry:   prometheus.NewRegistry(),
		Logger:     logger,
		Now:        time.Now,
	})
	servers := map[string]http.Handler{net.JoinHostPort("", strconv.Itoa(cfg.Port)): handler}
	if cfg.FaultsPort != 0 {
		servers[net.JoinHostPort("127.0.0.1", strconv.Itoa(cfg.FaultsPort))] = service.FaultHandler(faults, logger)
	}
	logger.InfoContext(ctx, "starting", "version", version, "environment", cfg.Environment, "port", cfg.Port,
		"track", cfg.Track, "release", cfg.Version, "faults", cfg.Faults.String())
	return serve(ctx, logger, servers)
}

// serve runs a server for each address until the context ends or one of them fails, then lets requests finish.
func serve(ctx context.Context, logger *slog.Logger, handlers map[string]http.Handler) error {
	failed := make(chan error, len(handlers))
	var servers []*http.Server
	for address, handler := range handlers {
		server := &http.Server{
			Addr:              address,
			Handler:           handler,
			ReadHeaderTimeout: 5 * time.Second,
			ReadTimeout:       30 * time.Second,
			IdleTimeout:       60 * time.Second,
			ErrorLog:          slog.NewLogLogger(logger.Handler(), slog.LevelWarn),
		}
		servers = append(servers, server)
		go func() { failed <- server.ListenAndServe() }()
	}
	var err error
	select {
	case err = <-failed:
	case <-ctx.Done():
		logger.Info("stopping", "timeout", drainTimeout)
	}
	drain, cancel := context.WithTimeout(context.WithoutCancel(ctx), drainTimeout)
	defer cancel()
	for _, server := range servers {
		err = errors.Join(err, server.Shutdown(drain))
	}
	if errors.Is(err, http.ErrServerClosed) {
		return nil
	}
	return err
}
