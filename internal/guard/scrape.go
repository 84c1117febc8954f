package guard

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"
	"time"
)

const (
	// scrapeTimeout bounds a scrape; the next one of the same pod waits for it.
	scrapeTimeout = 2 * time.Second
	// slowest is the longest distance between two scrapes that a pod can ask for.
	slowest = 5 * time.Minute
	// unsaid is how long to wait for a pod that refuses and does not say for how long.
	unsaid = 10 * time.Second
)

// newScrapeClient makes the client for the pods. They are many and near: connections are kept and small, nothing is
// compressed, and no proxy or redirect leads elsewhere.
func newScrapeClient() *http.Client {
	return &http.Client{
		Timeout: scrapeTimeout,
		Transport: &http.Transport{
			DialContext:        (&net.Dialer{Timeout: time.Second, KeepAlive: -1}).DialContext,
			DisableCompression: true, MaxIdleConnsPerHost: 1, IdleConnTimeout: time.Minute,
			ReadBufferSize: 4 << 10, WriteBufferSize: 1 << 10, MaxResponseHeaderBytes: 16 << 10,
		},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

// limitedError says that a pod answers no scrape before some time has passed.
type limitedError struct{ after time.Duration }

func (e *limitedError) Error() string {
	return fmt.Sprintf("the pod limits its requests and answers again in %v", e.after.Round(time.Second))
}

// fetch reads a pod's exposition into its counters.
func fetch(ctx context.Context, client *http.Client, address string, into *counters, now func() time.Time) (Rise,
	error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return Rise{}, fmt.Errorf("scrape %s: %w", address, err)
	}
	request.Header.Set("Accept", "text/plain;version=0.0.4")
	request.Header.Set("User-Agent", "finance-rollout-guard")
	answer, err := client.Do(request)
	if err != nil {
		return Rise{}, fmt.Errorf("scrape: %w", err)
	}
	defer func() {
		// A short rest is read, so that the connection can be used again.
		_, _ = io.CopyN(io.Discard, answer.Body, 4<<10)
		_ = answer.Body.Close()
	}()
	switch {
	case answer.StatusCode == http.StatusTooManyRequests:
		return Rise{}, &limitedError{retryAfter(answer.Header.Get("Retry-After"), now())}
	case answer.StatusCode != http.StatusOK:
		return Rise{}, fmt.Errorf("scrape %s: status %d", address, answer.StatusCode)
	case answer.ContentLength > mostBytes:
		return Rise{}, fmt.Errorf("scrape %s: %w: the exposition has %d MiB", address, errTooMuch, answer.ContentLength>>20)
	}
	rise, err := into.read(answer.Body)
	if err != nil {
		return Rise{}, fmt.Errorf("scrape %s: %w", address, err)
	}
	return rise, nil
}

// retryAfter reads the header, which has seconds or a date.
func retryAfter(header string, now time.Time) time.Duration {
	header = strings.TrimSpace(header)
	after := unsaid
	if seconds, err := strconv.ParseInt(header, 10, 32); err == nil {
		after = time.Duration(seconds) * time.Second
	} else if date, err := http.ParseTime(header); err == nil {
		after = date.Sub(now)
	}
	return min(max(after, time.Second), time.Hour)
}

// pace is how often a pod is scraped. It begins at the configured interval and learns from refusals what the pod
// allows.
type pace struct {
	interval time.Duration
	// allowed is how long the pod makes a scrape wait for the next one, 0 while it has refused none.
	allowed time.Duration
	// began is when the present window of the pod's limit began as far as is known, answered how many scrapes were
	// answered in it.
	began    time.Time
	answered int
}

// next is the distance to the next scrape.
func (p *pace) next() time.Duration { return max(p.interval, p.allowed) }

// slowed tells that the pod is scraped less often than it was asked to be.
func (p *pace) slowed() bool { return p.allowed > p.interval }

func (p *pace) answer(now time.Time) {
	if p.answered == 0 {
		p.began = now
	}
	p.answered++
}

// refused learns from a refusal: in the time from the first answered scrape to when the pod answers again, it allows
// as many as it answered. It gives how long to wait.
func (p *pace) refused(now time.Time, after time.Duration) time.Duration {
	learned := 2 * p.next()
	if p.answered > 0 {
		learned = (now.Sub(p.began) + after) / time.Duration(p.answered) * 11 / 10
	}
	p.allowed = min(max(p.allowed, learned), slowest)
	p.answered = 0
	return after
}
