package kube

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
)

// AllPods lists the pods that carry all the labels, ready or not, by name. At least one label must be given.
func (c *Client) AllPods(ctx context.Context, namespace string, selector map[string]string) ([]corev1.Pod, error) {
	return c.allPods(ctx, namespace, selector)
}

// LabelPods gives every pod that carries all the labels of selector the label key=value, and names those that it
// changed. A pod that vanishes meanwhile is none.
func (c *Client) LabelPods(ctx context.Context, namespace string, selector map[string]string, key,
	value string) ([]string, error) {
	pods, err := c.allPods(ctx, namespace, selector)
	if err != nil {
		return nil, err
	}
	patch, err := json.Marshal(map[string]any{"metadata": map[string]any{"labels": map[string]string{key: value}}})
	if err != nil {
		return nil, fmt.Errorf("encode label: %w", err)
	}
	var changed []string
	var failed []error
	for i := range pods {
		if pods[i].Labels[key] == value {
			continue
		}
		err := c.patchPod(ctx, namespace, pods[i].Name, patch)
		switch {
		case apierrors.IsNotFound(err):
		case err != nil:
			failed = append(failed, fmt.Errorf("label pod %s/%s: %w", namespace, pods[i].Name, err))
		default:
			changed = append(changed, pods[i].Name)
		}
	}
	return changed, errors.Join(failed...)
}

// LabelPod gives one pod a label, or takes it away when the value is empty.
func (c *Client) LabelPod(ctx context.Context, namespace, pod, key, value string) error {
	set := map[string]any{key: value}
	if value == "" {
		set[key] = nil
	}
	patch, err := json.Marshal(map[string]any{"metadata": map[string]any{"labels": set}})
	if err != nil {
		return fmt.Errorf("encode label: %w", err)
	}
	if err := c.patchPod(ctx, namespace, pod, patch); err != nil {
		return fmt.Errorf("label pod %s/%s: %w", namespace, pod, err)
	}
	return nil
}

func (c *Client) patchPod(ctx context.Context, namespace, name string, patch []byte) error {
	ctx, cancel := bounded(ctx)
	defer cancel()
	_, err := c.clientset.CoreV1().Pods(namespace).Patch(ctx, name, types.MergePatchType, patch,
		metav1.PatchOptions{FieldManager: fieldManager})
	return err
}

// Endpoints names the pods that a Service sends requests to now, by its EndpointSlices.
func (c *Client) Endpoints(ctx context.Context, namespace, service string) ([]string, error) {
	ctx, cancel := bounded(ctx)
	defer cancel()
	list, err := c.clientset.DiscoveryV1().EndpointSlices(namespace).List(ctx, metav1.ListOptions{
		LabelSelector: discoveryv1.LabelServiceName + "=" + service,
	})
	if err != nil {
		return nil, fmt.Errorf("list the endpoints of service %s/%s: %w", namespace, service,
			errors.Join(err, lateCause(ctx)))
	}
	var pods []string
	for _, slice := range list.Items {
		for _, endpoint := range slice.Endpoints {
			ready := endpoint.Conditions.Ready == nil || *endpoint.Conditions.Ready
			if ready && endpoint.TargetRef != nil && endpoint.TargetRef.Kind == "Pod" {
				pods = append(pods, endpoint.TargetRef.Name)
			}
		}
	}
	slices.Sort(pods)
	return slices.Compact(pods), nil
}

