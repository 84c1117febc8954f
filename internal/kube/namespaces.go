package kube

import (
	"context"
	"fmt"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// Namespace is what is known of a namespace.
type Namespace struct {
	Labels      map[string]string
	Annotations map[string]string
}

// NamespaceOwner gives the labels and annotations of a namespace, by which one tells whose it is. The second result
// is false when the namespace does not exist.
func (c *Client) NamespaceOwner(ctx context.Context, namespace string) (Namespace, bool, error) {
	ctx, cancel := bounded(ctx)
	defer cancel()
	found, err := c.clientset.CoreV1().Namespaces().Get(ctx, namespace, metav1.GetOptions{})
	if apierrors.IsNotFound(err) {
		return Namespace{}, false, nil
	}
	if err != nil {
		return Namespace{}, false, fmt.Errorf("get namespace %s: %w", namespace, err)
	}
	return Namespace{Labels: found.Labels, Annotations: found.Annotations}, true, nil
}
