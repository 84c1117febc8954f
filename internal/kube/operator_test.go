package kube

import (
	"errors"
	"strings"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/kubernetes/fake"
)

func TestOnlyOneOperatorAtATime(t *testing.T) {
	client := &Client{clientset: fake.NewClientset()}
	release, err := client.Hold(t.Context(), "shop", "finance-operator", "anna", false)
	if err != nil {
		t.Fatal(err)
	}
	_, err = client.Hold(t.Context(), "shop", "finance-operator", "ben", false)
	if held, ok := errors.AsType[*HeldError](err); !ok || held.Holder != "anna" ||
		!strings.Contains(err.Error(), "anna is at it") {
		t.Errorf("a second operator: %v", err)
	}
	byForce, err := client.Hold(t.Context(), "shop", "finance-operator", "ben", true)
	if err != nil {
		t.Fatalf("by force: %v", err)
	}
	// Who lost it does not take it away from who has it.
	release()
	if holder, renewed, err := client.LeaseHolder(t.Context(), "shop", "finance-operator"); err != nil ||
		holder != "ben" || time.Since(renewed) > time.Minute {
		t.Errorf("%q holds it, since %v: %v", holder, renewed, err)
	}
	byForce()
	if holder, _, err := client.LeaseHolder(t.Context(), "shop", "finance-operator"); err != nil || holder != "" {
		t.Errorf("%q holds what was let go: %v", holder, err)
	}
	again, err := client.Hold(t.Context(), "shop", "finance-operator", "carla", false)
	if err != nil {
		t.Fatal(err)
	}
	again()
	if holder, _, err := client.LeaseHolder(t.Context(), "shop", "nobody"); err != nil || holder != "" {
		t.Errorf("%q holds what does not exist: %v", holder, err)
	}
}

func TestAnOldLeaseIsFree(t *testing.T) {
	client := &Client{clientset: fake.NewClientset()}
	release, err := client.Hold(t.Context(), "shop", "finance-operator", "anna", false)
	if err != nil {
		t.Fatal(err)
	}
	defer release()
	leases := client.clientset.CoordinationV1().Leases("shop")
	lease, err := leases.Get(t.Context(), "finance-operator", metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	old := metav1.NewMicroTime(time.Now().Add(-2 * HoldFor))
	lease.Spec.RenewTime = &old
	if _, err := leases.Update(t.Context(), lease, metav1.UpdateOptions{}); err != nil {
		t.Fatal(err)
	}
	taken, err := client.Hold(t.Context(), "shop", "finance-operator", "ben", false)
	if err != nil {
		t.Fatalf("a Lease that nobody renews is kept: %v", err)
	}
	taken()
}

// revised is a Deployment that has had two templates, beside a ReplicaSet that is not its own.
func revised() *fake.Clientset {
	replicas := int32(1)
	labels := map[string]string{"app": "finance", "track": "canary"}
	deployment := &appsv1.Deployment{
		ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "finance-v2", UID: "d", Labels: labels,
			Annotations: map[string]string{revisionAnnotation: "2"}},
		Spec: appsv1.DeploymentSpec{Replicas: &replicas, Selector: &metav1.LabelSelector{MatchLabels: labels},
			Template: template("finance:2", labels)},
	}
	set := func(name, number, image, owner string) *appsv1.ReplicaSet {
		own := map[string]string{"app": "finance", "track": "canary", appsv1.DefaultDeploymentUniqueLabelKey: name}
		isController := true
		return &appsv1.ReplicaSet{
			ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: name, Labels: own,
				Annotations: map[string]string{revisionAnnotation: number},
				OwnerReferences: []metav1.OwnerReference{{Kind: "Deployment", Name: "finance-v2", UID: types.UID(owner),
					Controller: &isController}}},
			Spec: appsv1.ReplicaSetSpec{Template: template(image, own)},
		}
	}
	return fake.NewClientset(deployment, set("new", "2", "finance:2", "d"), set("old", "1", "finance:1", "d"),
		set("other", "7", "finance:7", "another"))
}

func template(image string, labels map[string]string) corev1.PodTemplateSpec {
	return corev1.PodTemplateSpec{ObjectMeta: metav1.ObjectMeta{Labels: labels},
		Spec: corev1.PodSpec{Containers: []corev1.Container{{Name: "finance", Image: image}}}}
}

func TestRevisionsAndUndo(t *testing.T) {
	client := &Client{clientset: revised()}
	revisions, err := client.Revisions(t.Context(), "shop", "finance-v2")
	if err != nil || len(revisions) != 2 || revisions[0].Number != 1 || revisions[0].Image != "finance:1" ||
		revisions[0].Present || !revisions[1].Present {
		t.Fatalf("revisions %+v: %v", revisions, err)
	}
	if err := client.UndoTo(t.Context(), "shop", "finance-v2", revisions[0]); err != nil {
		t.Fatal(err)
	}
	found, exists, err := client.Deployment(t.Context(), "shop", "finance-v2")
	if err != nil || !exists {
		t.Fatal(err)
	}
	if _, hashed := found.Spec.Template.Labels[appsv1.DefaultDeploymentUniqueLabelKey]; hashed {
		t.Error("the hash of the older template is in the new one")
	}
	if image := found.Spec.Template.Spec.Containers[0].Image; image != "finance:1" || *found.Spec.Replicas != 0 {
		t.Errorf("it runs %s with %d pods", image, *found.Spec.Replicas)
	}
	if revisions, err := client.Revisions(t.Context(), "shop", "nothing"); err != nil || revisions != nil {
		t.Errorf("what does not exist has %v: %v", revisions, err)
	}
}

func TestDeployments(t *testing.T) {
	client := &Client{clientset: revised()}
	found, err := client.Deployments(t.Context(), "shop", map[string]string{"app": "finance", "track": "canary"})
	if err != nil || len(found) != 1 || found[0].Name != "finance-v2" {
		t.Errorf("found %d: %v", len(found), err)
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

func TestEvidenceTheNewestFirst(t *testing.T) {
	client := &Client{clientset: fake.NewClientset()}
	for _, name := range []string{"finance-evidence-20260301-100000", "finance-evidence-20260302-100000"} {
		if err := client.SaveEvidence(t.Context(), "shop", name, "finance", []byte(name), 5); err != nil {
			t.Fatal(err)
		}
	}
	found, err := client.Evidence(t.Context(), "shop", "finance")
	if err != nil || len(found) != 2 || found[0].Name != "finance-evidence-20260302-100000" ||
		string(found[0].Archive) != found[0].Name {
		t.Errorf("found %v: %v", found, err)
	}
}
