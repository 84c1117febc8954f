package main

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/golang-jwt/jwt/v5"
	vegeta "github.com/tsenart/vegeta/v12/lib"
)

// longest limits a load that is never ended.
const longest = 20 * time.Minute

// answer is the outcome of a request.
type answer struct {
	sent   time.Time
	canary bool
	failed string // the error; empty if there was none
}

// load sends requests at a steady rate, each on a new connection, since a kept connection would stay with one pod.
type load struct {
	attacker *vegeta.Attacker
	done     chan struct{}
	answers  []answer
}

// startLoad starts to send requests.
func (s *stack) startLoad(ctx context.Context, o options, perSecond int) (*load, error) {
	token, err := jwt.NewWithClaims(jwt.SigningMethodHS256, jwt.MapClaims{
		"sub": "bench", "exp": time.Now().Add(longest + time.Minute).Unix(),
	}).SignedString(s.secret)
	if err != nil {
		return nil, fmt.Errorf("sign a token: %w", err)
	}
	header := http.Header{"Content-Type": {"application/json"}, "Authorization": {"Bearer " + token}}
	if o.host != "" {
		header.Set("Host", o.host)
	}
	target := vegeta.NewStaticTargeter(vegeta.Target{
		Method: http.MethodPost, URL: o.address + "/graphql", Body: []byte(`{"query":"{ __typename }"}`), Header: header,
	})
	l := &load{
		// With this client the kernel chooses the local port; the attacker's default client binds one.
		attacker: vegeta.NewAttacker(vegeta.Client(&http.Client{
			Transport: &http.Transport{DisableKeepAlives: true}, Timeout: 10 * time.Second,
		})),
		done: make(chan struct{}),
	}
	results := l.attacker.Attack(target, vegeta.Rate{Freq: perSecond, Per: time.Second}, longest, "shifts")
	stop := context.AfterFunc(ctx, func() { l.attacker.Stop() })
	go func() {
		defer close(l.done)
		defer stop()
		for result := range results {
			l.answers = append(l.answers, answer{
				sent: result.Timestamp, failed: result.Error,
				canary: strings.HasPrefix(result.Headers.Get("X-Served-By"), canary+"-"),
			})
		}
	}()
	return l, nil
}

// end stops the load, waits for the last answer and returns all of them.
func (l *load) end() []answer {
	l.attacker.Stop()
	<-l.done
	return l.answers
}

// count returns the number of answers to requests that were sent between two times, and how many came from the canary.
// Failed requests have no pod.
func count(answers []answer, from, to time.Time) (all, fromCanary int) {
	for _, a := range answers {
		if a.failed != "" || a.sent.Before(from) || !a.sent.Before(to) {
			continue
		}
		all++
		if a.canary {
			fromCanary++
		}
	}
	return all, fromCanary
}
