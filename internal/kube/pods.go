package kube

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/kubernetes"

	"github.com/vextrus/finance-rollout/internal/kube/podstate"
)

func (c *Client) allPods(ctx context.Context, namespace string, selector map[string]string) ([]corev1.Pod, error) {
	return podsWith(ctx, c.clientset, namespace, selector)
}

// podsWith lists the pods that carry all the labels, by name, with a client of its own rate limit.
func podsWith(ctx context.Context, client kubernetes.Interface, namespace string, selector map[string]string) (
	[]corev1.Pod, error) {
	set, err := labels.ValidatedSelectorFromSet(selector)
	if err != nil {
		return nil, fmt.Errorf("pods in %s with labels %v: %w", namespace, selector, err)
	}
	if set.Empty() {
		return nil, fmt.Errorf("pods in %s: no labels given: every pod of the namespace would match", namespace)
	}
	return listPods(ctx, client, namespace, set.String())
}

func (c *Client) listPods(ctx context.Context, namespace, selector string) ([]corev1.Pod, error) {
	return listPods(ctx, c.clientset, namespace, selector)
}

func listPods(ctx context.Context, client kubernetes.Interface, namespace, selector string) ([]corev1.Pod, error) {
	ctx, cancel := bounded(ctx)
	defer cancel()
	list, err := client.CoreV1().Pods(namespace).List(ctx, metav1.ListOptions{LabelSelector: selector})
	if err != nil {
		return nil, fmt.Errorf("list pods in %s with %s: %w", namespace, selector, errors.Join(err, lateCause(ctx)))
	}
	slices.SortFunc(list.Items, func(a, b corev1.Pod) int { return strings.Compare(a.Name, b.Name) })
	return list.Items, nil
}

func ready(pod *corev1.Pod) bool {
	return pod.DeletionTimestamp == nil && podstate.IsReady(pod)
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
	for _, status := range podstate.Containers(pod) {
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

// AllPods lists the pods that carry all the labels, ready or not, by name. At least one label must be given.
func (c *Client) AllPods(ctx context.Context, namespace string, selector map[string]string) ([]corev1.Pod, error) {
	return c.allPods(ctx, namespace, selector)
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

// EndPods deletes the pods that carry all the labels, with that much time to end, and returns how many it deleted. Pods
// that are being deleted already are left alone: the kubelet cuts no preStop hook short that has begun. At least one
// label must be given.
func (c *Client) EndPods(ctx context.Context, namespace string, selector map[string]string,
	grace time.Duration) (ended int, err error) {
	pods, err := podsWith(ctx, c.urgent(), namespace, selector)
	if err != nil {
		return 0, err
	}
	seconds := int64(grace / time.Second)
	for i := range pods {
		pod := &pods[i]
		if pod.DeletionTimestamp != nil {
			continue
		}
		err := c.urgent().CoreV1().Pods(namespace).Delete(ctx, pod.Name, metav1.DeleteOptions{
			GracePeriodSeconds: &seconds, Preconditions: metav1.NewUIDPreconditions(string(pod.UID)),
		})
		switch {
		case err == nil:
			ended++
		case !apierrors.IsNotFound(err) && !apierrors.IsConflict(err):
			return ended, fmt.Errorf("end pod %s/%s within %v: %w", namespace, pod.Name, grace, err)
		}
	}
	return ended, nil
}

// patchers is the number of pods that are patched at a time.
const patchers = 10

// LabelPods gives every pod that carries all the labels of selector the label key=value, and names those that it
// changed, in order. The pods are patched in parallel. A pod that vanishes meanwhile is none.
func (c *Client) LabelPods(ctx context.Context, namespace string, selector map[string]string, key,
	value string) ([]string, error) {
	pods, err := podsWith(ctx, c.urgent(), namespace, selector)
	if err != nil {
		return nil, err
	}
	patch, err := json.Marshal(map[string]any{"metadata": map[string]any{"labels": map[string]string{key: value}}})
	if err != nil {
		return nil, fmt.Errorf("encode label: %w", err)
	}
	results, names := make([]error, len(pods)), make([]string, len(pods))
	var patching sync.WaitGroup
	room := make(chan struct{}, patchers)
	for i := range pods {
		if pods[i].Labels[key] == value {
			continue
		}
		patching.Go(func() {
			room <- struct{}{}
			defer func() { <-room }()
			err := c.patchPod(ctx, namespace, pods[i].Name, patch)
			switch {
			case apierrors.IsNotFound(err):
			case err != nil:
				results[i] = fmt.Errorf("label pod %s/%s: %w", namespace, pods[i].Name, err)
			default:
				names[i] = pods[i].Name
			}
		})
	}
	patching.Wait()
	return slices.DeleteFunc(names, func(name string) bool { return name == "" }), errors.Join(results...)
}

// LabelPod gives one pod a label, or takes it away when the value is empty. A pod that vanishes meanwhile needs none.
func (c *Client) LabelPod(ctx context.Context, namespace, pod, key, value string) error {
	set := map[string]any{key: value}
	if value == "" {
		set[key] = nil
	}
	patch, err := json.Marshal(map[string]any{"metadata": map[string]any{"labels": set}})
	if err != nil {
		return fmt.Errorf("encode label: %w", err)
	}
	if err := c.patchPod(ctx, namespace, pod, patch); err != nil && !apierrors.IsNotFound(err) {
		return fmt.Errorf("label pod %s/%s: %w", namespace, pod, err)
	}
	return nil
}

func (c *Client) patchPod(ctx context.Context, namespace, name string, patch []byte) error {
	ctx, cancel := bounded(ctx)
	defer cancel()
	_, err := c.urgent().CoreV1().Pods(namespace).Patch(ctx, name, types.MergePatchType, patch,
		metav1.PatchOptions{FieldManager: fieldManager})
	return err
}
