package kube

import (
	"context"
	"errors"
	"time"
)

// pollInterval is how often a wait looks; pods become ready in seconds.
const pollInterval = 500 * time.Millisecond

// stopPolling is an error that no later try cures.
type stopPolling struct{ error }

// Unwrap gives the error itself.
func (e stopPolling) Unwrap() error { return e.error }

// poll asks until there is no error or one that no later try cures, and gives the last one when the context ends.
func poll(ctx context.Context, ask func() error) error {
	ticker := time.NewTicker(pollInterval)
	defer ticker.Stop()
	for {
		err := ask()
		if err == nil {
			return nil
		}
		if final, ok := errors.AsType[stopPolling](err); ok {
			return final.error
		}
		select {
		case <-ctx.Done():
			return errors.Join(err, context.Cause(ctx))
		case <-ticker.C:
		}
	}
}
