package kube

import (
	"context"
	"errors"
	"fmt"
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
	if found, err := c.deployment(ctx, namespace, deployment); err == nil {
		event.InvolvedObject.UID = found.UID
	}
	if _, err := c.clientset.CoreV1().Events(namespace).Create(ctx, event,
		metav1.CreateOptions{FieldManager: fieldManager}); err != nil {
		return fmt.Errorf("announce %s of deployment %s/%s: %w", reason, namespace, deployment,
			errors.Join(err, lateCause(ctx)))
	}
	return nil
}
