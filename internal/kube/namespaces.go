package kube

import (
	"context"
	"fmt"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// Namespace is what is known of a namespace.
type Namespace struct {
	// UID is the identity that the cluster gave it. That of kube-system stands for the cluster.
	UID string
	// Terminating is true once it was deleted and is on its way out: nothing can be made in it.
	Terminating bool
	Labels      map[string]string
	Annotations map[string]string
}

// NamespaceOwner gives a namespace with its labels and annotations, by which one tells whose it is. The second result
// is false when the namespace does not exist.
func (c *Client) NamespaceOwner(ctx context.Context, namespace string) (Namespace, bool, error) {
	ctx, cancel := bounded(ctx)
	defer cancel()
	live, err := c.clientset.CoreV1().Namespaces().Get(ctx, namespace, metav1.GetOptions{})
	if apierrors.IsNotFound(err) {
		return Namespace{}, false, nil
	}
	if err != nil {
		return Namespace{}, false, fmt.Errorf("get namespace %s: %w", namespace, err)
	}
	return Namespace{
		UID: string(live.UID), Terminating: live.DeletionTimestamp != nil,
		Labels: live.Labels, Annotations: live.Annotations,
	}, true, nil
}
