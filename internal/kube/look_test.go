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
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/kubernetes/fake"
	k8stesting "k8s.io/client-go/testing"

	"github.com/vextrus/finance-rollout/internal/testkit"
)

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

// A pod belongs to a Deployment by way of a ReplicaSet that is the Deployment's, not by what its labels or its
// owner's name say.
func TestPodsThatOnlyWearTheLabels(t *testing.T) {
	labels := map[string]string{"app": "finance", "track": "canary", "version": "week1"}
	yes, no := true, false
	owner := func(kind, name, uid string, controller *bool) []metav1.OwnerReference {
		return []metav1.OwnerReference{{Kind: kind, Name: name, UID: types.UID(uid), Controller: controller}}
	}
	deployment := &appsv1.Deployment{
		ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "finance-week1", UID: "deployment"},
		Spec:       appsv1.DeploymentSpec{Selector: &metav1.LabelSelector{MatchLabels: labels}},
	}
	set := func(name, uid, of string) *appsv1.ReplicaSet {
		return &appsv1.ReplicaSet{ObjectMeta: metav1.ObjectMeta{
			Namespace: "shop", Name: name, UID: types.UID(uid), Labels: labels,
			OwnerReferences: owner("Deployment", "finance-week1", of, &yes),
		}}
	}
	pod := func(name string, isReady bool, owners []metav1.OwnerReference) *corev1.Pod {
		made := newPod(name, isReady, labels)
		made.OwnerReferences = owners
		return made
	}
	leaving := pod("finance-week1-leaving", true, owner("ReplicaSet", "finance-week1-a", "set", &yes))
	leaving.DeletionTimestamp, leaving.Finalizers = &metav1.Time{Time: time.Unix(1, 0)}, []string{"example.com/hold"}
	client := &Client{clientset: fake.NewClientset(
		deployment, set("finance-week1-a", "set", "deployment"), set("finance-week1-b", "foreign", "another"), leaving,
		pod("finance-week1-b", true, owner("ReplicaSet", "finance-week1-a", "set", &yes)),
		pod("finance-week1-a", true, owner("ReplicaSet", "finance-week1-a", "set", &yes)),
		pod("finance-week1-starting", false, owner("ReplicaSet", "finance-week1-a", "set", &yes)),
		pod("finance-week1-alone", true, nil),
		pod("finance-week1-of-another", true, owner("ReplicaSet", "finance-week1-b", "foreign", &yes)),
		pod("finance-week1-named-alike", true, owner("ReplicaSet", "finance-week1-a", "forged", &yes)),
		pod("finance-week1-not-controlled", true, owner("ReplicaSet", "finance-week1-a", "set", &no)),
		pod("finance-week1-of-the-deployment", true, owner("Deployment", "finance-week1", "deployment", &yes)),
	)}
	for name, tt := range map[string]struct {
		list func() ([]corev1.Pod, error)
		want []string
	}{
		"all": {func() ([]corev1.Pod, error) { return client.DeploymentPods(t.Context(), "shop", "finance-week1") },
			[]string{"finance-week1-a", "finance-week1-b", "finance-week1-leaving", "finance-week1-starting"}},
		"ready": {func() ([]corev1.Pod, error) { return client.ReadyPods(t.Context(), "shop", "finance-week1") },
			[]string{"finance-week1-a", "finance-week1-b"}},
		"gone": {func() ([]corev1.Pod, error) { return client.ReadyPods(t.Context(), "shop", "finance-week2") }, nil},
	} {
		pods, err := tt.list()
		var names []string
		for i := range pods {
			names = append(names, pods[i].Name)
		}
		if err != nil || !cmp.Equal(names, tt.want) {
			t.Errorf("%s: %q, %v; want %q", name, names, err, tt.want)
		}
	}
}

func TestEventsInOrderOfTime(t *testing.T) {
	at := func(minute int) time.Time { return time.Date(2026, 3, 2, 9, minute, 0, 0, time.UTC) }
	event := func(name string, change func(*corev1.Event)) *corev1.Event {
		e := &corev1.Event{ObjectMeta: metav1.ObjectMeta{Namespace: "n", Name: name,
			CreationTimestamp: metav1.NewTime(at(0))}}
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
		&corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: "n", Name: "db"},
			Data: map[string][]byte{"password": []byte("x"), "host": nil}},
		&corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: "n", Name: "env", ResourceVersion: "1"},
			Data: map[string]string{"LEVEL": "info"}},
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
	broken.PrependReactor("*", "*", func(k8stesting.Action) (bool, runtime.Object, error) {
		return true, nil,
			errors.New("no")
	})
	client = &Client{clientset: broken}
	_, _, secretErr := client.SecretKeys(t.Context(), "n", "db")
	_, eventErr := client.Events(t.Context(), "n")
	testkit.WantError(t, secretErr, "get secret n/db: no")
	testkit.WantError(t, eventErr, "list the events of n: no")
}
