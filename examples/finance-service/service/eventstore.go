package service

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/url"
)

// EventStore is the part of an event store that the health report needs.
type EventStore interface {
	// Ping returns an error if the store cannot be reached. It honors the context's deadline.
	Ping(ctx context.Context) error
}

// ParseEventStore returns the event store of a connection string. This is a stand-in: esdb://host:port?tls=… is
// reachable if a TCP connection can be opened, memory:// always is. The error does not show the string, which may
// hold a password.
func ParseEventStore(connection Secret) (EventStore, error) {
	u, err := url.Parse(string(connection))
	if err != nil {
		return nil, errors.New("must be esdb://host:port?tls=… or memory://; it cannot be read as a URL")
	}
	switch u.Scheme {
	case "memory":
		return memoryStore{}, nil
	case "esdb", "esdb+discover":
		if u.Hostname() == "" {
			return nil, errors.New("must be esdb://host:port?tls=…; it names no host")
		}
		port := u.Port()
		if port == "" {
			port = "2113"
		}
		return tcpStore{address: net.JoinHostPort(u.Hostname(), port)}, nil
	default:
		return nil, errors.New("must be esdb://host:port?tls=… or memory://; it has another scheme")
	}
}

// memoryStore lives in this process and is always there.
type memoryStore struct{}

func (memoryStore) Ping(context.Context) error { return nil }

// tcpStore is a store of which only the address is used.
type tcpStore struct{ address string }

func (s tcpStore) Ping(ctx context.Context) error {
	conn, err := new(net.Dialer).DialContext(ctx, "tcp", s.address)
	if err != nil {
		return fmt.Errorf("connect to the event store: %w", err)
	}
	return conn.Close()
}
