package kube

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/kubernetes/fake"
	k8stesting "k8s.io/client-go/testing"

	"github.com/vextrus/finance-rollout/internal/testkit"
)

func newPod(name string, ready bool, labels map[string]string) *corev1.Pod {
	status := corev1.ConditionFalse
	if ready {
		status = corev1.ConditionTrue
	}
	return &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: name, Labels: labels},
		Status: corev1.PodStatus{Phase: corev1.PodRunning, Conditions: []corev1.PodCondition{{Type: corev1.PodReady,
			Status: status}}},
	}
}

func TestNoLabelsSelectNoPods(t *testing.T) {
	client := &Client{clientset: fake.NewClientset(newPod("a", true, map[string]string{"app": "finance"}))}
	_, err := client.AllPods(t.Context(), "shop", nil)
	testkit.WantError(t, err, "no labels given")
	_, err = client.AllPods(t.Context(), "shop", map[string]string{"app": "a, b"})
	testkit.WantError(t, err, "a, b")
}

func TestProblem(t *testing.T) {
	container := func(status corev1.ContainerStatus) corev1.PodStatus {
		return corev1.PodStatus{Phase: corev1.PodRunning, ContainerStatuses: []corev1.ContainerStatus{status}}
	}
	died := corev1.ContainerState{Terminated: &corev1.ContainerStateTerminated{Reason: "OOMKilled", ExitCode: 137}}
	tests := []struct {
		name   string
		status corev1.PodStatus
		want   string
	}{
		{"ready", newPod("a", true, nil).Status, ""},
		{"probe fails", newPod("a", false, nil).Status, "not ready, phase Running"},
		{"crash loop", container(corev1.ContainerStatus{
			State: corev1.ContainerState{Waiting: &corev1.ContainerStateWaiting{Reason: "CrashLoopBackOff",
				Message: "back-off 10s"}},
			LastTerminationState: died, RestartCount: 3,
		}), "CrashLoopBackOff: back-off 10s (3 restarts; last: OOMKilled, exit code 137)"},
		{"died", container(corev1.ContainerStatus{State: died}), "OOMKilled, exit code 137"},
		{"running again", container(corev1.ContainerStatus{
			State: corev1.ContainerState{Running: &corev1.ContainerStateRunning{}}, LastTerminationState: died, RestartCount: 1,
		}), "running again (1 restarts; last: OOMKilled, exit code 137)"},
		{"init container", corev1.PodStatus{InitContainerStatuses: []corev1.ContainerStatus{{State: died}}},
			"OOMKilled, exit code 137"},
		{"no room", corev1.PodStatus{Phase: corev1.PodPending, Conditions: []corev1.PodCondition{
			{Type: corev1.PodScheduled, Status: corev1.ConditionFalse, Reason: "Unschedulable",
				Message: "0/1 nodes: Insufficient cpu"},
		}}, "Unschedulable: 0/1 nodes: Insufficient cpu"},
		{"evicted", corev1.PodStatus{Phase: corev1.PodFailed, Reason: "Evicted", Message: "low on disk"},
			"Evicted: low on disk"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			if got := Problem(&corev1.Pod{Status: test.status}); got != test.want {
				t.Errorf("got %q, want %q", got, test.want)
			}
		})
	}
}

