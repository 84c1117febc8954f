package kube

import (
	"context"
	"errors"
	"fmt"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
)

var gateways = HTTPRoutes.GroupVersion().WithResource("gateways")

// Listeners names the listeners of a Gateway, in its order. The second result is false when it does not exist.
func (c *Client) Listeners(ctx context.Context, namespace, name string) ([]string, bool, error) {
	ctx, cancel := bounded(ctx)
	defer cancel()
	object, err := c.dynamic.Resource(gateways).Namespace(namespace).Get(ctx, name, metav1.GetOptions{})
	if apierrors.IsNotFound(err) {
		return nil, false, nil
	}
	if err != nil {
		return nil, false, fmt.Errorf("get gateway %s/%s: %w", namespace, name, errors.Join(err, lateCause(ctx)))
	}
	var gateway struct {
		Spec struct {
			Listeners []struct {
				Name string `json:"name"`
			} `json:"listeners"`
		} `json:"spec"`
	}
	if err := runtime.DefaultUnstructuredConverter.FromUnstructured(object.Object, &gateway); err != nil {
		return nil, false, fmt.Errorf("read gateway %s/%s: %w", namespace, name, err)
	}
	var names []string
	for _, listener := range gateway.Spec.Listeners {
		names = append(names, listener.Name)
	}
	return names, true, nil
}
