package rollback

import (
	"context"
	"fmt"
	"time"
)

// Opener widens a Service's selector.
type Opener interface {
	Deployments
	// OpenService removes a label from a Service's selector and reports whether the selector had it.
	OpenService(ctx context.Context, namespace, service, label string) (bool, error)
}

// openLimit is the longest time that a bad canary stays in traffic while stable grows.
const openLimit = 15 * time.Second

// ByOpening makes the Service send requests to the stable pods again where it selects only the canary's, as it does at
// 100 % while stable stands by. Isolating the canary at once would leave no pod to answer: stable grows first, for at
// most openLimit. A Service that selects both tracks stays as it is. The returned function is idempotent.
func ByOpening(cluster Opener, label string, options Options) func(context.Context) (string, error) {
	return func(ctx context.Context) (string, error) {
		opened, err := cluster.OpenService(ctx, options.Namespace, options.Service, label)
		if err != nil || !opened {
			return "the Service selects both tracks", err
		}
		ctx, cancel := context.WithTimeoutCause(ctx, openLimit, fmt.Errorf("a bad canary stays in traffic for at most %v",
			openLimit))
		defer cancel()
		replicas, err := growStable(ctx, cluster, options)
		if err != nil {
			return "the Service selects both tracks now", err
		}
		return fmt.Sprintf("the Service selects both tracks now, %d stable pods are ready", replicas), nil
	}
}
