// Command vextrus-like has the contract of the finance service of Vextrus where that differs from what a rollout would
// like: it writes into its own folder when it starts, refuses to start without its whole environment, answers a foreign
// origin with 500, asks an auth service about every token, serves no metrics unless METRICS=on, and answers 429 beyond
// 100 requests in 15 minutes. Stack files for it lie beside it.
package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/signal"
	"path/filepath"
	"strconv"
	"syscall"
	"time"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, os.Interrupt)
	err := run(ctx, ".", os.Getenv)
	stop()
	if err != nil {
		slog.Error("vextrus-like stops", "error", err)
		os.Exit(1)
	}
}

// run serves from the folder until the context ends.
func run(ctx context.Context, folder string, getenv func(string) string) error {
	c, err := configFrom(getenv)
	if err != nil {
		return fmt.Errorf("the environment is not complete: %w", err)
	}
	if err := writeSchema(folder); err != nil {
		return err
	}
	handler := newServer(c, time.Now)
	if getenv("METRICS") == "on" {
		handler = withMetrics(handler)
	}
	server := &http.Server{
		Addr: net.JoinHostPort("", strconv.Itoa(c.port)), Handler: handler, ReadHeaderTimeout: 5 * time.Second,
	}
	failed := make(chan error, 1)
	go func() { failed <- server.ListenAndServe() }()
	select {
	case err := <-failed:
		return fmt.Errorf("serve: %w", err)
	case <-ctx.Done():
	}
	ending, cancel := context.WithTimeout(context.WithoutCancel(ctx), 20*time.Second)
	defer cancel()
	return server.Shutdown(ending)
}

// schema is what the framework generates from its resolvers.
const schema = "type Invoice {\n  id: ID!\n}\n\ntype Query {\n  invoices: [Invoice!]!\n}\n"

// writeSchema writes the generated schema and makes the folders that the service uses. On a read-only file system the
// service cannot start.
func writeSchema(folder string) error {
	for _, name := range []string{"src", "logs", "tmp", "models"} {
		if err := os.MkdirAll(filepath.Join(folder, name), 0o750); err != nil {
			return fmt.Errorf("prepare the folder: %w", err)
		}
	}
	path := filepath.Join(folder, "src", "schema.gql")
	if err := os.WriteFile(path, []byte(schema), 0o600); err != nil {
		return errors.Join(errors.New("write the schema"), err)
	}
	return nil
}
