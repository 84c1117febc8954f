package kube

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// SecretKeys gives the names of the keys of a Secret, sorted, and never a value; the second result is false when it
// does not exist.
func (c *Client) SecretKeys(ctx context.Context, namespace, name string) ([]string, bool, error) {
	ctx, cancel := bounded(ctx)
	defer cancel()
	secret, err := c.clientset.CoreV1().Secrets(namespace).Get(ctx, name, metav1.GetOptions{})
	if apierrors.IsNotFound(err) {
		return nil, false, nil
	}
	if err != nil {
		return nil, false, fmt.Errorf("get secret %s/%s: %w", namespace, name, errors.Join(err, lateCause(ctx)))
	}
	return slices.Sorted(maps.Keys(secret.Data)), true, nil
}

// SecretStates gives what judge says of the value of each key of a Secret, and never a value. The second result is
// false when it does not exist.
func (c *Client) SecretStates(ctx context.Context, namespace, name string,
	judge func(value string) string) (map[string]string, bool, error) {
	ctx, cancel := bounded(ctx)
	defer cancel()
	secret, err := c.clientset.CoreV1().Secrets(namespace).Get(ctx, name, metav1.GetOptions{})
	if apierrors.IsNotFound(err) {
		return nil, false, nil
	}
	if err != nil {
		return nil, false, fmt.Errorf("get secret %s/%s: %w", namespace, name, errors.Join(err, lateCause(ctx)))
	}
	states := map[string]string{}
	for key, value := range secret.Data {
		states[key] = judge(string(value))
	}
	return states, true, nil
}

// SecretValue gives one value of a Secret; false when the Secret or the key does not exist.
func (c *Client) SecretValue(ctx context.Context, namespace, name, key string) (string, bool, error) {
	ctx, cancel := bounded(ctx)
	defer cancel()
	secret, err := c.clientset.CoreV1().Secrets(namespace).Get(ctx, name, metav1.GetOptions{})
	if apierrors.IsNotFound(err) {
		return "", false, nil
	}
	if err != nil {
		return "", false, fmt.Errorf("get secret %s/%s: %w", namespace, name, errors.Join(err, lateCause(ctx)))
	}
	value, ok := secret.Data[key]
	return string(value), ok, nil
}
