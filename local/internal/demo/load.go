package demo

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/golang-jwt/jwt/v5"
	vegeta "github.com/tsenart/vegeta/v12/lib"
)

// The load is gentle, goes to 127.0.0.1 only and ends by itself.
const (
	customersPerSecond = 30
	// CustomersStay is how long the customers of one start keep coming.
	CustomersStay  = 30 * time.Minute
	shareRequests  = 400
	sharePerSecond = 40
)

// Customers sends requests to the production stack until they have stayed long enough or the context ends. The bake
// of a canary asks Prometheus for requests, so without customers it would find no evidence.
func Customers(ctx context.Context, secret string) error {
	_, err := send(ctx, NodePorts["production"], secret, customersPerSecond, CustomersStay)
	return err
}

// servedBy is the header in which the example service names its pod.
const servedBy = "X-Served-By"

// Load is the outcome of a run of requests.
type Load struct {
	// Requests were sent; Failed of them got an error or no answer.
	Requests, Failed int
	// LastError is the error of the last failed request.
	LastError string
	// ByPod counts the answers of each pod.
	ByPod map[string]int
}

// Share is the share of the answers that came from pods whose name begins with the prefix, 0 to 1.
func (l Load) Share(prefix string) float64 {
	answered, matching := 0, 0
	for pod, count := range l.ByPod {
		answered += count
		if strings.HasPrefix(pod, prefix) {
			matching += count
		}
	}
	if answered == 0 {
		return 0
	}
	return float64(matching) / float64(answered)
}

// send sends requests to the node port until the context ends, but no longer than the limit. Each has a connection of
// its own, because a kept one would stay with one pod.
func send(ctx context.Context, nodePort int, secret string, perSecond int, limit time.Duration) (Load, error) {
	token, err := jwt.NewWithClaims(jwt.SigningMethodHS256, jwt.MapClaims{
		"sub": "demo", "exp": time.Now().Add(limit + time.Minute).Unix(),
	}).SignedString([]byte(secret))
	if err != nil {
		return Load{}, fmt.Errorf("sign a token: %w", err)
	}
	target := vegeta.NewStaticTargeter(vegeta.Target{
		Method: http.MethodPost,
		URL:    fmt.Sprintf("http://127.0.0.1:%d/graphql", nodePort),
		Body:   []byte(`{"query":"{ __typename }"}`),
		Header: http.Header{"Content-Type": {"application/json"}, "Authorization": {"Bearer " + token}},
	})
	// A client that leaves the choice of the local port to the kernel; the attacker's own one binds it.
	attacker := vegeta.NewAttacker(vegeta.Client(&http.Client{
		Transport: &http.Transport{DisableKeepAlives: true}, Timeout: 5 * time.Second,
	}))
	results := attacker.Attack(target, vegeta.Rate{Freq: perSecond, Per: time.Second}, limit, "demo")
	stop := context.AfterFunc(ctx, func() { attacker.Stop() })
	defer stop()
	load := Load{ByPod: map[string]int{}}
	for result := range results {
		load.Requests++
		if pod := result.Headers.Get(servedBy); pod != "" {
			load.ByPod[pod]++
		}
		if result.Error != "" {
			load.Failed++
			load.LastError = result.Error
		}
	}
	return load, nil
}

// explain names the last error; empty if no request failed.
func (l Load) explain() string {
	if l.Failed == 0 {
		return ""
	}
	return ": " + l.LastError
}
