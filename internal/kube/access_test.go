package kube

import (
	"errors"
	"testing"

	authenticationv1 "k8s.io/api/authentication/v1"
	authorizationv1 "k8s.io/api/authorization/v1"
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

func TestAccountIsTheServersWord(t *testing.T) {
	clientset := fake.NewClientset()
	asked, refused := 0, errors.New("not yet")
	clientset.PrependReactor("create", "selfsubjectreviews", func(k8stesting.Action) (bool, runtime.Object, error) {
		asked++
		return true, &authenticationv1.SelfSubjectReview{Status: authenticationv1.SelfSubjectReviewStatus{
			UserInfo: authenticationv1.UserInfo{Username: "system:serviceaccount:ci:deployer"}}}, refused
	})
	client := &Client{clientset: clientset}
	if got := client.Account(t.Context()); got != "" {
		t.Errorf("a server that does not answer names %q", got)
	}
	refused = nil
	for range 2 {
		if got := client.Account(t.Context()); got != "system:serviceaccount:ci:deployer" || asked != 2 {
			t.Errorf("%q after %d questions", got, asked)
		}
	}
}
