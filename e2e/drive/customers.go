package drive

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/golang-jwt/jwt/v5"
	vegeta "github.com/tsenart/vegeta/v12/lib"
)

// faultsPort is where the example service's faults are switched, on the pod's loopback.
const faultsPort = 9014

func (s *Stack) put(ctx context.Context, pod string, body []byte) error {
	put, closePod, err := s.connect(ctx, pod, body)
	if err != nil {
		return err
	}
	defer closePod()
	return put()
}

// connect reaches the switch of a pod's faults; what it gives sends the body.
func (s *Stack) connect(ctx context.Context, pod string, body []byte) (put func() error, closePod func(), err error) {
	client, base, closePod, err := s.Cluster.PodClient(ctx, s.Namespace, pod, faultsPort)
	if err != nil {
		return nil, nil, err
	}
	return func() error {
		request, err := http.NewRequestWithContext(ctx, http.MethodPut, base+"/faults", bytes.NewReader(body))
		if err != nil {
			return err
		}
		answer, err := client.Do(request)
		if err != nil {
			return err
		}
		defer answer.Body.Close()
		if answer.StatusCode != http.StatusOK {
			text, _ := io.ReadAll(io.LimitReader(answer.Body, 200))
			return fmt.Errorf("status %d: %s", answer.StatusCode, text)
		}
		return nil
	}, closePod, nil
}

// Customers send requests to a node port of 127.0.0.1, each over a connection of its own, until they are ended.
type Customers struct {
	attacker *vegeta.Attacker
	done     chan struct{}

	mu       sync.Mutex
	requests int
	byPod    map[string]int
	failures []Failure
}

// Failure is a request that got no good answer.
type Failure struct {
	At time.Time
	// Pod answered; empty when nobody did. Reason tells how.
	Pod, Reason string
}

// longest bounds the customers' stay.
const longest = 4 * time.Hour

// Send begins to send that many requests a second.
func Send(nodePort, perSecond int, secret []byte) (*Customers, error) {
	token, err := jwt.NewWithClaims(jwt.SigningMethodHS256, jwt.MapClaims{"sub": "drive", "exp": time.Now().Add(longest + time.Minute).Unix()}).SignedString(secret)
	if err != nil {
		return nil, fmt.Errorf("sign a token: %w", err)
	}
	target := vegeta.NewStaticTargeter(vegeta.Target{
		Method: http.MethodPost, URL: fmt.Sprintf("http://127.0.0.1:%d/graphql", nodePort), Body: []byte(`{"query":"{ __typename }"}`),
		Header: http.Header{"Content-Type": {"application/json"}, "Authorization": {"Bearer " + token}},
	})
	c := &Customers{
		attacker: vegeta.NewAttacker(vegeta.Client(&http.Client{Transport: &http.Transport{DisableKeepAlives: true}, Timeout: 10 * time.Second})),
		done:     make(chan struct{}), byPod: map[string]int{},
	}
	results := c.attacker.Attack(target, vegeta.Rate{Freq: perSecond, Per: time.Second}, longest, "customers")
	go func() {
		defer close(c.done)
		for result := range results {
			c.take(result)
		}
	}()
	return c, nil
}

func (c *Customers) take(result *vegeta.Result) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.requests++
	pod := result.Headers.Get("X-Served-By")
	c.byPod[pod]++
	if result.Error == "" {
		return
	}
	c.failures = append(c.failures, Failure{At: result.Timestamp, Pod: pod, Reason: fmt.Sprintf("%d %s", result.Code, result.Error)})
}

// End ends them.
func (c *Customers) End() {
	c.attacker.Stop()
	<-c.done
}

// Failures are those since a time.
func (c *Customers) Failures(since time.Time) []Failure {
	c.mu.Lock()
	defer c.mu.Unlock()
	var list []Failure
	for _, failure := range c.failures {
		if !failure.At.Before(since) {
			list = append(list, failure)
		}
	}
	return list
}

// Answered counts the requests so far, and the answers of pods whose names begin with the prefix.
func (c *Customers) Answered(prefix string) (requests, answers int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for pod, count := range c.byPod {
		if strings.HasPrefix(pod, prefix) {
			answers += count
		}
	}
	return c.requests, answers
}
