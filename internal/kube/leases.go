package kube

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	coordinationv1 "k8s.io/api/coordination/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
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
				Client:    c.urgent().CoordinationV1(), LockConfig: resourcelock.ResourceLockConfig{Identity: identity},
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

const (
	// HoldFor is the age from which on a Lease that nobody renewed is free again: its holder was killed.
	HoldFor    = 30 * time.Second
	renewEvery = 10 * time.Second
)

// HeldError says that somebody else holds a Lease.
type HeldError struct {
	Holder string
	Since  time.Time
}

// Error names the holder.
func (e *HeldError) Error() string {
	return fmt.Sprintf("%s is at it, since %s", e.Holder, e.Since.UTC().Format(time.RFC3339))
}

// LeaseHolder tells who holds a Lease, and when the holder said so last. Nobody holds one that does not exist or was
// released.
func (c *Client) LeaseHolder(ctx context.Context, namespace, name string) (holder string, renewed time.Time,
	err error) {
	ctx, cancel := bounded(ctx)
	defer cancel()
	lease, err := c.clientset.CoordinationV1().Leases(namespace).Get(ctx, name, metav1.GetOptions{})
	if apierrors.IsNotFound(err) {
		return "", time.Time{}, nil
	}
	if err != nil {
		return "", time.Time{}, fmt.Errorf("get lease %s/%s: %w", namespace, name, errors.Join(err, lateCause(ctx)))
	}
	if lease.Spec.HolderIdentity == nil {
		return "", time.Time{}, nil
	}
	if lease.Spec.RenewTime != nil {
		renewed = lease.Spec.RenewTime.Time
	}
	return *lease.Spec.HolderIdentity, renewed, nil
}

// Hold takes a Lease until release is called, and renews it until then. The error is a *HeldError when somebody else
// holds it. With force it is taken all the same.
func (c *Client) Hold(ctx context.Context, namespace, name, identity string, force bool) (release func(), err error) {
	if err := c.acquire(ctx, namespace, name, identity, force); err != nil {
		return nil, err
	}
	holding, stop := context.WithCancel(context.WithoutCancel(ctx))
	done := make(chan struct{})
	go func() {
		defer close(done)
		ticker := time.NewTicker(renewEvery)
		defer ticker.Stop()
		for {
			select {
			case <-holding.Done():
				return
			case <-ticker.C:
				// A Lease that cannot be renewed, or that somebody took by force, keeps nobody from going on: it is a courtesy.
				_ = c.acquire(holding, namespace, name, identity, false)
			}
		}
	}()
	return func() {
		stop()
		<-done
		_ = c.letGo(context.WithoutCancel(ctx), namespace, name, identity)
	}, nil
}

func (c *Client) acquire(ctx context.Context, namespace, name, identity string, force bool) error {
	ctx, cancel := bounded(ctx)
	defer cancel()
	client := c.clientset.CoordinationV1().Leases(namespace)
	now, seconds := metav1.NowMicro(), int32(HoldFor.Seconds())
	lease, err := client.Get(ctx, name, metav1.GetOptions{})
	if apierrors.IsNotFound(err) {
		lease = &coordinationv1.Lease{ObjectMeta: metav1.ObjectMeta{Name: name, Namespace: namespace}}
		lease.Spec = coordinationv1.LeaseSpec{HolderIdentity: &identity, AcquireTime: &now, RenewTime: &now,
			LeaseDurationSeconds: &seconds}
		_, err = client.Create(ctx, lease, metav1.CreateOptions{FieldManager: fieldManager})
		if apierrors.IsAlreadyExists(err) {
			return &HeldError{Holder: "somebody else", Since: now.Time}
		}
		return leaseError(ctx, namespace, name, err)
	}
	if err != nil {
		return leaseError(ctx, namespace, name, err)
	}
	holder, since := heldBy(lease)
	if holder != identity {
		if holder != "" && !force {
			return &HeldError{Holder: holder, Since: since}
		}
		lease.Spec.AcquireTime = &now
	}
	lease.Spec.HolderIdentity, lease.Spec.RenewTime, lease.Spec.LeaseDurationSeconds = &identity, &now, &seconds
	_, err = client.Update(ctx, lease, metav1.UpdateOptions{FieldManager: fieldManager})
	if apierrors.IsConflict(err) {
		return &HeldError{Holder: "somebody else", Since: now.Time}
	}
	return leaseError(ctx, namespace, name, err)
}

// heldBy is who holds a Lease now; nobody when it was released or is old.
func heldBy(lease *coordinationv1.Lease) (holder string, since time.Time) {
	spec := lease.Spec
	if spec.HolderIdentity == nil || *spec.HolderIdentity == "" || spec.RenewTime == nil ||
		time.Since(spec.RenewTime.Time) > HoldFor {
		return "", time.Time{}
	}
	if spec.AcquireTime != nil {
		since = spec.AcquireTime.Time
	}
	return *spec.HolderIdentity, since
}

func (c *Client) letGo(ctx context.Context, namespace, name, identity string) error {
	ctx, cancel := bounded(ctx)
	defer cancel()
	client := c.clientset.CoordinationV1().Leases(namespace)
	lease, err := client.Get(ctx, name, metav1.GetOptions{})
	if err != nil {
		return err
	}
	if holder, _ := heldBy(lease); holder != identity {
		return nil
	}
	nobody := ""
	lease.Spec.HolderIdentity = &nobody
	_, err = client.Update(ctx, lease, metav1.UpdateOptions{FieldManager: fieldManager})
	return err
}

func leaseError(ctx context.Context, namespace, name string, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("take lease %s/%s: %w", namespace, name, errors.Join(err, lateCause(ctx)))
}
