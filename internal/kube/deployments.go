package kube

import (
	"context"
	"errors"
	"fmt"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// Deployment gives a Deployment. The second result is false when it does not exist.
func (c *Client) Deployment(ctx context.Context, namespace, name string) (*appsv1.Deployment, bool, error) {
	found, err := c.deployment(ctx, namespace, name)
	if apierrors.IsNotFound(err) {
		return nil, false, nil
	}
	return found, err == nil, err
}

// LeaseHolder tells who holds a Lease, and when the holder said so last. Nobody holds one that does not exist or was released.
func (c *Client) LeaseHolder(ctx context.Context, namespace, name string) (holder string, renewed time.Time, err error) {
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

// OperatorLease is the name of the Lease that an operator's command holds while it changes the rollout of an app.
func OperatorLease(app string) string { return app + "-operator" }
