package kube

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes/fake"
)

func TestRooms(t *testing.T) {
	amounts := func(cpu, memory string) corev1.ResourceList {
		return corev1.ResourceList{corev1.ResourceCPU: resource.MustParse(cpu),
			corev1.ResourceMemory: resource.MustParse(memory), corev1.ResourcePods: resource.MustParse("10")}
	}
	node := func(name string, change func(*corev1.Node)) *corev1.Node {
		n := &corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: name}, Status: corev1.NodeStatus{
			Allocatable: amounts("4", "8Gi"), Conditions: []corev1.NodeCondition{{Type: corev1.NodeReady,
				Status: corev1.ConditionTrue}},
		}}
		change(n)
		return n
	}
	pod := func(name, on string, init, main corev1.ResourceList) *corev1.Pod {
		p := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: "n", Name: name}, Spec: corev1.PodSpec{NodeName: on,
			Containers: []corev1.Container{{Resources: corev1.ResourceRequirements{Requests: main}},
				{Resources: corev1.ResourceRequirements{Requests: main}}}}}
		if init != nil {
			p.Spec.InitContainers = []corev1.Container{{Resources: corev1.ResourceRequirements{Requests: init}}}
		}
		return p
	}
	client := &Client{clientset: fake.NewClientset(
		node("a", func(*corev1.Node) {}),
		node("cordoned", func(n *corev1.Node) { n.Spec.Unschedulable = true }),
		node("tainted", func(n *corev1.Node) { n.Spec.Taints = []corev1.Taint{{Effect: corev1.TaintEffectNoSchedule}} }),
		node("preferred",
			func(n *corev1.Node) { n.Spec.Taints = []corev1.Taint{{Effect: corev1.TaintEffectPreferNoSchedule}} }),
		node("gone", func(n *corev1.Node) { n.Status.Conditions[0].Status = corev1.ConditionUnknown }),
		pod("one", "a", nil, amounts("500m", "1Gi")), pod("two", "a", amounts("2", "1Gi"), amounts("100m", "1Gi")),
		pod("waiting", "", nil, amounts("1", "1Gi")),
	)}
	rooms, err := client.Rooms(t.Context())
	want := []Room{{Node: "a", CPU: 4000 - 1000 - 2000, Memory: 4 << 30, Pods: 8},
		{Node: "preferred", CPU: 4000, Memory: 8 << 30, Pods: 10}}
	if diff := cmp.Diff(want, rooms); err != nil || diff != "" {
		t.Errorf("%v (-want +got)\n%s", err, diff)
	}
}
