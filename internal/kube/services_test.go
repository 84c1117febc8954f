package kube

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes/fake"

	"github.com/vextrus/finance-rollout/internal/testkit"
)

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
	foreign := newSlice("other", "x")
	foreign.Labels[discoveryv1.LabelServiceName] = "other"
	client := &Client{clientset: fake.NewClientset(newSlice("one", "b", "a", "c!"), newSlice("two", "a", "d"), foreign)}
	got, err := client.Endpoints(t.Context(), "shop", "finance")
	if err != nil || !slices.Equal(got, []string{"a", "b", "d"}) {
		t.Errorf("%v, %v", got, err)
	}
}

// The watch begins at some moment after the call, so that the change is repeated until it is seen.
func TestEndpointsChanged(t *testing.T) {
	slice := newSlice("one", "a")
	client := &Client{clientset: fake.NewClientset(slice)}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	changed := client.EndpointsChanged(ctx, "shop", "finance")
	for deadline := time.Now().Add(10 * time.Second); ; {
		slices := client.clientset.DiscoveryV1().EndpointSlices("shop")
		if _, err := slices.Update(ctx, slice, metav1.UpdateOptions{}); err != nil {
			t.Fatal(err)
		}
		select {
		case <-changed:
			return
		case <-time.After(10 * time.Millisecond):
		}
		if time.Now().After(deadline) {
			t.Fatal("a change is not seen")
		}
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

func TestSelectPods(t *testing.T) {
	client := &Client{clientset: fake.NewClientset(&corev1.Service{
		ObjectMeta: metav1.ObjectMeta{Name: "finance", Namespace: "shop"},
		Spec:       corev1.ServiceSpec{Selector: map[string]string{"app": "finance"}},
	})}
	for _, track := range []string{"canary", ""} {
		if err := client.SelectPods(t.Context(), "shop", "finance", "track", track); err != nil {
			t.Fatal(err)
		}
		selector, exists, err := client.ServiceSelector(t.Context(), "shop", "finance")
		if err != nil || !exists || selector["track"] != track || selector["app"] != "finance" {
			t.Errorf("selects by %v, %v", selector, err)
		}
	}
	if selector, exists, err := client.ServiceSelector(t.Context(), "shop", "none"); err != nil || exists {
		t.Errorf("a Service that does not exist selects by %v, %v", selector, err)
	}
}

func TestOpenService(t *testing.T) {
	client := &Client{clientset: fake.NewClientset(&corev1.Service{
		ObjectMeta: metav1.ObjectMeta{Name: "finance", Namespace: "shop"},
		Spec:       corev1.ServiceSpec{Selector: map[string]string{"app": "finance", "track": "canary"}},
	})}
	for _, want := range []bool{true, false} {
		if opened, err := client.OpenService(t.Context(), "shop", "finance", "track"); err != nil || opened != want {
			t.Errorf("opened %v, %v, want %v", opened, err, want)
		}
	}
	live, err := client.clientset.CoreV1().Services("shop").Get(t.Context(), "finance", metav1.GetOptions{})
	if err != nil || len(live.Spec.Selector) != 1 || live.Spec.Selector["app"] != "finance" {
		t.Errorf("%v, %v", live.Spec.Selector, err)
	}
	if _, err := client.OpenService(t.Context(), "shop", "none", "track"); err == nil {
		t.Error("a Service that does not exist is opened")
	}
}

func TestServiceProxy(t *testing.T) {
	var path, authorization string
	client := apiServer(t, func(w http.ResponseWriter, r *http.Request) {
		path, authorization = r.URL.Path, r.Header.Get("Authorization")
		answer(http.StatusOK, "ready")(w, r)
	})
	transport, base := client.ServiceProxy("monitoring", "prometheus-operated", 9090)
	response, err := (&http.Client{Transport: transport}).Get(base + "/-/ready")
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	if want := "/api/v1/namespaces/monitoring/services/prometheus-operated:9090/proxy/-/ready"; path != want {
		t.Errorf("path %s, want %s", path, want)
	}
	if authorization != "Bearer secret-token" {
		t.Errorf("authorization is %q", authorization)
	}
}
