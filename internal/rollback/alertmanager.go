package rollback

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"
)

// Notice is an alert for people. Its labels choose the route, its annotations describe the rollback.
type Notice struct {
	Labels      map[string]string `json:"labels"`
	Annotations map[string]string `json:"annotations"`
	StartsAt    time.Time         `json:"startsAt"`
	// EndsAt is when it stops firing unless it is sent again.
	EndsAt time.Time `json:"endsAt"`
	// GeneratorURL links to the source of the alert; empty for none.
	GeneratorURL string `json:"generatorURL,omitempty"`
}

// Alertmanager receives notices by version 2 of its API.
type Alertmanager struct {
	Client *http.Client
	// Address is the server's URL without a path.
	Address string
}

const (
	pushTries = 3
	pushLimit = 5 * time.Second
	pushPause = time.Second
)

// Push sends a notice. It repeats a failed request up to twice, but not one that the server refuses (status 4xx), and
// returns the last error.
func (a Alertmanager) Push(ctx context.Context, notice Notice) error {
	body, err := json.Marshal([]Notice{notice})
	if err != nil {
		return fmt.Errorf("encode the alert: %w", err)
	}
	for try := 1; ; try++ {
		again, err := a.send(ctx, body)
		if err == nil || !again || try == pushTries {
			return err
		}
		select {
		case <-ctx.Done():
			return errors.Join(err, context.Cause(ctx))
		case <-time.After(pushPause):
		}
	}
}

func (a Alertmanager) send(ctx context.Context, body []byte) (again bool, err error) {
	ctx, cancel := context.WithTimeoutCause(ctx, pushLimit, fmt.Errorf("no answer within %v", pushLimit))
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, strings.TrimSuffix(a.Address, "/")+"/api/v2/alerts",
		bytes.NewReader(body))
	if err != nil {
		return false, fmt.Errorf("send the alert to alertmanager %s: %w", a.Address, err)
	}
	request.Header.Set("Content-Type", "application/json")
	answer, err := a.Client.Do(request)
	if err != nil {
		return true, fmt.Errorf("send the alert to alertmanager %s: %w", a.Address, err)
	}
	defer answer.Body.Close()
	if answer.StatusCode/100 == 2 {
		return false, nil
	}
	text, _ := io.ReadAll(io.LimitReader(answer.Body, 300))
	return answer.StatusCode >= 500, fmt.Errorf("send the alert to alertmanager %s: status %d: %s", a.Address,
		answer.StatusCode,
		strings.TrimSpace(string(text)))
}
