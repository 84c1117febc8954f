package kube

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes/fake"
)

func TestNamespaceOwner(t *testing.T) {
	client := &Client{clientset: fake.NewClientset(&corev1.Namespace{ObjectMeta: metav1.ObjectMeta{
		Name: "shop", Labels: map[string]string{"team": "pay"}, Annotations: map[string]string{"owner": "them"},
	}})}
	got, exists, err := client.NamespaceOwner(t.Context(), "shop")
	want := Namespace{Labels: map[string]string{"team": "pay"}, Annotations: map[string]string{"owner": "them"}}
	if diff := cmp.Diff(want, got); diff != "" || !exists || err != nil {
		t.Errorf("exists %t, %v (-want +got)\n%s", exists, err, diff)
	}
	if _, exists, err := client.NamespaceOwner(t.Context(), "none"); exists || err != nil {
		t.Errorf("a namespace that does not exist: %t, %v", exists, err)
	}
}
