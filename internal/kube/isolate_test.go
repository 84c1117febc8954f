package kube

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes/fake"

	"github.com/vextrus/finance-rollout/internal/testkit"
)

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

// newSlice is an EndpointSlice of the Service finance with these pods, of which those that end in ! are not ready.
func newSlice(name string, pods ...string) *discoveryv1.EndpointSlice {
	slice := &discoveryv1.EndpointSlice{ObjectMeta: metav1.ObjectMeta{
		Namespace: "shop", Name: name, Labels: map[string]string{discoveryv1.LabelServiceName: "finance"},
	}}
	for _, pod := range pods {
		name, unready := strings.CutSuffix(pod, "!")
		ready := !unready
		slice.Endpoints = append(slice.Endpoints, discoveryv1.Endpoint{
			Conditions: discoveryv1.EndpointConditions{Ready: &ready},
			TargetRef:  &corev1.ObjectReference{Kind: "Pod", Name: name},
		})
	}
	return slice
}

func TestEndpoints(t *testing.T) {
	other := newSlice("other", "x")
	other.Labels[discoveryv1.LabelServiceName] = "other"
	client := &Client{clientset: fake.NewClientset(newSlice("one", "b", "a", "c!"), newSlice("two", "a", "d"), other)}
	got, err := client.Endpoints(t.Context(), "shop", "finance")
	if err != nil || !slices.Equal(got, []string{"a", "b", "d"}) {
		t.Errorf("%v, %v", got, err)
	}
}

func TestWaitEndpoints(t *testing.T) {
	stable := map[string]string{"track": "stable"}
	client := &Client{clientset: fake.NewClientset(
		newSlice("one", "a", "b", "canary", "c!"), newPod("a", true, stable), newPod("b", true, stable),
		newPod("c", true, stable),
		newPod("canary", true, map[string]string{"track": "canary"}),
	)}
	if err := client.WaitEndpoints(t.Context(), "shop", "finance", stable, 2); err != nil {
		t.Error(err)
	}
	ctx, cancel := context.WithTimeoutCause(t.Context(), time.Millisecond, errors.New("patience is over"))
	defer cancel()
	err := client.WaitEndpoints(ctx, "shop", "finance", stable, 3)
	testkit.WantError(t, err, "2 of 3 pods take requests", "shop/finance", "patience is over")
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

func TestConfigMapIsSwappedAndNotOverwritten(t *testing.T) {
	client := &Client{clientset: fake.NewClientset()}
	ctx := t.Context()
	if data, version, err := client.ConfigMap(ctx, "shop", "ledger"); err != nil || data != nil || version != "" {
		t.Errorf("what does not exist: %v, %q, %v", data, version, err)
	}
	if err := client.SwapConfigMap(ctx, "shop", "ledger", map[string]string{"a": "1"}, ""); err != nil {
		t.Fatal(err)
	}
	if err := client.SwapConfigMap(ctx, "shop", "ledger", map[string]string{"a": "2"}, ""); !errors.Is(err, ErrConflict) {
		t.Errorf("a second creation: %v", err)
	}
	if err := client.SwapConfigMap(ctx, "shop", "gone", map[string]string{"a": "2"}, "5"); !errors.Is(err, ErrConflict) {
		t.Errorf("an update of what is gone: %v", err)
	}
	data, _, err := client.ConfigMap(ctx, "shop", "ledger")
	if err != nil || data["a"] != "1" {
		t.Errorf("%v, %v", data, err)
	}
}

func TestEvidenceIsKeptForTheNewest(t *testing.T) {
	client := &Client{clientset: fake.NewClientset()}
	for i := range 7 {
		if err := client.SaveEvidence(t.Context(), "shop", fmt.Sprintf("finance-evidence-2026030%d", i), "finance",
			[]byte("x"), 5); err != nil {
			t.Fatal(err)
		}
	}
	list, err := client.clientset.CoreV1().ConfigMaps("shop").List(t.Context(), metav1.ListOptions{})
	if err != nil || len(list.Items) != 5 {
		t.Fatalf("%d, %v", len(list.Items), err)
	}
	for _, kept := range list.Items {
		if kept.Name < "finance-evidence-20260302" {
			t.Errorf("%s is kept", kept.Name)
		}
	}
	if err := client.SaveEvidence(t.Context(), "shop", "finance-evidence-20260306", "finance", []byte("x"),
		5); err != nil {
		t.Errorf("a rollback that is repeated: %v", err)
	}
}

func TestEventTexts(t *testing.T) {
	event := func(name, object, reason string, minute int) *corev1.Event {
		return &corev1.Event{
			ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: name}, Type: "Warning", Reason: reason, Message: "told",
			InvolvedObject: corev1.ObjectReference{Kind: "Pod", Name: object},
			LastTimestamp:  metav1.Time{Time: time.Date(2026, 3, 2, 9, minute, 0, 0, time.UTC)},
		}
	}
	client := &Client{clientset: fake.NewClientset(
		event("1", "finance-v2-abc", "BackOff", 5), event("2", "finance-v2-abc", "Failed", 3),
		event("3", "finance-stable-x", "Killing", 1),
	)}
	lines, err := client.EventTexts(t.Context(), "shop", "finance-v2")
	if err != nil || len(lines) != 2 || !strings.Contains(lines[0], "Failed") ||
		!strings.Contains(lines[1], "09:05:00 Warning BackOff Pod/finance-v2-abc: told") {
		t.Errorf("%q, %v", lines, err)
	}
}
