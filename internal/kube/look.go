package kube

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// ReplicaSets lists those that a Deployment owns.
func (c *Client) ReplicaSets(ctx context.Context, owner *appsv1.Deployment) ([]appsv1.ReplicaSet, error) {
	ctx, cancel := bounded(ctx)
	defer cancel()
	list, err := c.clientset.AppsV1().ReplicaSets(owner.Namespace).List(ctx,
		metav1.ListOptions{LabelSelector: metav1.FormatLabelSelector(owner.Spec.Selector)})
	if err != nil {
		return nil, fmt.Errorf("list the replicasets of %s/%s: %w", owner.Namespace, owner.Name,
			errors.Join(err, lateCause(ctx)))
	}
	return slices.DeleteFunc(list.Items, func(set appsv1.ReplicaSet) bool { return !metav1.IsControlledBy(&set, owner) }),
		nil
}

// PodsOf lists the pods of a Deployment's ReplicaSets, by name. A pod that merely carries their labels is none:
// anybody who may create a pod in the namespace chooses its labels.
func (c *Client) PodsOf(ctx context.Context, owner *appsv1.Deployment) ([]corev1.Pod, error) {
	pods, err := c.listPods(ctx, owner.Namespace, metav1.FormatLabelSelector(owner.Spec.Selector))
	if err != nil || len(pods) == 0 {
		return nil, err
	}
	// They are listed after the pods, so that every pod's own is among them.
	sets, err := c.ReplicaSets(ctx, owner)
	if err != nil {
		return nil, err
	}
	return slices.DeleteFunc(pods, func(pod corev1.Pod) bool {
		return !slices.ContainsFunc(sets, func(set appsv1.ReplicaSet) bool { return metav1.IsControlledBy(&pod, &set) })
	}), nil
}

// DeploymentPods lists the pods of the Deployment of that name as [Client.PodsOf] does. One that does not exist has
// none.
func (c *Client) DeploymentPods(ctx context.Context, namespace, name string) ([]corev1.Pod, error) {
	owner, exists, err := c.Deployment(ctx, namespace, name)
	if err != nil || !exists {
		return nil, err
	}
	return c.PodsOf(ctx, owner)
}

// ReadyPods are those of [Client.DeploymentPods] that are ready for requests. Pods that are being deleted are not.
func (c *Client) ReadyPods(ctx context.Context, namespace, deployment string) ([]corev1.Pod, error) {
	pods, err := c.DeploymentPods(ctx, namespace, deployment)
	return slices.DeleteFunc(pods, func(pod corev1.Pod) bool { return !ready(&pod) }), err
}

// Events lists the events of a namespace, the newest last.
func (c *Client) Events(ctx context.Context, namespace string) ([]corev1.Event, error) {
	ctx, cancel := bounded(ctx)
	defer cancel()
	list, err := c.clientset.CoreV1().Events(namespace).List(ctx, metav1.ListOptions{})
	if err != nil {
		return nil, fmt.Errorf("list the events of %s: %w", namespace, errors.Join(err, lateCause(ctx)))
	}
	slices.SortStableFunc(list.Items, func(a, b corev1.Event) int { return eventTime(a).Compare(eventTime(b)) })
	return list.Items, nil
}

// eventTime is when an event was seen last, by whichever of its fields its maker fills.
func eventTime(event corev1.Event) time.Time {
	if series := event.Series; series != nil && !series.LastObservedTime.IsZero() {
		return series.LastObservedTime.Time
	}
	return cmp.Or(event.LastTimestamp.Time, event.EventTime.Time, event.CreationTimestamp.Time)
}

// SecretKeys gives the names of the keys of a Secret, sorted, and never a value; the second result is false when it
// does not exist.
func (c *Client) SecretKeys(ctx context.Context, namespace, name string) ([]string, bool, error) {
	ctx, cancel := bounded(ctx)
	defer cancel()
	found, err := c.clientset.CoreV1().Secrets(namespace).Get(ctx, name, metav1.GetOptions{})
	if apierrors.IsNotFound(err) {
		return nil, false, nil
	}
	if err != nil {
		return nil, false, fmt.Errorf("get secret %s/%s: %w", namespace, name, errors.Join(err, lateCause(ctx)))
	}
	return slices.Sorted(maps.Keys(found.Data)), true, nil
}

// ConfigMapKeys gives the names of the keys of a ConfigMap, sorted; the second result is false when it does not exist.
func (c *Client) ConfigMapKeys(ctx context.Context, namespace, name string) ([]string, bool, error) {
	data, version, err := c.ConfigMap(ctx, namespace, name)
	return slices.Sorted(maps.Keys(data)), version != "", err
}
