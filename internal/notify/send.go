package notify

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"time"

	"github.com/vextrus/finance-rollout/internal/endpoint"
)

// sendLimit bounds one delivery: a receiver that hangs is one that failed.
const sendLimit = 10 * time.Second

// Webhook is a receiver of events. It holds no secret: Key names the HMAC key.
type Webhook struct {
	URL string `json:"url"`
	// Key is the name under which the sender finds the HMAC key.
	Key string `json:"key"`
	// Events are the names of the events that it gets; empty for all.
	Events []string `json:"events,omitempty"`
}

// wants reports whether the webhook gets an event.
func (w Webhook) wants(event Event) bool {
	return len(w.Events) == 0 || slices.Contains(w.Events, event.Name())
}

// Host is the part of the address that may be shown: a path may hold a token.
func (w Webhook) Host() string {
	parsed, err := url.Parse(w.URL)
	if err != nil || parsed.Host == "" {
		return "a webhook without a host"
	}
	return parsed.Host
}

// StatusError is a receiver's refusal.
type StatusError struct {
	Host   string
	Status int
	// RetryAfter is the pause that the receiver asks for; 0 for none.
	RetryAfter time.Duration
}

// Error names the host and the status.
func (e *StatusError) Error() string {
	return fmt.Sprintf("webhook %s answered with status %d %s", e.Host, e.Status, http.StatusText(e.Status))
}

// Final reports whether another try is pointless: the receiver took the request for wrong, or has moved.
func (e *StatusError) Final() bool {
	switch e.Status {
	case http.StatusRequestTimeout, http.StatusTooEarly, http.StatusTooManyRequests:
		return false
	default:
		return e.Status < http.StatusInternalServerError
	}
}

// Sender delivers events.
type Sender struct {
	// Key gives the HMAC key of a name. It is asked at every delivery, so that a new key is used at once.
	Key func(ctx context.Context, name string) ([]byte, error)
	// Transport sends the requests; nil for the default one.
	Transport http.RoundTripper
	Now       func() time.Time
}

// Send delivers an event once. An answer other than 2xx is a [StatusError]. A redirect is not followed: the signature
// is for this receiver.
func (s Sender) Send(ctx context.Context, to Webhook, event Event) error {
	ctx, cancel := context.WithTimeoutCause(ctx, sendLimit, fmt.Errorf("no answer within %s", sendLimit))
	defer cancel()
	body, err := json.Marshal(event)
	if err != nil {
		return fmt.Errorf("encode the event for webhook %s: %w", to.Host(), err)
	}
	request, err := s.request(ctx, to, body)
	if err != nil {
		return err
	}
	client := &http.Client{Transport: s.Transport, CheckRedirect: func(*http.Request, []*http.Request) error {
		return http.ErrUseLastResponse
	}}
	answer, err := client.Do(request)
	if err != nil {
		err = endpoint.WithoutURL(err)
		if cause := context.Cause(ctx); cause != nil {
			err = cause
		}
		return fmt.Errorf("webhook %s: %w", to.Host(), err)
	}
	defer answer.Body.Close()
	// A short answer is read to its end, so that the connection can be used again.
	_, _ = io.CopyN(io.Discard, answer.Body, 4<<10)
	if answer.StatusCode/100 != 2 {
		return &StatusError{Host: to.Host(), Status: answer.StatusCode, RetryAfter: pause(answer.Header)}
	}
	return nil
}

func (s Sender) request(ctx context.Context, to Webhook, body []byte) (*http.Request, error) {
	key, err := s.Key(ctx, to.Key)
	if err != nil {
		return nil, fmt.Errorf("webhook %s: its key: %w", to.Host(), err)
	}
	if len(key) == 0 {
		return nil, fmt.Errorf("webhook %s: its key is empty", to.Host())
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, to.URL, bytes.NewReader(body))
	if err != nil {
		return nil, fmt.Errorf("webhook %s: its address is not valid", to.Host())
	}
	timestamp := strconv.FormatInt(s.Now().Unix(), 10)
	request.Header.Set("Content-Type", "application/cloudevents+json; charset=utf-8")
	request.Header.Set("User-Agent", "finance-rollout")
	request.Header.Set(TimestampHeader, timestamp)
	request.Header.Set(SignatureHeader, sign(key, timestamp, body))
	return request, nil
}

// longestPause bounds the pause that a receiver may ask for.
const longestPause = 5 * time.Minute

// pause is the pause that an answer asks for in seconds; 0 for none.
func pause(header http.Header) time.Duration {
	seconds, err := strconv.Atoi(header.Get("Retry-After"))
	if err != nil || seconds < 0 {
		return 0
	}
	return min(time.Duration(seconds)*time.Second, longestPause)
}
