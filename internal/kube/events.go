package kube

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// Types of announcements.
const (
	Normal  = corev1.EventTypeNormal
	Warning = corev1.EventTypeWarning
)

// longestNote is what the API server takes of an Event's message.
const longestNote = 1000

// Announce makes an Event about a Deployment, for everybody who runs `kubectl describe` or `kubectl get events`. The
// Deployment need not exist.
func (c *Client) Announce(ctx context.Context, namespace, deployment, kind, reason, note string) error {
	ctx, cancel := bounded(ctx)
	defer cancel()
	now := metav1.NewTime(time.Now())
	event := &corev1.Event{
		ObjectMeta: metav1.ObjectMeta{GenerateName: deployment + ".", Namespace: namespace},
		InvolvedObject: corev1.ObjectReference{APIVersion: "apps/v1", Kind: "Deployment", Namespace: namespace,
			Name: deployment},
		Type: kind, Reason: reason, Message: fmt.Sprintf("%.*s", longestNote, note),
		Source: corev1.EventSource{Component: fieldManager}, FirstTimestamp: now, LastTimestamp: now, Count: 1,
	}
	if live, err := c.deployment(ctx, namespace, deployment); err == nil {
		event.InvolvedObject.UID = live.UID
	}
	if _, err := c.clientset.CoreV1().Events(namespace).Create(ctx, event,
		metav1.CreateOptions{FieldManager: fieldManager}); err != nil {
		return fmt.Errorf("announce %s of deployment %s/%s: %w", reason, namespace, deployment,
			errors.Join(err, lateCause(ctx)))
	}
	return nil
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
