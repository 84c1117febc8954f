package kube

import (
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/kubernetes/fake"
	k8stesting "k8s.io/client-go/testing"
)

func TestWhatBelongsToADeployment(t *testing.T) {
	labels := map[string]string{"version": "week1"}
	deployment := &appsv1.Deployment{
		ObjectMeta: metav1.ObjectMeta{Namespace: "n", Name: "week1", UID: "1"}, Spec: appsv1.DeploymentSpec{Selector: &metav1.LabelSelector{MatchLabels: labels}},
	}
	set := func(name, owner string) *appsv1.ReplicaSet {
		yes := true
		return &appsv1.ReplicaSet{ObjectMeta: metav1.ObjectMeta{Namespace: "n", Name: name, Labels: labels,
			OwnerReferences: []metav1.OwnerReference{{UID: "1", Controller: &yes, Name: owner}}}}
	}
	foreign := set("b", "week1")
	foreign.OwnerReferences[0].UID = "2"
	pod := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: "n", Name: "p", Labels: labels}}
	client := &Client{clientset: fake.NewClientset(deployment, set("a", "week1"), foreign, pod)}
	sets, err := client.ReplicaSets(t.Context(), deployment)
	if err != nil || len(sets) != 1 || sets[0].Name != "a" {
		t.Errorf("replicasets %v, %v", sets, err)
	}
	pods, err := client.PodsOf(t.Context(), deployment)
	if err != nil || len(pods) != 1 {
		t.Errorf("pods %v, %v", pods, err)
	}
}

func TestEventsInOrderOfTime(t *testing.T) {
	at := func(minute int) time.Time { return time.Date(2026, 3, 2, 9, minute, 0, 0, time.UTC) }
	event := func(name string, change func(*corev1.Event)) *corev1.Event {
		e := &corev1.Event{ObjectMeta: metav1.ObjectMeta{Namespace: "n", Name: name, CreationTimestamp: metav1.NewTime(at(0))}}
		change(e)
		return e
	}
	client := &Client{clientset: fake.NewClientset(
		event("last", func(e *corev1.Event) { e.LastTimestamp = metav1.NewTime(at(3)) }),
		event("series", func(e *corev1.Event) {
			e.EventTime, e.Series = metav1.NewMicroTime(at(1)), &corev1.EventSeries{LastObservedTime: metav1.NewMicroTime(at(4))}
		}),
		event("once", func(e *corev1.Event) { e.EventTime = metav1.NewMicroTime(at(2)) }),
		event("created", func(*corev1.Event) {}),
	)}
	events, err := client.Events(t.Context(), "n")
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, e := range events {
		names = append(names, e.Name)
	}
	if want := []string{"created", "once", "last", "series"}; !cmp.Equal(names, want) {
		t.Errorf("%v, want %v", names, want)
	}
}

func TestKeysWithoutValues(t *testing.T) {
	client := &Client{clientset: fake.NewClientset(
		&corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: "n", Name: "db"}, Data: map[string][]byte{"password": []byte("x"), "host": nil}},
		&corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: "n", Name: "env", ResourceVersion: "1"}, Data: map[string]string{"LEVEL": "info"}},
	)}
	keys, exists, err := client.SecretKeys(t.Context(), "n", "db")
	if err != nil || !exists || !cmp.Equal(keys, []string{"host", "password"}) {
		t.Errorf("%v, %v, %v", keys, exists, err)
	}
	keys, exists, err = client.ConfigMapKeys(t.Context(), "n", "env")
	if err != nil || !exists || !cmp.Equal(keys, []string{"LEVEL"}) {
		t.Errorf("%v, %v, %v", keys, exists, err)
	}
	for name, look := range map[string]func() ([]string, bool, error){
		"secret":    func() ([]string, bool, error) { return client.SecretKeys(t.Context(), "n", "absent") },
		"configmap": func() ([]string, bool, error) { return client.ConfigMapKeys(t.Context(), "n", "absent") },
	} {
		if keys, exists, err := look(); err != nil || exists || keys != nil {
			t.Errorf("%s: %v, %v, %v", name, keys, exists, err)
		}
	}
	broken := fake.NewClientset()
	broken.PrependReactor("*", "*", func(k8stesting.Action) (bool, runtime.Object, error) { return true, nil, errors.New("no") })
	client = &Client{clientset: broken}
	_, _, secretErr := client.SecretKeys(t.Context(), "n", "db")
	_, eventErr := client.Events(t.Context(), "n")
	wantError(t, secretErr, "get secret n/db: no")
	wantError(t, eventErr, "list the events of n: no")
}
