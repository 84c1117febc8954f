package guard

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"time"
)

const (
	// mostBody bounds a notification in bytes, mostAtOnce the notifications that are read at the same time.
	mostBody   = 2 << 20
	mostAtOnce = 4
	// mostRemembered bounds the alerts that are remembered so that none counts twice.
	mostRemembered = 4096
)

// payload is the part of Alertmanager's notification, version 4, that the guard reads.
type payload struct {
	Version string `json:"version"`
	Alerts  []struct {
		Status      string            `json:"status"`
		Labels      map[string]string `json:"labels"`
		Annotations map[string]string `json:"annotations"`
		StartsAt    time.Time         `json:"startsAt"`
		Fingerprint string            `json:"fingerprint"`
	} `json:"alerts"`
}

// webhook receives alerts from Alertmanager.
type webhook struct {
	// token gives the bearer token that callers must send.
	token func() (string, error)
	// leads reports whether this guard is the leader; deliver hands it the new alerts.
	leads   func() bool
	deliver func([]Alert)
	count   func(outcome string, by int)
	slots   chan struct{}

	mu    sync.Mutex
	seen  map[string]bool
	order []string
}

func newWebhook(token func() (string, error), leads func() bool, deliver func([]Alert),
	count func(string, int)) *webhook {
	return &webhook{token: token, leads: leads, deliver: deliver, count: count, slots: make(chan struct{}, mostAtOnce),
		seen: map[string]bool{}}
}

// ServeHTTP receives one notification. A refusal names the fault of the request and nothing else.
func (w *webhook) ServeHTTP(answer http.ResponseWriter, request *http.Request) {
	select {
	case w.slots <- struct{}{}:
		defer func() { <-w.slots }()
	default:
		w.refuse(answer, http.StatusServiceUnavailable, "too many notifications at once")
		return
	}
	given, bearer := strings.CutPrefix(request.Header.Get("Authorization"), "Bearer ")
	wanted, err := w.token()
	switch {
	case err != nil || wanted == "":
		w.refuse(answer, http.StatusServiceUnavailable, "the guard has no bearer token")
		return
	case !bearer || !same(given, wanted):
		answer.Header().Set("WWW-Authenticate", "Bearer")
		w.refuse(answer, http.StatusUnauthorized, "the bearer token is wrong or missing")
		return
	case !w.leads():
		// Alertmanager tries again and reaches the leader.
		w.refuse(answer, http.StatusServiceUnavailable, "another guard is the leader")
		return
	}
	notification, err := parsePayload(http.MaxBytesReader(answer, request.Body, mostBody))
	if _, large := errors.AsType[*http.MaxBytesError](err); large {
		w.refuse(answer, http.StatusRequestEntityTooLarge, fmt.Sprintf("the notification is longer than %d MiB",
			mostBody>>20))
		return
	}
	if err != nil {
		w.refuse(answer, http.StatusBadRequest, err.Error())
		return
	}
	w.accept(notification)
	answer.WriteHeader(http.StatusOK)
}

func (w *webhook) refuse(answer http.ResponseWriter, status int, text string) {
	w.count(fmt.Sprint(status), 1)
	http.Error(answer, clean(text), status)
}

// same compares two texts in constant time.
func same(a, b string) bool {
	x, y := sha256.Sum256([]byte(a)), sha256.Sum256([]byte(b))
	return subtle.ConstantTimeCompare(x[:], y[:]) == 1
}

// parsePayload reads a notification: one JSON document of version 4 whose alerts have a status, labels and a start.
func parsePayload(body io.Reader) (payload, error) {
	var notification payload
	decoder := json.NewDecoder(body)
	if err := decoder.Decode(&notification); err != nil {
		return payload{}, fmt.Errorf("not an Alertmanager notification: %w", err)
	}
	if _, err := decoder.Token(); !errors.Is(err, io.EOF) {
		if err != nil {
			return payload{}, fmt.Errorf("not an Alertmanager notification: %w", err)
		}
		return payload{}, errors.New("not an Alertmanager notification: more data follows the document")
	}
	if notification.Version != "4" {
		return payload{}, fmt.Errorf("the notification has version %.20q: only version 4 is supported", notification.Version)
	}
	for i, alert := range notification.Alerts {
		if alert.Status != "firing" && alert.Status != "resolved" {
			return payload{}, fmt.Errorf("alert %d has the status %.20q: allowed are firing and resolved", i, alert.Status)
		}
		if len(alert.Labels) == 0 || alert.StartsAt.IsZero() || len(alert.Fingerprint) > 64 {
			return payload{}, fmt.Errorf("alert %d lacks labels or a start, or its fingerprint is too long", i)
		}
	}
	return notification, nil
}

// accept delivers the alerts that fire and are new. An alert with a known fingerprint and start is a repetition.
func (w *webhook) accept(notification payload) {
	var fresh []Alert
	repeated, resolved := 0, 0
	for _, alert := range notification.Alerts {
		switch {
		case alert.Status == "resolved":
			resolved++
		case !w.remember(alert.Fingerprint + "/" + alert.StartsAt.UTC().Format(time.RFC3339Nano)):
			repeated++
		default:
			fresh = append(fresh, Alert{
				Name: clean(alert.Labels["alertname"]), Summary: clean(alert.Annotations["summary"]), Labels: alert.Labels,
				Since: alert.StartsAt,
			})
		}
	}
	w.count("accepted", len(fresh))
	w.count("repeated", repeated)
	w.count("resolved", resolved)
	if len(fresh) > 0 {
		w.deliver(fresh)
	}
}

// remember reports whether the key is new, and forgets the oldest key when there are too many.
func (w *webhook) remember(key string) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.seen[key] {
		return false
	}
	if len(w.order) >= mostRemembered {
		delete(w.seen, w.order[0])
		w.order = w.order[1:]
	}
	w.seen[key] = true
	w.order = append(w.order, key)
	return true
}

// deliver hands alerts to the rollouts that they concern.
func (g *Guard) deliver(firing []Alert) {
	g.mu.Lock()
	defer g.mu.Unlock()
	for _, runner := range g.runners {
		var concerning []Alert
		for _, alert := range firing {
			if alert.concerns(runner.config) {
				concerning = append(concerning, alert)
			}
		}
		if len(concerning) > 0 {
			go runner.post(func(ctx context.Context) {
				runner.recovered(ctx, SourceWebhook)
				runner.alarm(ctx, concerning)
			})
		}
	}
}
