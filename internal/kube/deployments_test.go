package kube

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes/fake"

	"github.com/vextrus/finance-rollout/internal/kube/podstate"
	"github.com/vextrus/finance-rollout/internal/testkit"
)

func TestDeployments(t *testing.T) {
	client := &Client{clientset: revised()}
	deployments, err := client.Deployments(t.Context(), "shop", map[string]string{"app": "finance", "track": "canary"})
	if err != nil || len(deployments) != 1 || deployments[0].Name != "finance-v2" {
		t.Errorf("found %d: %v", len(deployments), err)
	}
	if _, err := client.Deployments(t.Context(), "shop", nil); err == nil {
		t.Error("without labels all are listed")
	}
	for range 2 {
		if err := client.DeleteDeployment(t.Context(), "shop", "finance-v2"); err != nil {
			t.Fatal(err)
		}
	}
	if _, exists, err := client.Deployment(t.Context(), "shop", "finance-v2"); exists || err != nil {
		t.Errorf("it exists: %v, %v", exists, err)
	}
}

func TestWhatBelongsToADeployment(t *testing.T) {
	labels := map[string]string{"version": "week1"}
	deployment := &appsv1.Deployment{
		ObjectMeta: metav1.ObjectMeta{Namespace: "n", Name: "week1", UID: "1"},
		Spec:       appsv1.DeploymentSpec{Selector: &metav1.LabelSelector{MatchLabels: labels}},
	}
	set := func(name, owner string) *appsv1.ReplicaSet {
		yes := true
		return &appsv1.ReplicaSet{ObjectMeta: metav1.ObjectMeta{Namespace: "n", Name: name, Labels: labels,
			OwnerReferences: []metav1.OwnerReference{{UID: "1", Controller: &yes, Name: owner}}}}
	}
	foreign := set("b", "week1")
	foreign.OwnerReferences[0].UID = "2"
	client := &Client{clientset: fake.NewClientset(deployment, set("a", "week1"), foreign)}
	sets, err := client.ReplicaSets(t.Context(), deployment)
	if err != nil || len(sets) != 1 || sets[0].Name != "a" {
		t.Errorf("replicasets %v, %v", sets, err)
	}
}

func TestReplicas(t *testing.T) {
	seven := int32(7)
	client := &Client{clientset: fake.NewClientset(&appsv1.Deployment{
		ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "finance"}, Spec: appsv1.DeploymentSpec{Replicas: &seven},
	})}
	for name, want := range map[string]int{"finance": 7, "none": 0} {
		if got, err := client.Replicas(t.Context(), "shop", name); err != nil || got != want {
			t.Errorf("%s: %d, %v", name, got, err)
		}
	}
	if err := client.Scale(t.Context(), "shop", "none", 0); err != nil {
		t.Errorf("what does not exist has no pods already: %v", err)
	}
	testkit.WantError(t, client.Scale(t.Context(), "shop", "none", 3), "shop/none", "to 3")
}

func TestGrowth(t *testing.T) {
	ten := int32(10)
	labels := map[string]string{"app": "finance", "track": "stable"}
	deployment := &appsv1.Deployment{
		ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "finance"},
		Spec:       appsv1.DeploymentSpec{Replicas: &ten, Selector: &metav1.LabelSelector{MatchLabels: labels}},
		Status:     appsv1.DeploymentStatus{Replicas: 5, ReadyReplicas: 4},
	}
	pending := newPod("p", false, labels)
	pending.Status.Conditions = append(pending.Status.Conditions, corev1.PodCondition{Type: corev1.PodScheduled,
		Status: corev1.ConditionFalse, Reason: corev1.PodReasonUnschedulable, Message: "0/1 nodes"})
	client := &Client{clientset: fake.NewClientset(deployment, pending)}
	got, err := client.Growth(t.Context(), "shop", "finance")
	want := podstate.Growth{Wanted: 10, Ready: 4, Refused: "pod p is Unschedulable: 0/1 nodes"}
	if diff := cmp.Diff(want, got); diff != "" || err != nil {
		t.Errorf("%v (-want +got)\n%s", err, diff)
	}
	if got, err := client.Growth(t.Context(), "shop", "none"); got != (podstate.Growth{}) || err != nil {
		t.Errorf("what does not exist: %+v, %v", got, err)
	}
}
