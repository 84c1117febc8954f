package kube

import (
	"context"
	"errors"
	"fmt"
	"maps"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// ErrConflict says that an object was written by somebody else since it was read.
var ErrConflict = errors.New("written by somebody else meanwhile")

// ConfigMap gives the data of a ConfigMap and its resource version; both are empty when it does not exist.
func (c *Client) ConfigMap(ctx context.Context, namespace, name string) (data map[string]string, version string,
	err error) {
	ctx, cancel := bounded(ctx)
	defer cancel()
	found, err := c.clientset.CoreV1().ConfigMaps(namespace).Get(ctx, name, metav1.GetOptions{})
	if apierrors.IsNotFound(err) {
		return nil, "", nil
	}
	if err != nil {
		return nil, "", fmt.Errorf("get configmap %s/%s: %w", namespace, name, errors.Join(err, lateCause(ctx)))
	}
	return found.Data, found.ResourceVersion, nil
}

// DeleteConfigMap deletes a ConfigMap; what does not exist is deleted.
func (c *Client) DeleteConfigMap(ctx context.Context, namespace, name string) error {
	ctx, cancel := bounded(ctx)
	defer cancel()
	err := c.clientset.CoreV1().ConfigMaps(namespace).Delete(ctx, name, metav1.DeleteOptions{})
	if err != nil && !apierrors.IsNotFound(err) {
		return fmt.Errorf("delete configmap %s/%s: %w", namespace, name, errors.Join(err, lateCause(ctx)))
	}
	return nil
}

// SwapConfigMap writes the data of a ledger's ConfigMap if its resource version is still the given one; with an empty
// version the ConfigMap must not exist yet. Otherwise the error is ErrConflict.
func (c *Client) SwapConfigMap(ctx context.Context, namespace, name string, data map[string]string,
	version string) error {
	ctx, cancel := bounded(ctx)
	defer cancel()
	config := &corev1.ConfigMap{
		ObjectMeta: metav1.ObjectMeta{
			Name: name, Namespace: namespace, ResourceVersion: version,
			// By its purpose the guard finds it.
			Labels: map[string]string{"app.kubernetes.io/managed-by": fieldManager, labelPurpose: purposeLedger},
		},
		Data: maps.Clone(data),
	}
	client := c.clientset.CoreV1().ConfigMaps(namespace)
	var err error
	if version == "" {
		_, err = client.Create(ctx, config, metav1.CreateOptions{FieldManager: fieldManager})
	} else {
		_, err = client.Update(ctx, config, metav1.UpdateOptions{FieldManager: fieldManager})
	}
	switch {
	case err == nil:
		return nil
	// What was deleted meanwhile is a conflict as well: the data may rest on what is gone.
	case apierrors.IsConflict(err), apierrors.IsAlreadyExists(err), version != "" && apierrors.IsNotFound(err):
		return fmt.Errorf("configmap %s/%s: %w", namespace, name, ErrConflict)
	default:
		return fmt.Errorf("write configmap %s/%s: %w", namespace, name, errors.Join(err, lateCause(ctx)))
	}
}
