package prometheus

import (
	"fmt"
	"net/http"

	"github.com/prometheus/client_golang/api"

	"github.com/vextrus/finance-rollout/internal/endpoint"
)

// Connect reaches the server at an endpoint in the form that [endpoint.Parse] reads. Nothing is asked yet: the error
// is one of the endpoint's form.
func Connect(way endpoint.Way, text string) (*Client, error) {
	client, address, err := way.Client(text)
	if err != nil {
		return nil, fmt.Errorf("prometheus: %w", err)
	}
	return NewClient(client, address)
}

// NewClient asks the server at the address through the HTTP client, whose answers it bounds.
func NewClient(client *http.Client, address string) (*Client, error) {
	careful := *client
	careful.Transport = Bounded(transportOf(client))
	asked, err := api.NewClient(api.Config{Address: address, Client: &careful})
	if err != nil {
		return nil, fmt.Errorf("prometheus %s: %w", address, err)
	}
	return New(asked), nil
}

func transportOf(client *http.Client) http.RoundTripper {
	if client.Transport != nil {
		return client.Transport
	}
	return api.DefaultRoundTripper
}
