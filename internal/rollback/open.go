package rollback

import (
	"context"
)

// Opener widens a Service's selector.
type Opener interface {
	// OpenService removes a label from a Service's selector and reports whether the selector had it.
	OpenService(ctx context.Context, namespace, service, label string) (bool, error)
}

// ByOpening makes the Service send requests to the stable pods again where it selects only the canary's, as it does at
// 100 % while stable stands by. The isolation then leaves as many of the canary's pods as stable has not taken over
// for. A Service that selects both tracks stays as it is. The returned function is idempotent.
func ByOpening(cluster Opener, label string, options Options) func(context.Context) (string, error) {
	return func(ctx context.Context) (string, error) {
		opened, err := cluster.OpenService(ctx, options.Namespace, options.Service, label)
		if err != nil || !opened {
			return "the Service selects both tracks", err
		}
		return "the Service selects both tracks now", nil
	}
}
