package miniapi

import (
	"net/http/httptest"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
)

func TestAClientWritesReadsAndWatches(t *testing.T) {
	api := New("fleet")
	server := httptest.NewServer(api)
	defer server.Close()
	client, err := kubernetes.NewForConfig(&rest.Config{Host: server.URL})
	if err != nil {
		t.Fatal(err)
	}
	configs := client.CoreV1().ConfigMaps("fleet")
	watcher, err := configs.Watch(t.Context(), metav1.ListOptions{})
	if err != nil {
		t.Fatal(err)
	}
	defer watcher.Stop()
	created, err := configs.Create(t.Context(), &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Name: "a",
		Labels: map[string]string{"x": "y"}}, Data: map[string]string{"k": "v"}}, metav1.CreateOptions{})
	if err != nil || created.Data["k"] != "v" {
		t.Fatalf("%+v, %v", created, err)
	}
	select {
	case event := <-watcher.ResultChan():
		if got, ok := event.Object.(*corev1.ConfigMap); !ok || got.Name != "a" {
			t.Errorf("%+v", event)
		}
	case <-time.After(10 * time.Second):
		t.Fatal("the watch tells nothing")
	}
	if _, err := configs.Create(t.Context(), created.DeepCopy(), metav1.CreateOptions{}); !apierrors.IsConflict(err) &&
		!apierrors.IsAlreadyExists(err) {
		t.Errorf("made twice: %v", err)
	}
	stale := created.DeepCopy()
	if _, err := configs.Update(t.Context(), created, metav1.UpdateOptions{}); err != nil {
		t.Error(err)
	}
	if _, err := configs.Update(t.Context(), stale, metav1.UpdateOptions{}); !apierrors.IsConflict(err) {
		t.Errorf("a stale write: %v", err)
	}
	for selector, want := range map[string]int{"x=y": 1, "x=z": 0, "": 1} {
		list, err := configs.List(t.Context(), metav1.ListOptions{LabelSelector: selector})
		if err != nil || len(list.Items) != want {
			t.Errorf("%q: %d objects, %v", selector, len(list.Items), err)
		}
	}
	if _, err := configs.Get(t.Context(), "none", metav1.GetOptions{}); !apierrors.IsNotFound(err) {
		t.Errorf("what is not there: %v", err)
	}
}
