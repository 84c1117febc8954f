package kube

import (
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/kubernetes/fake"
)

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
		setLabels := map[string]string{"app": "finance", "track": "canary", appsv1.DefaultDeploymentUniqueLabelKey: name}
		isController := true
		return &appsv1.ReplicaSet{
			ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: name, Labels: setLabels,
				Annotations: map[string]string{revisionAnnotation: number},
				OwnerReferences: []metav1.OwnerReference{{Kind: "Deployment", Name: "finance-v2", UID: types.UID(owner),
					Controller: &isController}}},
			Spec: appsv1.ReplicaSetSpec{Template: template(image, setLabels)},
		}
	}
	return fake.NewClientset(deployment, set("new", "2", "finance:2", "d"), set("old", "1", "finance:1", "d"),
		set("other", "7", "finance:7", "another"))
}

func template(image string, labels map[string]string) corev1.PodTemplateSpec {
	return corev1.PodTemplateSpec{ObjectMeta: metav1.ObjectMeta{Labels: labels},
		Spec: corev1.PodSpec{Containers: []corev1.Container{{Name: "finance", Image: image}}}}
}

func TestARevisionHasTheServicesImage(t *testing.T) {
	clientset := revised()
	sets := clientset.AppsV1().ReplicaSets("shop")
	old, err := sets.Get(t.Context(), "old", metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	old.Spec.Template.Spec.Containers = append([]corev1.Container{{Name: "proxy", Image: "proxy:9"}},
		old.Spec.Template.Spec.Containers...)
	if _, err := sets.Update(t.Context(), old, metav1.UpdateOptions{}); err != nil {
		t.Fatal(err)
	}
	revisions, err := (&Client{clientset: clientset}).Revisions(t.Context(), "shop", "finance-v2")
	if err != nil || revisions[0].Image != "finance:1" {
		t.Errorf("revisions %+v: %v", revisions, err)
	}
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
	live, exists, err := client.Deployment(t.Context(), "shop", "finance-v2")
	if err != nil || !exists {
		t.Fatal(err)
	}
	if _, hashed := live.Spec.Template.Labels[appsv1.DefaultDeploymentUniqueLabelKey]; hashed {
		t.Error("the hash of the older template is in the new one")
	}
	if image := live.Spec.Template.Spec.Containers[0].Image; image != "finance:1" || *live.Spec.Replicas != 0 {
		t.Errorf("it runs %s with %d pods", image, *live.Spec.Replicas)
	}
	if revisions, err := client.Revisions(t.Context(), "shop", "nothing"); err != nil || revisions != nil {
		t.Errorf("what does not exist has %v: %v", revisions, err)
	}
}
