package kube

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/vextrus/finance-rollout/internal/kube/podstate"
)

// WaitDeploymentReady waits until the Deployment's newest template is observed and at least that many pods are of it
// and ready. A Deployment that does not exist yet is waited for. It ends with the context, which needs a deadline to
// end at all; the error then says how many pods were ready and what holds the others back.
func (c *Client) WaitDeploymentReady(ctx context.Context, namespace, name string, replicas int) error {
	return c.waitDeployment(ctx, namespace, name, wanted{replicas: replicas})
}

// WaitDeploymentRuns waits as [Client.WaitDeploymentReady] does for pods with an image of that digest alone: a
// Deployment that is still to be updated has ready pods too, and one that is being updated has some of each.
func (c *Client) WaitDeploymentRuns(ctx context.Context, namespace, name, digest string, replicas int) error {
	return c.waitDeployment(ctx, namespace, name, wanted{digest: digest, replicas: replicas})
}

// WaitDeploymentAnnotated waits as [Client.WaitDeploymentReady] does for pods with that annotation alone: those of a
// template that was changed, and none of the one before.
func (c *Client) WaitDeploymentAnnotated(ctx context.Context, namespace, name, key, value string, replicas int) error {
	return c.waitDeployment(ctx, namespace, name, wanted{key: key, value: value, replicas: replicas})
}

// WaitRolledOut waits as [Client.WaitDeploymentReady] does until the Deployment has all pods that it asks for, whatever
// their number, and none of an earlier template.
func (c *Client) WaitRolledOut(ctx context.Context, namespace, name string) error {
	return c.waitDeployment(ctx, namespace, name, wanted{rolledOut: true})
}

// wanted is what is waited for of a Deployment.
type wanted struct {
	// rolledOut waits for as many pods as the Deployment asks for.
	rolledOut bool
	// digest is that of the image that all pods run; empty for any.
	digest string
	// key and value are an annotation of all pods; an empty key for any.
	key, value string
	replicas   int
}

// of is the number of pods that is wanted of the Deployment, which may be unknown.
func (w wanted) of(d *appsv1.Deployment) int {
	if !w.rolledOut || d == nil {
		return w.replicas
	}
	if d.Spec.Replicas == nil {
		return 1
	}
	return int(*d.Spec.Replicas)
}

func (c *Client) waitDeployment(ctx context.Context, namespace, name string, wanted wanted) error {
	start := time.Now()
	ticker := time.NewTicker(pollInterval)
	defer ticker.Stop()
	var last *appsv1.Deployment
	var lookErr error
	for {
		deployment, err := c.deployment(ctx, namespace, name)
		if ctx.Err() == nil {
			// The end of the wait ends the last look too, and says nothing about the Deployment.
			lookErr = err
		}
		switch {
		case err == nil:
			last = deployment
			if wanted.lack(deployment) == "" {
				return nil
			}
		case apierrors.IsForbidden(err), apierrors.IsUnauthorized(err), apierrors.IsInvalid(err):
			return err
		case apierrors.IsNotFound(err):
			last = nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("deployment %s/%s is not ready with %d pods after %v: %s: %w",
				namespace, name, wanted.of(last), time.Since(start).Round(time.Second), c.unready(ctx, wanted, last, lookErr),
				context.Cause(ctx))
		case <-ticker.C:
		}
	}
}

// lack says what the Deployment lacks of what is wanted; nothing when it has all of it.
func (w wanted) lack(d *appsv1.Deployment) string {
	status := d.Status
	replicas, old := w.of(d), max(status.Replicas-status.UpdatedReplicas, 0)
	switch {
	case w.digest != "" && !runs(d, w.digest):
		return "it is not updated to " + w.digest + " yet"
	case w.key != "" && d.Spec.Template.Annotations[w.key] != w.value:
		return fmt.Sprintf("its template does not have %s=%s yet", w.key, w.value)
	case status.ObservedGeneration < d.Generation:
		return fmt.Sprintf("generation %d is not observed yet (observed: %d)", d.Generation, status.ObservedGeneration)
	case int(status.UpdatedReplicas) < replicas || int(status.ReadyReplicas-old) < replicas:
		// The status does not tell how many of the newest template are ready: those of earlier ones are taken to be.
		return fmt.Sprintf("%d of %d ready, %d of the newest template", status.ReadyReplicas, replicas,
			status.UpdatedReplicas)
	case (w.digest != "" || w.key != "" || w.rolledOut) && old > 0:
		return fmt.Sprintf("%d pods of the template before are still there", old)
	default:
		return ""
	}
}

// runs reports whether a container of the Deployment's template has an image of that digest.
func runs(d *appsv1.Deployment, digest string) bool {
	return slices.ContainsFunc(d.Spec.Template.Spec.Containers,
		func(c corev1.Container) bool { return strings.HasSuffix(c.Image, "@"+digest) })
}

// unready says how far a Deployment came that was waited for, and why its pods are not ready.
func (c *Client) unready(ctx context.Context, wanted wanted, last *appsv1.Deployment, lookErr error) string {
	switch {
	case last != nil:
		// The wait is over, but what holds the pods back is worth one more look.
		look, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
		defer cancel()
		state := wanted.lack(last)
		if reason := podstate.NotCreated(last); reason != "" {
			state += "; the cluster creates no more pods: " + reason
		}
		if pods, err := c.listPods(look, last.Namespace, metav1.FormatLabelSelector(last.Spec.Selector)); err == nil {
			state += describe(pods)
		}
		return state
	case lookErr != nil && !apierrors.IsNotFound(lookErr):
		return lookErr.Error()
	default:
		return "it does not exist"
	}
}
