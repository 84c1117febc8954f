package kube

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	applycorev1 "k8s.io/client-go/applyconfigurations/core/v1"
)

const (
	// pollInterval is how often a wait looks; pods become ready in seconds.
	pollInterval = 500 * time.Millisecond
	// maxLogBytes bounds what is read of a log.
	maxLogBytes = 1 << 20
)

// Namespace is what is known of a namespace.
type Namespace struct {
	Labels      map[string]string
	Annotations map[string]string
}

// NamespaceOwner gives the labels and annotations of a namespace, by which one tells whose it is. The second result
// is false when the namespace does not exist.
func (c *Client) NamespaceOwner(ctx context.Context, namespace string) (Namespace, bool, error) {
	ctx, cancel := bounded(ctx)
	defer cancel()
	found, err := c.clientset.CoreV1().Namespaces().Get(ctx, namespace, metav1.GetOptions{})
	if apierrors.IsNotFound(err) {
		return Namespace{}, false, nil
	}
	if err != nil {
		return Namespace{}, false, fmt.Errorf("get namespace %s: %w", namespace, err)
	}
	return Namespace{Labels: found.Labels, Annotations: found.Annotations}, true, nil
}

func (c *Client) allPods(ctx context.Context, namespace string, selector map[string]string) ([]corev1.Pod, error) {
	set, err := labels.ValidatedSelectorFromSet(selector)
	if err != nil {
		return nil, fmt.Errorf("pods in %s with labels %v: %w", namespace, selector, err)
	}
	if set.Empty() {
		return nil, fmt.Errorf("pods in %s: no labels given: every pod of the namespace would match", namespace)
	}
	return c.listPods(ctx, namespace, set.String())
}

func (c *Client) listPods(ctx context.Context, namespace, selector string) ([]corev1.Pod, error) {
	ctx, cancel := bounded(ctx)
	defer cancel()
	list, err := c.clientset.CoreV1().Pods(namespace).List(ctx, metav1.ListOptions{LabelSelector: selector})
	if err != nil {
		return nil, fmt.Errorf("list pods in %s with %s: %w", namespace, selector, errors.Join(err, lateCause(ctx)))
	}
	slices.SortFunc(list.Items, func(a, b corev1.Pod) int { return strings.Compare(a.Name, b.Name) })
	return list.Items, nil
}

func ready(pod *corev1.Pod) bool {
	if pod.DeletionTimestamp != nil {
		return false
	}
	return slices.ContainsFunc(pod.Status.Conditions, func(c corev1.PodCondition) bool {
		return c.Type == corev1.PodReady && c.Status == corev1.ConditionTrue
	})
}

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

// WaitRolledOut waits as [Client.WaitDeploymentReady] does until the Deployment has all pods it shall have, whatever
// their number, and none of an earlier template.
func (c *Client) WaitRolledOut(ctx context.Context, namespace, name string) error {
	return c.waitDeployment(ctx, namespace, name, wanted{rolledOut: true})
}

