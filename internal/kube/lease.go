package kube

import (
	"context"
	"fmt"
	"sync"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/tools/leaderelection"
	"k8s.io/client-go/tools/leaderelection/resourcelock"
)

// Durations of a leadership. A leader that dies is followed by another within leaseDuration; one that cannot reach
// the API server stops before that.
const (
	leaseDuration = 8 * time.Second
	renewDeadline = 5 * time.Second
	retryPeriod   = 1500 * time.Millisecond
)

// Lead takes part in the election that the Lease of that name holds, until the context ends, and calls lead while it
// is won. The context of lead ends with the leadership; Lead waits for lead to return before it tries again. Standing
// is called with the name of every new leader.
func (c *Client) Lead(ctx context.Context, namespace, name, identity string, lead func(context.Context),
	standing func(leader string)) error {
	// The elector starts lead in a goroutine of its own and does not wait for its end.
	var leading sync.Mutex
	defer leading.Lock()
	for ctx.Err() == nil {
		elector, err := leaderelection.NewLeaderElector(leaderelection.LeaderElectionConfig{
			Lock: &resourcelock.LeaseLock{
				LeaseMeta: metav1.ObjectMeta{Namespace: namespace, Name: name},
				Client:    c.clientset.CoordinationV1(), LockConfig: resourcelock.ResourceLockConfig{Identity: identity},
			},
			LeaseDuration: leaseDuration, RenewDeadline: renewDeadline, RetryPeriod: retryPeriod, ReleaseOnCancel: true,
			Name: name,
			Callbacks: leaderelection.LeaderCallbacks{
				OnStartedLeading: func(ctx context.Context) {
					leading.Lock()
					defer leading.Unlock()
					if ctx.Err() == nil {
						lead(ctx)
					}
				},
				OnStoppedLeading: func() {},
				OnNewLeader:      standing,
			},
		})
		if err != nil {
			return fmt.Errorf("take part in the election %s/%s: %w", namespace, name, err)
		}
		elector.Run(ctx)
	}
	return nil
}
