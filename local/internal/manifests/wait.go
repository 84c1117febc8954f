package manifests

import (
	"context"
	"fmt"
	"strings"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/util/wait"
)

// Wait waits until the node and all applied objects are ready, and shows the objects that are not.
func (a *Applier) Wait(ctx context.Context, values Values, timeout time.Duration, show func(string)) error {
	targets, err := awaited(values)
	if err != nil {
		return err
	}
	var waiting []string
	err = wait.PollUntilContextTimeout(ctx, 300*time.Millisecond, timeout, true, func(ctx context.Context) (bool, error) {
		waiting = waiting[:0]
		for _, target := range targets {
			reason, err := a.unready(ctx, target)
			if err != nil {
				return false, err
			}
			if reason != "" {
				waiting = append(waiting, reason)
			}
		}
		show(strings.Join(waiting, ", "))
		return len(waiting) == 0, nil
	})
	if wait.Interrupted(err) && ctx.Err() == nil {
		return fmt.Errorf("not ready after %s: %s; look with `kubectl get pods -A` and `kubectl get events -A`",
			timeout, strings.Join(waiting, ", "))
	}
	return err
}

// awaited returns the objects whose readiness counts.
func awaited(values Values) ([]*unstructured.Unstructured, error) {
	objects, err := Render(values)
	if err != nil {
		return nil, err
	}
	node := &unstructured.Unstructured{}
	node.SetAPIVersion("v1")
	node.SetKind("Node")
	node.SetName(values.Node)
	targets := []*unstructured.Unstructured{node}
	for _, object := range objects {
		switch object.GetKind() {
		case "Deployment", "Prometheus", "Alertmanager":
			targets = append(targets, object)
		}
	}
	return targets, nil
}

// unready returns why an object is not ready, or an empty string.
func (a *Applier) unready(ctx context.Context, target *unstructured.Unstructured) (string, error) {
	name := strings.ToLower(target.GetKind()) + " " + target.GetName()
	client, err := a.resource(target)
	if err != nil {
		return "", err
	}
	object, err := client.Get(ctx, target.GetName(), metav1.GetOptions{})
	if apierrors.IsNotFound(err) {
		return name + ": not there yet", nil
	}
	if err != nil {
		return "", err
	}
	ready := condition(object, "Ready")
	if object.GetKind() != "Node" {
		ready = condition(object, "Available") && observed(object)
	}
	if ready {
		return "", nil
	}
	return name, nil
}

// observed reports whether the status is about the object as it was applied last.
func observed(object *unstructured.Unstructured) bool {
	generation, ok, err := unstructured.NestedInt64(object.Object, "status", "observedGeneration")
	if err != nil {
		return false
	}
	// The operator's kinds keep the generation in their conditions only.
	return !ok || generation >= object.GetGeneration()
}