// OpenService takes a label out of a Service's selector and tells whether it was there.
func (c *Client) OpenService(ctx context.Context, namespace, service, label string) (bool, error) {
	ctx, cancel := bounded(ctx)
	defer cancel()
	client := c.clientset.CoreV1().Services(namespace)
	found, err := client.Get(ctx, service, metav1.GetOptions{})
	if err != nil {
		return false, fmt.Errorf("get service %s/%s: %w", namespace, service, errors.Join(err, lateCause(ctx)))
	}
	if _, selected := found.Spec.Selector[label]; !selected {
		return false, nil
	}
	patch, err := json.Marshal(map[string]any{"spec": map[string]any{"selector": map[string]any{label: nil}}})
	if err != nil {
		return false, fmt.Errorf("encode selector: %w", err)
	}
	if _, err := client.Patch(ctx, service, types.MergePatchType, patch,
		metav1.PatchOptions{FieldManager: fieldManager}); err != nil {
		return false, fmt.Errorf("open service %s/%s to both tracks: %w", namespace, service,
			errors.Join(err, lateCause(ctx)))
	}
	return true, nil
}

// Replicas is how many pods a Deployment shall have now; none when it does not exist.
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

// Scale sets the replicas of a Deployment. What does not exist has none, so that scaling it to 0 is done.
func (c *Client) Scale(ctx context.Context, namespace, deployment string, replicas int) error {
	ctx, cancel := bounded(ctx)
	defer cancel()
	patch := fmt.Appendf(nil, `{"spec":{"replicas":%d}}`, replicas)
	_, err := c.clientset.AppsV1().Deployments(namespace).Patch(ctx, deployment, types.MergePatchType, patch,
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

// EventTexts lists the events of the objects of that name prefix as lines, the newest last.
func (c *Client) EventTexts(ctx context.Context, namespace, prefix string) ([]string, error) {
	ctx, cancel := bounded(ctx)
	defer cancel()
	list, err := c.clientset.CoreV1().Events(namespace).List(ctx, metav1.ListOptions{})
	if err != nil {
		return nil, fmt.Errorf("list the events of %s: %w", namespace, errors.Join(err, lateCause(ctx)))
	}
	slices.SortFunc(list.Items, func(a, b corev1.Event) int { return a.LastTimestamp.Compare(b.LastTimestamp.Time) })
	var lines []string
	for i := range list.Items {
		event := &list.Items[i]
		if len(event.InvolvedObject.Name) >= len(prefix) && event.InvolvedObject.Name[:len(prefix)] == prefix {
			lines = append(lines, fmt.Sprintf("%s %s %s %s/%s: %.500s", event.LastTimestamp.UTC().Format("15:04:05"), event.Type,
				event.Reason,
				event.InvolvedObject.Kind, event.InvolvedObject.Name, event.Message))
		}
	}
	return lines, nil
}

// WaitEndpoints waits until the Service sends requests to at least that many pods of the selector. It ends with the
// context, which needs a deadline to end at all.
func (c *Client) WaitEndpoints(ctx context.Context, namespace, service string, selector map[string]string,
	atLeast int) error {
	found := 0
	err := poll(ctx, func() error {
		endpoints, err := c.Endpoints(ctx, namespace, service)
		if err != nil {
			return err
		}
		pods, err := c.allPods(ctx, namespace, selector)
		if err != nil {
			return err
		}
		found = 0
		for i := range pods {
			if _, taking := slices.BinarySearch(endpoints, pods[i].Name); taking {
				found++
			}
		}
		if found < atLeast {
			return fmt.Errorf("%d of %d pods take requests", found, atLeast)
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("service %s/%s does not send requests to %d pods with %v: %w", namespace, service, atLeast,
			selector, err)
	}
	return nil
}

// stopPolling is an error that no later try cures.
type stopPolling struct{ error }

// Unwrap gives the error itself.
func (e stopPolling) Unwrap() error { return e.error }

// poll asks until there is no error or one that no later try cures, and gives the last one when the context ends.
func poll(ctx context.Context, ask func() error) error {
	ticker := time.NewTicker(pollInterval)
	defer ticker.Stop()
	for {
		err := ask()
		if err == nil {
			return nil
		}
		if final, ok := errors.AsType[stopPolling](err); ok {
			return final.error
		}
		select {
		case <-ctx.Done():
			return errors.Join(err, context.Cause(ctx))
		case <-ticker.C:
		}
	}
}
