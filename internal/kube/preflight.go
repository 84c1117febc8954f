package kube

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	authorizationv1 "k8s.io/api/authorization/v1"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// Version is the API server's, such as v1.34.4.
func (c *Client) Version(ctx context.Context) (string, error) {
	ctx, cancel := bounded(ctx)
	defer cancel()
	found, err := abandonable(ctx, func() (string, error) {
		info, err := c.clientset.Discovery().ServerVersion()
		if err != nil {
			return "", err
		}
		return info.GitVersion, nil
	}, func(string) {})
	if err != nil {
		return "", fmt.Errorf("ask for the version of %s: %w", c.Server(), err)
	}
	return found, nil
}

// Allowed tells whether the client may do something. The resource may have a subresource, as in pods/log.
func (c *Client) Allowed(ctx context.Context, verb, group, resource, namespace, name string) (bool, error) {
	ctx, cancel := bounded(ctx)
	defer cancel()
	resource, subresource, _ := strings.Cut(resource, "/")
	review := &authorizationv1.SelfSubjectAccessReview{Spec: authorizationv1.SelfSubjectAccessReviewSpec{
		ResourceAttributes: &authorizationv1.ResourceAttributes{
			Verb: verb, Group: group, Resource: resource, Subresource: subresource, Namespace: namespace, Name: name,
		},
	}}
	answer, err := c.clientset.AuthorizationV1().SelfSubjectAccessReviews().Create(ctx, review, metav1.CreateOptions{})
	if err != nil {
		return false, fmt.Errorf("ask whether %s %s is allowed: %w", verb, resource, errors.Join(err, lateCause(ctx)))
	}
	return answer.Status.Allowed, nil
}

// SecretStates gives what judge says of the value of each key of a Secret, and never a value. The second result is
// false when it does not exist.
func (c *Client) SecretStates(ctx context.Context, namespace, name string,
	judge func(value string) string) (map[string]string, bool, error) {
	ctx, cancel := bounded(ctx)
	defer cancel()
	found, err := c.clientset.CoreV1().Secrets(namespace).Get(ctx, name, metav1.GetOptions{})
	if apierrors.IsNotFound(err) {
		return nil, false, nil
	}
	if err != nil {
		return nil, false, fmt.Errorf("get secret %s/%s: %w", namespace, name, errors.Join(err, lateCause(ctx)))
	}
	states := map[string]string{}
	for key, value := range found.Data {
		states[key] = judge(string(value))
	}
	return states, true, nil
}

// Room is what pods may still ask for on a node.
type Room struct {
	Node string
	// CPU is in thousandths, Memory in bytes; they are negative where more is asked for than there is.
	CPU, Memory int64
	Pods        int
}

// Rooms lists the room on the nodes that take pods without tolerations.
func (c *Client) Rooms(ctx context.Context) ([]Room, error) {
	ctx, cancel := bounded(ctx)
	defer cancel()
	nodes, err := c.clientset.CoreV1().Nodes().List(ctx, metav1.ListOptions{})
	if err != nil {
		return nil, fmt.Errorf("list nodes: %w", errors.Join(err, lateCause(ctx)))
	}
	pods, err := c.clientset.CoreV1().Pods(metav1.NamespaceAll).List(ctx,
		metav1.ListOptions{FieldSelector: "status.phase!=Succeeded,status.phase!=Failed"})
	if err != nil {
		return nil, fmt.Errorf("list the pods of all namespaces: %w", errors.Join(err, lateCause(ctx)))
	}
	var rooms []Room
	for i := range nodes.Items {
		node := &nodes.Items[i]
		if !open(node) {
			continue
		}
		room := Room{
			Node: node.Name, CPU: node.Status.Allocatable.Cpu().MilliValue(), Memory: node.Status.Allocatable.Memory().Value(),
			Pods: int(node.Status.Allocatable.Pods().Value()),
		}
		for j := range pods.Items {
			if pod := &pods.Items[j]; pod.Spec.NodeName == node.Name {
				cpu, memory := asksFor(pod)
				room.CPU, room.Memory, room.Pods = room.CPU-cpu.MilliValue(), room.Memory-memory.Value(), room.Pods-1
			}
		}
		rooms = append(rooms, room)
	}
	return rooms, nil
}

// open tells whether a node takes pods without tolerations.
func open(node *corev1.Node) bool {
	if node.Spec.Unschedulable {
		return false
	}
	for _, taint := range node.Spec.Taints {
		if taint.Effect == corev1.TaintEffectNoSchedule || taint.Effect == corev1.TaintEffectNoExecute {
			return false
		}
	}
	return slices.ContainsFunc(node.Status.Conditions, func(c corev1.NodeCondition) bool {
		return c.Type == corev1.NodeReady && c.Status == corev1.ConditionTrue
	})
}

// asksFor is what the scheduler counts of a pod: its containers together, or an init container where that asks for
// more.
func asksFor(pod *corev1.Pod) (cpu, memory resource.Quantity) {
	for _, container := range pod.Spec.Containers {
		cpu.Add(*container.Resources.Requests.Cpu())
		memory.Add(*container.Resources.Requests.Memory())
	}
	for _, container := range pod.Spec.InitContainers {
		if own := container.Resources.Requests.Cpu(); own.Cmp(cpu) > 0 {
			cpu = *own
		}
		if own := container.Resources.Requests.Memory(); own.Cmp(memory) > 0 {
			memory = *own
		}
	}
	return cpu, memory
}

// LastSuccess is when a CronJob, or else a Job, of that name succeeded last: zero when it never did. The second
// result is false when there is neither.
func (c *Client) LastSuccess(ctx context.Context, namespace, name string) (time.Time, bool, error) {
	ctx, cancel := bounded(ctx)
	defer cancel()
	cron, err := c.clientset.BatchV1().CronJobs(namespace).Get(ctx, name, metav1.GetOptions{})
	switch {
	case err == nil:
		if cron.Status.LastSuccessfulTime == nil {
			return time.Time{}, true, nil
		}
		return cron.Status.LastSuccessfulTime.Time, true, nil
	case !apierrors.IsNotFound(err):
		return time.Time{}, false, fmt.Errorf("get cronjob %s/%s: %w", namespace, name, errors.Join(err, lateCause(ctx)))
	}
	job, err := c.clientset.BatchV1().Jobs(namespace).Get(ctx, name, metav1.GetOptions{})
	if apierrors.IsNotFound(err) {
		return time.Time{}, false, nil
	}
	if err != nil {
		return time.Time{}, false, fmt.Errorf("get job %s/%s: %w", namespace, name, errors.Join(err, lateCause(ctx)))
	}
	for _, condition := range job.Status.Conditions {
		if condition.Type == batchv1.JobComplete && condition.Status == corev1.ConditionTrue &&
			job.Status.CompletionTime != nil {
			return job.Status.CompletionTime.Time, true, nil
		}
	}
	return time.Time{}, true, nil
}
