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
	// mostBody bounds a webhook's body, mostAtOnce how many are read at the same time.
	mostBody   = 2 << 20
	mostAtOnce = 4
	// mostRemembered is how many alerts are remembered, so that none counts twice.
	mostRemembered = 4096
)

// payload is Alertmanager's webhook, version 4: what the guard reads of it.
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

// webhook takes alerts from Alertmanager.
type webhook struct {
	// token gives the bearer token that a caller must send.
	token func() (string, error)
	// leads tells whether this guard acts; deliver hands it the alerts that are new.
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

// ServeHTTP takes one notification. What a caller sees of a refusal says what is wrong with the request and nothing
// else.
func (w *webhook) ServeHTTP(answer http.ResponseWriter, request *http.Request) {
	select {
	case w.slots <- struct{}{}:
		defer func() { <-w.slots }()
	default:
		w.refuse(answer, http.StatusServiceUnavailable, "too many at once")
		return
	}
	given, bearer := strings.CutPrefix(request.Header.Get("Authorization"), "Bearer ")
	wanted, err := w.token()
	switch {
	case err != nil || wanted == "":
		w.refuse(answer, http.StatusServiceUnavailable, "the guard has no token to compare with")
		return
	case !bearer || !same(given, wanted):
		answer.Header().Set("WWW-Authenticate", "Bearer")
		w.refuse(answer, http.StatusUnauthorized, "wrong or missing bearer token")
		return
	case !w.leads():
		// Alertmanager tries again, and reaches the one that acts.
		w.refuse(answer, http.StatusServiceUnavailable, "another guard acts")
		return
	}
	found, err := parsePayload(http.MaxBytesReader(answer, request.Body, mostBody))
	if _, large := errors.AsType[*http.MaxBytesError](err); large {
		w.refuse(answer, http.StatusRequestEntityTooLarge, fmt.Sprintf("at most %d MiB", mostBody>>20))
		return
	}
	if err != nil {
		w.refuse(answer, http.StatusBadRequest, err.Error())
		return
	}
	w.take(found)
	answer.WriteHeader(http.StatusOK)
}

func (w *webhook) refuse(answer http.ResponseWriter, status int, text string) {
	w.count(fmt.Sprint(status), 1)
	http.Error(answer, clean(text), status)
}

// same compares in a time that does not depend on where two texts differ.
func same(a, b string) bool {
	x, y := sha256.Sum256([]byte(a)), sha256.Sum256([]byte(b))
	return subtle.ConstantTimeCompare(x[:], y[:]) == 1
}

// parsePayload reads a notification: exactly one JSON document of version 4, whose alerts have a status, labels and a
// start.
func parsePayload(body io.Reader) (payload, error) {
	var found payload
	decoder := json.NewDecoder(body)
	if err := decoder.Decode(&found); err != nil {
		return payload{}, fmt.Errorf("not a notification of Alertmanager: %w", err)
	}
	if _, err := decoder.Token(); !errors.Is(err, io.EOF) {
		if err != nil {
			return payload{}, fmt.Errorf("not a notification of Alertmanager: %w", err)
		}
		return payload{}, errors.New("not a notification of Alertmanager: something follows it")
	}
	if found.Version != "4" {
		return payload{}, fmt.Errorf("version %.20q: only 4 is known", found.Version)
	}
	for i, alert := range found.Alerts {
		if alert.Status != "firing" && alert.Status != "resolved" {
			return payload{}, fmt.Errorf("alert %d has the status %.20q: firing and resolved are known", i, alert.Status)
		}
		if len(alert.Labels) == 0 || alert.StartsAt.IsZero() || len(alert.Fingerprint) > 64 {
			return payload{}, fmt.Errorf("alert %d lacks its labels, start or fingerprint", i)
		}
	}
	return found, nil
}

// take hands on what fires and is new. Of an alert that repeats its fingerprint and start, nothing is.
func (w *webhook) take(found payload) {
	var fresh []Alert
	repeated, resolved := 0, 0
	for _, alert := range found.Alerts {
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
	w.count("taken", len(fresh))
	w.count("repeated", repeated)
	w.count("resolved", resolved)
	if len(fresh) > 0 {
		w.deliver(fresh)
	}
}

// remember tells whether the key is new. Of too many the oldest are forgotten.
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

// deliver hands alerts to the rollouts that they are about.
func (g *Guard) deliver(found []Alert) {
	g.mu.Lock()
	defer g.mu.Unlock()
	for _, runner := range g.runners {
		var own []Alert
		for _, alert := range found {
			if alert.concerns(runner.config) {
				own = append(own, alert)
			}
		}
		if len(own) > 0 {
			go runner.post(func(ctx context.Context) {
				runner.recovered(ctx, SourceWebhook)
				runner.alarm(ctx, own)
			})
		}
	}
}
