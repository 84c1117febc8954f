package prometheus

import (
	"fmt"
	"net/http"

	"github.com/prometheus/client_golang/api"

	"github.com/vextrus/finance-rollout/internal/endpoint"
)

// Connect makes a Client for an endpoint in the form that [endpoint.Parse] reads. It sends no request yet: an error
// means that the endpoint cannot be parsed.
func Connect(way endpoint.Way, text string) (*Client, error) {
	client, address, err := way.Client(text)
	if err != nil {
		return nil, fmt.Errorf("prometheus: %w", err)
	}
	return NewClient(client, address)
}

// NewClient makes a Client for the server at the address. It uses a copy of the HTTP client with [Bounded] answers.
func NewClient(client *http.Client, address string) (*Client, error) {
	limited := *client
	limited.Transport = Bounded(transportOf(client))
	server, err := api.NewClient(api.Config{Address: address, Client: &limited})
	if err != nil {
		return nil, fmt.Errorf("prometheus %s: %w", address, err)
	}
	return New(server), nil
}

func transportOf(client *http.Client) http.RoundTripper {
	if client.Transport != nil {
		return client.Transport
	}
	return api.DefaultRoundTripper
}
