package kube

import (
	"errors"
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes/fake"
)

func TestOnlyOneOperatorAtATime(t *testing.T) {
	client := &Client{clientset: fake.NewClientset()}
	release, err := client.Hold(t.Context(), "shop", "finance-operator", "anna", false)
	if err != nil {
		t.Fatal(err)
	}
	_, err = client.Hold(t.Context(), "shop", "finance-operator", "ben", false)
	if held, ok := errors.AsType[*HeldError](err); !ok || held.Holder != "anna" ||
		!strings.Contains(err.Error(), "anna is at it") {
		t.Errorf("a second operator: %v", err)
	}
	byForce, err := client.Hold(t.Context(), "shop", "finance-operator", "ben", true)
	if err != nil {
		t.Fatalf("by force: %v", err)
	}
	// Who lost it does not take it away from who has it.
	release()
	if holder, renewed, err := client.LeaseHolder(t.Context(), "shop", "finance-operator"); err != nil ||
		holder != "ben" || time.Since(renewed) > time.Minute {
		t.Errorf("%q holds it, since %v: %v", holder, renewed, err)
	}
	byForce()
	if holder, _, err := client.LeaseHolder(t.Context(), "shop", "finance-operator"); err != nil || holder != "" {
		t.Errorf("%q holds what was let go: %v", holder, err)
	}
	again, err := client.Hold(t.Context(), "shop", "finance-operator", "carla", false)
	if err != nil {
		t.Fatal(err)
	}
	again()
	if holder, _, err := client.LeaseHolder(t.Context(), "shop", "nobody"); err != nil || holder != "" {
		t.Errorf("%q holds what does not exist: %v", holder, err)
	}
}

func TestAnOldLeaseIsFree(t *testing.T) {
	client := &Client{clientset: fake.NewClientset()}
	release, err := client.Hold(t.Context(), "shop", "finance-operator", "anna", false)
	if err != nil {
		t.Fatal(err)
	}
	defer release()
	leases := client.clientset.CoordinationV1().Leases("shop")
	lease, err := leases.Get(t.Context(), "finance-operator", metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	old := metav1.NewMicroTime(time.Now().Add(-2 * HoldFor))
	lease.Spec.RenewTime = &old
	if _, err := leases.Update(t.Context(), lease, metav1.UpdateOptions{}); err != nil {
		t.Fatal(err)
	}
	taken, err := client.Hold(t.Context(), "shop", "finance-operator", "ben", false)
	if err != nil {
		t.Fatalf("a Lease that nobody renews is kept: %v", err)
	}
	taken()
}
