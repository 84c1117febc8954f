package kube

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/types"

	"github.com/vextrus/finance-rollout/internal/kube/podstate"
)

// Deployment gives a Deployment. The second result is false when it does not exist.
func (c *Client) Deployment(ctx context.Context, namespace, name string) (*appsv1.Deployment, bool, error) {
	deployment, err := c.deployment(ctx, namespace, name)
	if apierrors.IsNotFound(err) {
		return nil, false, nil
	}
	return deployment, err == nil, err
}

// Deployments lists those that carry all the labels, by name. At least one label must be given.
func (c *Client) Deployments(ctx context.Context, namespace string, selector map[string]string) ([]appsv1.Deployment,
	error) {
	ctx, cancel := bounded(ctx)
	defer cancel()
	set, err := labels.ValidatedSelectorFromSet(selector)
	if err != nil || set.Empty() {
		return nil, fmt.Errorf("deployments in %s with labels %v: no valid labels given: %w", namespace, selector,
			errors.Join(err))
	}
	list, err := c.clientset.AppsV1().Deployments(namespace).List(ctx, metav1.ListOptions{LabelSelector: set.String()})
	if err != nil {
		return nil, fmt.Errorf("list deployments in %s with %s: %w", namespace, set, errors.Join(err, lateCause(ctx)))
	}
	slices.SortFunc(list.Items, func(a, b appsv1.Deployment) int { return strings.Compare(a.Name, b.Name) })
	return list.Items, nil
}

// DeleteDeployment deletes a Deployment and its pods; what does not exist is deleted.
func (c *Client) DeleteDeployment(ctx context.Context, namespace, name string) error {
	ctx, cancel := bounded(ctx)
	defer cancel()
	background := metav1.DeletePropagationBackground
	err := c.clientset.AppsV1().Deployments(namespace).Delete(ctx, name,
		metav1.DeleteOptions{PropagationPolicy: &background})
	if err != nil && !apierrors.IsNotFound(err) {
		return fmt.Errorf("delete deployment %s/%s: %w", namespace, name, errors.Join(err, lateCause(ctx)))
	}
	return nil
}

// CreateDeployment makes a Deployment. One of the same name that is being deleted is waited for, until the context
// ends.
func (c *Client) CreateDeployment(ctx context.Context, deployment *appsv1.Deployment) error {
	return poll(ctx, func() error {
		_, err := c.clientset.AppsV1().Deployments(deployment.Namespace).Create(ctx, deployment,
			metav1.CreateOptions{FieldManager: fieldManager})
		switch {
		case err == nil, apierrors.IsAlreadyExists(err):
			return err
		default:
			return stopPolling{fmt.Errorf("create deployment %s/%s: %w", deployment.Namespace, deployment.Name, err)}
		}
	})
}

func (c *Client) deployment(ctx context.Context, namespace, name string) (*appsv1.Deployment, error) {
	ctx, cancel := bounded(ctx)
	defer cancel()
	deployment, err := c.clientset.AppsV1().Deployments(namespace).Get(ctx, name, metav1.GetOptions{})
	if err != nil {
		return nil, fmt.Errorf("get deployment %s/%s: %w", namespace, name, err)
	}
	return deployment, nil
}

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

// Replicas is the number of pods that a Deployment asks for now; none when it does not exist.
func (c *Client) Replicas(ctx context.Context, namespace, name string) (int, error) {
	deployment, err := c.deployment(ctx, namespace, name)
	if apierrors.IsNotFound(err) {
		return 0, nil
	}
	if err != nil {
		return 0, err
	}
	if deployment.Spec.Replicas == nil {
		return 1, nil
	}
	return int(*deployment.Spec.Replicas), nil
}

// Growth is how far a Deployment is on its way to its pods, and why it gets no more of them. One that does not exist
// asks for none.
func (c *Client) Growth(ctx context.Context, namespace, name string) (podstate.Growth, error) {
	deployment, exists, err := c.Deployment(ctx, namespace, name)
	if err != nil || !exists {
		return podstate.Growth{}, err
	}
	var pods []corev1.Pod
	if podstate.GrowthOf(deployment, nil).Ready < int(deployment.Status.Replicas) {
		if pods, err = c.listPods(ctx, namespace, metav1.FormatLabelSelector(deployment.Spec.Selector)); err != nil {
			return podstate.Growth{}, err
		}
	}
	return podstate.GrowthOf(deployment, pods), nil
}

// Scale sets the replicas of a Deployment. Scaling a Deployment that does not exist to 0 succeeds.
func (c *Client) Scale(ctx context.Context, namespace, deployment string, replicas int) error {
	ctx, cancel := bounded(ctx)
	defer cancel()
	patch := fmt.Appendf(nil, `{"spec":{"replicas":%d}}`, replicas)
	_, err := c.urgent().AppsV1().Deployments(namespace).Patch(ctx, deployment, types.MergePatchType, patch,
		metav1.PatchOptions{FieldManager: fieldManager}, "scale")
	if apierrors.IsNotFound(err) && replicas == 0 {
		return nil
	}
	if err != nil {
		return fmt.Errorf("scale deployment %s/%s to %d: %w", namespace, deployment, replicas,
			errors.Join(err, lateCause(ctx)))
	}
	return nil
}
