package soak

import (
	"context"
	"fmt"
	"net/http"
	"time"

	"github.com/vextrus/finance-rollout/internal/gate"
	"github.com/vextrus/finance-rollout/internal/jsonvalue"
)

// addressLimit bounds the answer of an address.
const addressLimit = 10 * time.Second

// WithAddresses is a server that answers for the addresses of criteria as well. The client is that of a login by its
// name; empty for none.
func WithAddresses(server Server, client func(login string) (*http.Client, error)) Server {
	return addresses{server, client}
}

type addresses struct {
	Server
	client func(login string) (*http.Client, error)
}

// Tell implements [gate.Teller].
func (a addresses) Tell(ctx context.Context, address gate.Address) (float64, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, addressLimit, fmt.Errorf("no answer within %v", addressLimit))
	defer cancel()
	client, err := a.client(address.Login)
	if err != nil {
		return 0, err
	}
	defer client.CloseIdleConnections()
	answer, err := jsonvalue.Fetch(ctx, client, jsonvalue.Request{Method: address.Method, URL: address.URL,
		Body: address.Body})
	if err != nil {
		return 0, err
	}
	return jsonvalue.Number(address.Field, answer)
}
