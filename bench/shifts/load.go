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

// longest bounds a load, should nobody end it.
const longest = 20 * time.Minute

// answer is what became of a request.
type answer struct {
	sent   time.Time
	canary bool
	failed string // why it failed; empty when it did not
}

// load are requests that are sent at a steady rate, each on a connection of its own, because a kept one would stay
// with one pod.
type load struct {
	attacker *vegeta.Attacker
	done     chan struct{}
	answers  []answer
}

// startLoad begins to send requests.
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
		// A client that leaves the choice of the local port to the kernel; the attacker's own one binds it.
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

// end stops the load, waits for its last answer and gives all of them.
func (l *load) end() []answer {
	l.attacker.Stop()
	<-l.done
	return l.answers
}

// count counts the answers to the requests that were sent between two times, and those of them that came from the
// canary. Requests that failed came from nobody.
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
