package kube

import (
	"context"
	"errors"
	"fmt"
	"slices"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/vextrus/finance-rollout/internal/kube/podstate"
)

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
				cpu, memory := podstate.Requests(&pod.Spec)
				room.CPU, room.Memory, room.Pods = room.CPU-cpu.MilliValue(), room.Memory-memory.Value(), room.Pods-1
			}
		}
		rooms = append(rooms, room)
	}
	return rooms, nil
}

// open reports whether a node takes pods without tolerations.
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
