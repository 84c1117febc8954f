package shift

import (
	"context"
	"fmt"
	"sync"
)

// Digest is an image's digest that may become known later: that of an image which the update itself builds. It is
// safe for concurrent use.
type Digest struct {
	known chan struct{}
	once  sync.Once
	value string
}

// NewDigest is a digest that nobody knows yet.
func NewDigest() *Digest { return &Digest{known: make(chan struct{})} }

// KnownDigest is a digest that needs no waiting; empty for none.
func KnownDigest(value string) *Digest {
	d := NewDigest()
	d.Set(value)
	return d
}

// Set makes the digest known. Only the first call counts.
func (d *Digest) Set(value string) {
	d.once.Do(func() {
		d.value = value
		close(d.known)
	})
}

// Get waits until the digest is known. The error is the context's.
func (d *Digest) Get(ctx context.Context) (string, error) {
	select {
	case <-d.known:
		return d.value, nil
	case <-ctx.Done():
		return "", fmt.Errorf("wait for the image: %w", context.Cause(ctx))
	}
}

// IsKnown is true once Get does not wait.
func (d *Digest) IsKnown() bool {
	select {
	case <-d.known:
		return true
	default:
		return false
	}
}
