package kube

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	appsv1 "k8s.io/api/apps/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
)

// Exists reports whether a namespaced object exists. A kind that the cluster does not serve has no objects.
func (c *Client) Exists(ctx context.Context, kind schema.GroupVersionResource, namespace, name string) (bool, error) {
	_, exists, err := c.Object(ctx, kind, namespace, name)
	return exists, err
}

// Object gives a namespaced object of any kind. The second result is false when it does not exist, and when the cluster
// does not serve its kind.
func (c *Client) Object(ctx context.Context, kind schema.GroupVersionResource, namespace, name string) (
	*unstructured.Unstructured, bool, error) {
	ctx, cancel := bounded(ctx)
	defer cancel()
	object, err := c.dynamic.Resource(kind).Namespace(namespace).Get(ctx, name, metav1.GetOptions{})
	if apierrors.IsNotFound(err) {
		return nil, false, nil
	}
	if err != nil {
		return nil, false, fmt.Errorf("get %s %s/%s: %w", kind.Resource, namespace, name, errors.Join(err, lateCause(ctx)))
	}
	return object, true, nil
}

// Objects lists all objects of a kind in a namespace: none where the cluster does not serve the kind.
func (c *Client) Objects(ctx context.Context, kind schema.GroupVersionResource, namespace string) (
	[]unstructured.Unstructured, error) {
	ctx, cancel := bounded(ctx)
	defer cancel()
	list, err := c.dynamic.Resource(kind).Namespace(namespace).List(ctx, metav1.ListOptions{})
	if apierrors.IsNotFound(err) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("list %s in %s: %w", kind.Resource, namespace, errors.Join(err, lateCause(ctx)))
	}
	return list.Items, nil
}

// DeleteObject deletes a namespaced object. With orphan, what it owns stays. What does not exist is deleted.
func (c *Client) DeleteObject(ctx context.Context, kind schema.GroupVersionResource, namespace, name string,
	orphan bool) error {
	ctx, cancel := bounded(ctx)
	defer cancel()
	propagation := metav1.DeletePropagationBackground
	if orphan {
		propagation = metav1.DeletePropagationOrphan
	}
	err := c.dynamic.Resource(kind).Namespace(namespace).Delete(ctx, name,
		metav1.DeleteOptions{PropagationPolicy: &propagation})
	if err != nil && !apierrors.IsNotFound(err) {
		return fmt.Errorf("delete %s %s/%s: %w", kind.Resource, namespace, name, errors.Join(err, lateCause(ctx)))
	}
	return nil
}

// WaitGone waits until an object does not exist any more. It ends with the context, which needs a deadline to end at
// all.
func (c *Client) WaitGone(ctx context.Context, kind schema.GroupVersionResource, namespace, name string) error {
	return poll(ctx, func() error {
		exists, err := c.Exists(ctx, kind, namespace, name)
		if err == nil && exists {
			err = fmt.Errorf("%s %s/%s still exists", kind.Resource, namespace, name)
		}
		return err
	})
}

// ReplicaSet gives a ReplicaSet. The second result is false when it does not exist.
func (c *Client) ReplicaSet(ctx context.Context, namespace, name string) (*appsv1.ReplicaSet, bool, error) {
	ctx, cancel := bounded(ctx)
	defer cancel()
	set, err := c.clientset.AppsV1().ReplicaSets(namespace).Get(ctx, name, metav1.GetOptions{})
	if apierrors.IsNotFound(err) {
		return nil, false, nil
	}
	if err != nil {
		return nil, false, fmt.Errorf("get replicaset %s/%s: %w", namespace, name, errors.Join(err, lateCause(ctx)))
	}
	return set, true, nil
}

// ScaleReplicaSet sets the replicas of a ReplicaSet that no Deployment owns.
func (c *Client) ScaleReplicaSet(ctx context.Context, namespace, name string, replicas int) error {
	ctx, cancel := bounded(ctx)
	defer cancel()
	patch := fmt.Appendf(nil, `{"spec":{"replicas":%d}}`, replicas)
	_, err := c.clientset.AppsV1().ReplicaSets(namespace).Patch(ctx, name, types.MergePatchType, patch,
		metav1.PatchOptions{FieldManager: fieldManager})
	if err != nil {
		return fmt.Errorf("scale replicaset %s/%s to %d: %w", namespace, name, replicas, errors.Join(err, lateCause(ctx)))
	}
	return nil
}

// Annotate sets an annotation of an object, or of a namespace where the object's namespace is empty.
func (c *Client) Annotate(ctx context.Context, kind schema.GroupVersionResource, namespace, name, key,
	value string) error {
	return c.mark(ctx, kind, namespace, name, "annotations", key, &value)
}

// Unannotate takes an annotation away.
func (c *Client) Unannotate(ctx context.Context, kind schema.GroupVersionResource, namespace, name, key string) error {
	return c.mark(ctx, kind, namespace, name, "annotations", key, nil)
}

// Unlabel takes a label of an object away.
func (c *Client) Unlabel(ctx context.Context, kind schema.GroupVersionResource, namespace, name, key string) error {
	return c.mark(ctx, kind, namespace, name, "labels", key, nil)
}

// mark sets a label or an annotation, or takes it away where the value is nil.
func (c *Client) mark(ctx context.Context, kind schema.GroupVersionResource, namespace, name, field, key string,
	value *string) error {
	ctx, cancel := bounded(ctx)
	defer cancel()
	patch, err := json.Marshal(map[string]any{"metadata": map[string]any{field: map[string]*string{key: value}}})
	if err != nil {
		return fmt.Errorf("encode the %s: %w", field, err)
	}
	_, err = c.dynamic.Resource(kind).Namespace(namespace).Patch(ctx, name, types.MergePatchType, patch,
		metav1.PatchOptions{FieldManager: fieldManager})
	if err != nil {
		return fmt.Errorf("change %s of %s %s/%s by %s: %w", field, kind.Resource, namespace, name, key,
			errors.Join(err, lateCause(ctx)))
	}
	return nil
}
