package rollback

import (
	"context"
	"fmt"
	"time"
)

// Opener opens Services.
type Opener interface {
	Deployments
	// OpenService takes a label out of a Service's selector and tells whether it was there.
	OpenService(ctx context.Context, namespace, service, label string) (bool, error)
}

// openLimit bounds how long a bad canary stays in traffic for the sake of stable's capacity.
const openLimit = 15 * time.Second

// ByOpening lets a Service send requests to the stable pods again where it selects the canary's alone, as it does at
// 100 % while stable stands by. To isolate the canary then would leave nobody to answer: stable is given the time to
// grow first, but not more than some seconds. A Service that selects both tracks is left as it is. It may be
// repeated.
func ByOpening(cluster Opener, label string, options Options) func(context.Context) (string, error) {
	return func(ctx context.Context) (string, error) {
		opened, err := cluster.OpenService(ctx, options.Namespace, options.Service, label)
		if err != nil || !opened {
			return "the Service selects both tracks", err
		}
		ctx, cancel := context.WithTimeoutCause(ctx, openLimit, fmt.Errorf("a bad canary waits no longer than %v", openLimit))
		defer cancel()
		replicas, err := growStable(ctx, cluster, options)
		if err != nil {
			return "the Service selects both tracks now", err
		}
		return fmt.Sprintf("the Service selects both tracks now, %d stable pods are ready", replicas), nil
	}
}