func TestDescribeIsShort(t *testing.T) {
	var pods []corev1.Pod
	for i := range 9 {
		pods = append(pods, *newPod(fmt.Sprintf("pod-%d", i), i == 0, nil))
	}
	got := describe(pods)
	if strings.Contains(got, "pod-0:") || !strings.Contains(got, "pod-5:") || strings.Contains(got, "pod-6:") ||
		!strings.HasSuffix(got, "; and 3 more pods") {
		t.Errorf("got %q", got)
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
		built := newPod(name, isReady, labels)
		built.OwnerReferences = owners
		return built
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

func TestLabelPods(t *testing.T) {
	canary := map[string]string{"app": "finance", "track": "canary", "traffic": "enabled"}
	out := map[string]string{"app": "finance", "track": "canary", "traffic": "isolated"}
	client := &Client{clientset: fake.NewClientset(
		newPod("ready", true, canary), newPod("starting", false, canary), newPod("out", true, out),
		newPod("stable", true, map[string]string{"app": "finance", "track": "stable", "traffic": "enabled"}),
	)}
	selector := map[string]string{"app": "finance", "track": "canary"}
	changed, err := client.LabelPods(t.Context(), "shop", selector, "traffic", "isolated")
	if err != nil || !slices.Equal(changed, []string{"ready", "starting"}) {
		t.Errorf("changed %v, %v", changed, err)
	}
	pods, err := client.AllPods(t.Context(), "shop", map[string]string{"app": "finance"})
	if err != nil {
		t.Fatal(err)
	}
	for i := range pods {
		want := "isolated"
		if pods[i].Name == "stable" {
			want = "enabled"
		}
		if got := pods[i].Labels["traffic"]; got != want {
			t.Errorf("%s carries %s", pods[i].Name, got)
		}
	}
	if changed, err := client.LabelPods(t.Context(), "shop", selector, "traffic", "isolated"); err != nil ||
		len(changed) > 0 {
		t.Errorf("a second time changes %v, %v", changed, err)
	}
}

func TestLabelPod(t *testing.T) {
	client := &Client{clientset: fake.NewClientset(newPod("guard", true, map[string]string{"app": "guard"}))}
	for _, value := range []string{"true", ""} {
		if err := client.LabelPod(t.Context(), "shop", "guard", "leader", value); err != nil {
			t.Fatal(err)
		}
		pod, err := client.clientset.CoreV1().Pods("shop").Get(t.Context(), "guard", metav1.GetOptions{})
		if got, has := pod.Labels["leader"]; err != nil || got != value || has != (value != "") {
			t.Errorf("label %q, %v", got, err)
		}
	}
}

// An isolation is not held up by what else the client does, nor by the pods before it.
func TestAnIsolationHasAClientOfItsOwn(t *testing.T) {
	labels := map[string]string{"app": "finance"}
	var pods []runtime.Object
	var want []string
	for i := range 25 {
		want = append(want, fmt.Sprintf("p%02d", i))
		pods = append(pods, newPod(want[i], true, labels))
	}
	pods[7].(*corev1.Pod).Labels = map[string]string{"app": "finance", "traffic": "isolated"}
	want = slices.Delete(want, 7, 8)
	usual, urgent := fake.NewClientset(pods...), fake.NewClientset(pods...)
	client := &Client{clientset: usual, priority: urgent}
	changed, err := client.LabelPods(t.Context(), "shop", labels, "traffic", "isolated")
	if diff := cmp.Diff(want, changed); diff != "" || err != nil {
		t.Errorf("%v; changed (-want +got)\n%s", err, diff)
	}
	for name, set := range map[string]*fake.Clientset{"the usual client": usual, "the client of its own": urgent} {
		patches := 0
		for _, action := range set.Actions() {
			if action.GetVerb() == "patch" {
				patches++
			}
		}
		if want := map[bool]int{true: 24}[set == urgent]; patches != want {
			t.Errorf("%s patched %d pods, want %d", name, patches, want)
		}
	}
}

// A pod that is being deleted has begun its preStop hook, which no later deletion cuts short.
func TestEndPodsDeletesThoseThatServe(t *testing.T) {
	canary := map[string]string{"track": "canary"}
	ending := newPod("ending", true, canary)
	now := metav1.Now()
	ending.DeletionTimestamp, ending.Finalizers = &now, []string{"keeps/it"}
	clientset := fake.NewClientset(ending, newPod("serving", true, canary), newPod("gone", true, canary),
		newPod("stable", true, map[string]string{"track": "stable"}))
	var deleted []string
	clientset.PrependReactor("delete", "pods", func(action k8stesting.Action) (bool, runtime.Object, error) {
		deletion := action.(k8stesting.DeleteActionImpl)
		deleted = append(deleted, fmt.Sprintf("%s in %d s", deletion.Name, *deletion.DeleteOptions.GracePeriodSeconds))
		if deletion.Name == "gone" {
			return true, nil, apierrors.NewNotFound(corev1.Resource("pods"), "gone")
		}
		return true, nil, nil
	})
	client := &Client{clientset: clientset}
	ended, err := client.EndPods(t.Context(), "shop", canary, time.Second)
	if err != nil || ended != 1 || !slices.Equal(deleted, []string{"gone in 1 s", "serving in 1 s"}) {
		t.Errorf("%d ended of %q: %v", ended, deleted, err)
	}
}
