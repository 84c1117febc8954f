// Command relay takes a rollout's events and passes them on to Slack, Teams, PagerDuty and, for mail, to Alertmanager.
// Their addresses and keys hold secrets: only the relay has them. It answers 2xx when all of them took the event, and
// 502 otherwise, so that the sender tries again.
package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"os"
	"strings"
	"sync"
	"time"
)

// limit bounds a delivery to one target: four of them fit into the sender's limit of 10 seconds.
const limit = 2 * time.Second

func main() {
	key := []byte(strings.TrimSpace(os.Getenv("HMAC_KEY")))
	if len(key) == 0 {
		slog.Error("HMAC_KEY is empty: set it to the key of the webhook's secret")
		os.Exit(1)
	}
	targets := targetsOf(os.Getenv)
	slog.Info("relaying", "targets", len(targets))
	server := &http.Server{Addr: ":8080", Handler: newRelay(key, targets, time.Now), ReadTimeout: 10 * time.Second}
	slog.Error("the relay ended", "error", server.ListenAndServe())
	os.Exit(1)
}

// relay passes each event on once.
type relay struct {
	key     []byte
	targets []target
	now     func() time.Time

	mu sync.Mutex
	// passed are the events that a target took, by the event's id and the target's name.
	passed map[string]bool
}

func newRelay(key []byte, targets []target, now func() time.Time) *relay {
	return &relay{key: key, targets: targets, now: now, passed: map[string]bool{}}
}

func (r *relay) ServeHTTP(w http.ResponseWriter, request *http.Request) {
	body, err := io.ReadAll(http.MaxBytesReader(w, request.Body, 256<<10))
	if err != nil || verify(r.key, request.Header, body, r.now()) != nil {
		http.Error(w, "the signature does not fit", http.StatusUnauthorized)
		return
	}
	var event event
	if err := json.Unmarshal(body, &event); err != nil || event.ID == "" {
		http.Error(w, "no CloudEvent", http.StatusBadRequest)
		return
	}
	if err := r.pass(request.Context(), event); err != nil {
		slog.Warn("not passed on", "event", event.ID, "type", event.Type, "error", err)
		http.Error(w, "a target did not take the event", http.StatusBadGateway)
	}
}

// pass passes an event on to every target that has not taken it.
func (r *relay) pass(ctx context.Context, event event) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.passed) > 10_000 {
		clear(r.passed)
	}
	var failed []error
	for _, target := range r.targets {
		message := target.message(event)
		if message == nil || r.passed[event.ID+target.name] {
			continue
		}
		if err := post(ctx, target.address, message); err != nil {
			failed = append(failed, fmt.Errorf("%s: %w", target.name, err))
			continue
		}
		r.passed[event.ID+target.name] = true
	}
	return errors.Join(failed...)
}

// post sends a message as JSON. Its errors show no address.
func post(ctx context.Context, address string, message any) error {
	body, err := json.Marshal(message)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, address, bytes.NewReader(body))
	if err != nil {
		return errors.New("its address is not valid")
	}
	request.Header.Set("Content-Type", "application/json")
	answer, err := http.DefaultClient.Do(request)
	if err != nil {
		return errors.New("it cannot be reached")
	}
	defer answer.Body.Close()
	if answer.StatusCode/100 != 2 {
		return fmt.Errorf("status %d", answer.StatusCode)
	}
	return nil
}