// wanted is what is waited for of a Deployment.
type wanted struct {
	// rolledOut asks for as many pods as the Deployment shall have.
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

func (c *Client) deployment(ctx context.Context, namespace, name string) (*appsv1.Deployment, error) {
	ctx, cancel := bounded(ctx)
	defer cancel()
	deployment, err := c.clientset.AppsV1().Deployments(namespace).Get(ctx, name, metav1.GetOptions{})
	if err != nil {
		return nil, fmt.Errorf("get deployment %s/%s: %w", namespace, name, err)
	}
	return deployment, nil
}

// lack says what the Deployment lacks of what is wanted; nothing when it has all of it.
func (w wanted) lack(d *appsv1.Deployment) string {
	status := d.Status
	replicas, old := w.of(d), max(status.Replicas-status.UpdatedReplicas, 0)
	switch {
	case w.digest != "" && !runs(d, w.digest):
		return "it is not updated to " + w.digest + " yet"
	case w.key != "" && d.Spec.Template.Annotations[w.key] != w.value:
		return fmt.Sprintf("its pods shall not have %s=%s yet", w.key, w.value)
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

// runs tells whether a container of the Deployment's template has an image of that digest.
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

func describe(pods []corev1.Pod) string {
	var out strings.Builder
	const most = 5
	listed, left := 0, 0
	for i := range pods {
		problem := Problem(&pods[i])
		switch {
		case problem == "":
		case listed == most:
			left++
		default:
			listed++
			fmt.Fprintf(&out, "; pod %s: %s", pods[i].Name, problem)
		}
	}
	if left > 0 {
		fmt.Fprintf(&out, "; and %d more pods", left)
	}
	return out.String()
}

// Problem says in a few words why a pod is not ready, such as "ImagePullBackOff: …"; nothing when it is ready or
// being deleted.
func Problem(pod *corev1.Pod) string {
	if ready(pod) || pod.DeletionTimestamp != nil {
		return ""
	}
	for _, status := range slices.Concat(pod.Status.InitContainerStatuses, pod.Status.ContainerStatuses) {
		if problem := containerProblem(status); problem != "" {
			return problem
		}
	}
	for _, condition := range pod.Status.Conditions {
		if condition.Type == corev1.PodScheduled && condition.Status == corev1.ConditionFalse {
			return reason(condition.Reason, condition.Message)
		}
	}
	if pod.Status.Reason != "" {
		return reason(pod.Status.Reason, pod.Status.Message)
	}
	return "not ready, phase " + string(pod.Status.Phase)
}

func containerProblem(status corev1.ContainerStatus) string {
	var problem string
	switch {
	case status.State.Waiting != nil && status.State.Waiting.Reason != "":
		problem = reason(status.State.Waiting.Reason, status.State.Waiting.Message)
	case status.State.Terminated != nil && status.State.Terminated.ExitCode != 0:
		problem = ended(status.State.Terminated)
	case status.LastTerminationState.Terminated != nil && !status.Ready:
		problem = "running again"
	default:
		return ""
	}
	if last := status.LastTerminationState.Terminated; last != nil {
		problem += fmt.Sprintf(" (%d restarts; last: %s)", status.RestartCount, ended(last))
	}
	return problem
}

func ended(state *corev1.ContainerStateTerminated) string {
	return fmt.Sprintf("%s, exit code %d", state.Reason, state.ExitCode)
}

func reason(reason, message string) string {
	if message == "" {
		return reason
	}
	return fmt.Sprintf("%s: %.300s", reason, message)
}

// Logs gives the last lines of a container's log, those of the container before its last restart with previous. An
// empty container name means the pod's only one. A tail of 0 or less gives the whole log; at most the first MiB is
// read.
func (c *Client) Logs(ctx context.Context, namespace, pod, container string, previous bool, tail int64) (string,
	error) {
	ctx, cancel := bounded(ctx)
	defer cancel()
	limit := int64(maxLogBytes)
	options := &corev1.PodLogOptions{Container: container, Previous: previous, LimitBytes: &limit}
	if tail > 0 {
		options.TailLines = &tail
	}
	stream, err := c.clientset.CoreV1().Pods(namespace).GetLogs(pod, options).Stream(ctx)
	if err != nil {
		return "", fmt.Errorf("logs of pod %s/%s: %w", namespace, pod, err)
	}
	defer stream.Close()
	text, err := io.ReadAll(io.LimitReader(stream, maxLogBytes))
	if err != nil {
		return "", fmt.Errorf("logs of pod %s/%s: %w", namespace, pod, err)
	}
	return string(text), nil
}

// Record writes a ConfigMap of that content, replacing what this program wrote to it before.
func (c *Client) Record(ctx context.Context, namespace, name string, data map[string]string) error {
	ctx, cancel := bounded(ctx)
	defer cancel()
	config := applycorev1.ConfigMap(name, namespace).
		WithLabels(map[string]string{"app.kubernetes.io/managed-by": fieldManager}).
		WithData(maps.Clone(data))
	_, err := c.clientset.CoreV1().ConfigMaps(namespace).Apply(ctx, config,
		metav1.ApplyOptions{FieldManager: fieldManager, Force: true})
	if err != nil {
		return fmt.Errorf("write configmap %s/%s: %w", namespace, name, err)
	}
	return nil
}
