package kube

import (
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	authorizationv1 "k8s.io/api/authorization/v1"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/kubernetes/fake"
	k8stesting "k8s.io/client-go/testing"

	"github.com/vextrus/finance-rollout/internal/testkit"
)

func TestAllowedAsksForTheSubresource(t *testing.T) {
	clientset := fake.NewClientset()
	var asked authorizationv1.ResourceAttributes
	clientset.PrependReactor("create", "selfsubjectaccessreviews",
		func(action k8stesting.Action) (bool, runtime.Object, error) {
			review := action.(k8stesting.CreateAction).GetObject().(*authorizationv1.SelfSubjectAccessReview)
			asked = *review.Spec.ResourceAttributes
			review.Status.Allowed = asked.Verb == "get"
			return true, review, nil
		})
	client := &Client{clientset: clientset}
	allowed, err := client.Allowed(t.Context(), "get", "apps", "deployments/scale", "n", "x")
	want := authorizationv1.ResourceAttributes{Verb: "get", Group: "apps", Resource: "deployments", Subresource: "scale",
		Namespace: "n", Name: "x"}
	if err != nil || !allowed || asked != want {
		t.Errorf("%v, %v, asked %+v", allowed, err, asked)
	}
	if allowed, err := client.Allowed(t.Context(), "delete", "", "pods", "n", ""); err != nil || allowed {
		t.Errorf("%v, %v", allowed, err)
	}
	clientset.PrependReactor("*", "*", func(k8stesting.Action) (bool, runtime.Object, error) {
		return true, nil,
			errors.New("no")
	})
	_, err = client.Allowed(t.Context(), "get", "", "pods", "n", "")
	testkit.WantError(t, err, "ask whether get pods is allowed: no")
}

func TestSecretStatesHoldNoValue(t *testing.T) {
	client := &Client{clientset: fake.NewClientset(&corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{Namespace: "n", Name: "db"},
		Data:       map[string][]byte{"password": []byte("x-y-z"), "host": nil},
	})}
	judged, exists, err := client.SecretStates(t.Context(), "n", "db",
		func(value string) string { return map[bool]string{true: "empty", false: "set"}[value == ""] })
	if err != nil || !exists || !cmp.Equal(judged, map[string]string{"password": "set", "host": "empty"}) {
		t.Errorf("%v, %v, %v", judged, exists, err)
	}
	if _, exists, err := client.SecretStates(t.Context(), "n", "absent", nil); err != nil || exists {
		t.Errorf("absent: %v, %v", exists, err)
	}
}

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

func TestLastSuccess(t *testing.T) {
	at := metav1.NewTime(time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC))
	meta := func(name string) metav1.ObjectMeta { return metav1.ObjectMeta{Namespace: "n", Name: name} }
	client := &Client{clientset: fake.NewClientset(
		&batchv1.CronJob{ObjectMeta: meta("cron"), Status: batchv1.CronJobStatus{LastSuccessfulTime: &at}},
		&batchv1.CronJob{ObjectMeta: meta("new")},
		&batchv1.Job{ObjectMeta: meta("job"), Status: batchv1.JobStatus{CompletionTime: &at,
			Conditions: []batchv1.JobCondition{{Type: batchv1.JobComplete, Status: corev1.ConditionTrue}}}},
		&batchv1.Job{ObjectMeta: meta("failed"),
			Status: batchv1.JobStatus{Conditions: []batchv1.JobCondition{{Type: batchv1.JobFailed,
				Status: corev1.ConditionTrue}}}},
	)}
	for name, want := range map[string]struct {
		at     time.Time
		exists bool
	}{"cron": {at.Time, true}, "new": {time.Time{}, true}, "job": {at.Time, true}, "failed": {time.Time{}, true},
		"absent": {time.Time{}, false}} {
		got, exists, err := client.LastSuccess(t.Context(), "n", name)
		if err != nil || exists != want.exists || !got.Equal(want.at) {
			t.Errorf("%s: %v, %v, %v", name, got, exists, err)
		}
	}
}
