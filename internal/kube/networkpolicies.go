package kube

import (
	"context"
	"errors"
	"fmt"

	networkingv1 "k8s.io/api/networking/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// NetworkPolicy gives a NetworkPolicy. The second result is false when it does not exist.
func (c *Client) NetworkPolicy(ctx context.Context, namespace, name string) (*networkingv1.NetworkPolicy, bool, error) {
	ctx, cancel := bounded(ctx)
	defer cancel()
	policy, err := c.clientset.NetworkingV1().NetworkPolicies(namespace).Get(ctx, name, metav1.GetOptions{})
	if apierrors.IsNotFound(err) {
		return nil, false, nil
	}
	if err != nil {
		return nil, false, fmt.Errorf("get networkpolicy %s/%s: %w", namespace, name, errors.Join(err, lateCause(ctx)))
	}
	return policy, true, nil
}
