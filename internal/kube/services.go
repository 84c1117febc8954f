package kube

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
)

// Endpoints names the pods that a Service sends requests to now, by its EndpointSlices.
func (c *Client) Endpoints(ctx context.Context, namespace, service string) ([]string, error) {
	ctx, cancel := bounded(ctx)
	defer cancel()
	list, err := c.urgent().DiscoveryV1().EndpointSlices(namespace).List(ctx, metav1.ListOptions{
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

// EndpointsChanged gives a channel that receives after changes of the Service's EndpointSlices until the context ends.
// A watch that is refused or has ended gives nothing more: it spares a caller the wait for its next look, and no look.
func (c *Client) EndpointsChanged(ctx context.Context, namespace, service string) <-chan struct{} {
	changed := make(chan struct{}, 1)
	go func() {
		watched, err := c.urgent().DiscoveryV1().EndpointSlices(namespace).Watch(ctx, metav1.ListOptions{
			LabelSelector: discoveryv1.LabelServiceName + "=" + service,
		})
		if err != nil {
			return
		}
		defer watched.Stop()
		for {
			select {
			case <-ctx.Done():
				return
			case _, open := <-watched.ResultChan():
				if !open {
					return
				}
				select {
				case changed <- struct{}{}:
				default:
				}
			}
		}
	}()
	return changed
}

// WaitEndpoints waits until the Service sends requests to at least that many pods of the selector. It ends with the
// context, which needs a deadline to end at all.
func (c *Client) WaitEndpoints(ctx context.Context, namespace, service string, selector map[string]string,
	atLeast int) error {
	taking := 0
	err := poll(ctx, func() error {
		endpoints, err := c.Endpoints(ctx, namespace, service)
		if err != nil {
			return err
		}
		pods, err := c.allPods(ctx, namespace, selector)
		if err != nil {
			return err
		}
		taking = 0
		for i := range pods {
			if _, takes := slices.BinarySearch(endpoints, pods[i].Name); takes {
				taking++
			}
		}
		if taking < atLeast {
			return fmt.Errorf("%d of %d pods take requests", taking, atLeast)
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("service %s/%s does not send requests to %d pods with %v: %w", namespace, service, atLeast,
			selector, err)
	}
	return nil
}

// Service gives a Service. The second result is false when it does not exist.
func (c *Client) Service(ctx context.Context, namespace, service string) (*corev1.Service, bool, error) {
	ctx, cancel := bounded(ctx)
	defer cancel()
	live, err := c.clientset.CoreV1().Services(namespace).Get(ctx, service, metav1.GetOptions{})
	if apierrors.IsNotFound(err) {
		return nil, false, nil
	}
	if err != nil {
		return nil, false, fmt.Errorf("get service %s/%s: %w", namespace, service, errors.Join(err, lateCause(ctx)))
	}
	return live, true, nil
}

// ServiceSelector gives the labels that a Service selects pods by. The second result is false when there is no such
// Service.
func (c *Client) ServiceSelector(ctx context.Context, namespace, service string) (map[string]string, bool, error) {
	live, exists, err := c.Service(ctx, namespace, service)
	if err != nil || !exists {
		return nil, false, err
	}
	return live.Spec.Selector, true, nil
}

// OpenService takes a label out of a Service's selector and reports whether it was there.
func (c *Client) OpenService(ctx context.Context, namespace, service, label string) (bool, error) {
	selector, exists, err := c.ServiceSelector(ctx, namespace, service)
	if err != nil {
		return false, err
	}
	if !exists {
		return false, fmt.Errorf("open service %s/%s: there is no such service", namespace, service)
	}
	if _, selected := selector[label]; !selected {
		return false, nil
	}
	return true, c.SelectPods(ctx, namespace, service, label, "")
}

// SelectPods lets a Service select the pods whose label has that value, among those that the rest of its selector
// selects; an empty value stands for any.
func (c *Client) SelectPods(ctx context.Context, namespace, service, label, value string) error {
	ctx, cancel := bounded(ctx)
	defer cancel()
	selected := map[string]any{label: nil}
	if value != "" {
		selected[label] = value
	}
	patch, err := json.Marshal(map[string]any{"spec": map[string]any{"selector": selected}})
	if err != nil {
		return fmt.Errorf("encode selector: %w", err)
	}
	if _, err := c.clientset.CoreV1().Services(namespace).Patch(ctx, service, types.MergePatchType, patch,
		metav1.PatchOptions{FieldManager: fieldManager}); err != nil {
		return fmt.Errorf("let service %s/%s select pods by %s=%q: %w", namespace, service, label, value,
			errors.Join(err, lateCause(ctx)))
	}
	return nil
}

// ServiceProxy gives a transport and a base URL for HTTP to a port of a Service through the API server's service
// proxy. The transport carries the client's credentials for the API server: use it for this URL alone.
func (c *Client) ServiceProxy(namespace, service string, port int) (transport http.RoundTripper, baseURL string) {
	url := c.clientset.CoreV1().RESTClient().Get().Namespace(namespace).Resource("services").
		Name(fmt.Sprintf("%s:%d", service, port)).SubResource("proxy").URL()
	return c.transport, url.String()
}
