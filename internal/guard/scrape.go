package guard

import (
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"
	"time"
)

const (
	// scrapeTimeout bounds a scrape; the next scrape of the same pod waits for it.
	scrapeTimeout = 2 * time.Second
	// slowest is the longest time between two scrapes that a pod can ask for.
	slowest = 5 * time.Minute
	// defaultRetryAfter is the wait for a pod that refuses a scrape without naming a time.
	defaultRetryAfter = 10 * time.Second
)

// newScrapeClient makes the client for the pods, which are many and near: it keeps small connections open, uses no
// compression, and follows neither proxies nor redirects.
func newScrapeClient(expected *ScrapeTLS) *http.Client {
	certificate := &tls.Config{MinVersion: tls.VersionTLS12}
	if expected != nil {
		certificate.ServerName = expected.ServerName
		// The operator's own setting: a pod's certificate seldom names the pod's address.
		certificate.InsecureSkipVerify = expected.InsecureSkipVerify
	}
	way := func(certificate *tls.Config) *http.Transport {
		return &http.Transport{
			TLSClientConfig:    certificate,
			DialContext:        (&net.Dialer{Timeout: time.Second, KeepAlive: -1}).DialContext,
			DisableCompression: true, MaxIdleConnsPerHost: 1, IdleConnTimeout: time.Minute,
			ReadBufferSize: 4 << 10, WriteBufferSize: 1 << 10, MaxResponseHeaderBytes: 16 << 10,
		}
	}
	client := &http.Client{
		Timeout: scrapeTimeout, Transport: way(certificate),
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	if expected != nil && expected.CAFile != "" {
		client.Transport = &trusting{file: expected.CAFile, base: certificate, way: way}
	}
	return client
}

// limitedError is a pod's refusal to be scraped before some time has passed.
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
	request.Header.Set("Accept", into.names.accept())
	request.Header.Set("User-Agent", "finance-rollout-guard")
	answer, err := client.Do(request)
	if err != nil {
		return Rise{}, fmt.Errorf("scrape: %w", err)
	}
	defer func() {
		// Reading a short rest lets the connection be used again.
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
	into.at = now()
	rise, err := into.read(answer.Body)
	if err != nil {
		return Rise{}, fmt.Errorf("scrape %s: %w", address, err)
	}
	return rise, nil
}

// retryAfter reads the Retry-After header, which holds seconds or a date; see RFC 9110, section 10.2.3.
func retryAfter(header string, now time.Time) time.Duration {
	header = strings.TrimSpace(header)
	after := defaultRetryAfter
	if seconds, err := strconv.ParseInt(header, 10, 32); err == nil {
		after = time.Duration(seconds) * time.Second
	} else if date, err := http.ParseTime(header); err == nil {
		after = date.Sub(now)
	}
	return min(max(after, time.Second), time.Hour)
}

// pace is the time between two scrapes of a pod. It begins at the configured interval and learns the pod's rate limit
// from its refusals.
type pace struct {
	interval time.Duration
	// allowed is the time between two scrapes that the pod allows, 0 while it has refused none.
	allowed time.Duration
	// began is when the current window of the pod's rate limit began, as far as is known; answered counts the scrapes
	// that were answered in it.
	began    time.Time
	answered int
}

// next is the time to the next scrape.
func (p *pace) next() time.Duration { return max(p.interval, p.allowed) }

// slowed reports whether the pod is scraped less often than configured.
func (p *pace) slowed() bool { return p.allowed > p.interval }

func (p *pace) answer(now time.Time) {
	if p.answered == 0 {
		p.began = now
	}
	p.answered++
}

// refused learns from a refusal and returns how long to wait: from the first answered scrape until the pod answers
// again, the pod allows as many scrapes as it answered.
func (p *pace) refused(now time.Time, after time.Duration) time.Duration {
	learned := 2 * p.next()
	if p.answered > 0 {
		learned = (now.Sub(p.began) + after) / time.Duration(p.answered) * 11 / 10
	}
	p.allowed = min(max(p.allowed, learned), slowest)
	p.answered = 0
	return after
}
