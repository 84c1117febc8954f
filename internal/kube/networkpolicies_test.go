package kube

import (
	"testing"

	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes/fake"
)

func TestANetworkPolicyIsRead(t *testing.T) {
	made := &networkingv1.NetworkPolicy{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "orders"},
		Spec: networkingv1.NetworkPolicySpec{PolicyTypes: []networkingv1.PolicyType{"Egress"}}}
	client := &Client{clientset: fake.NewClientset(made)}
	for name, exists := range map[string]bool{"orders": true, "other": false} {
		policy, found, err := client.NetworkPolicy(t.Context(), "shop", name)
		if err != nil || found != exists || found && len(policy.Spec.PolicyTypes) != 1 {
			t.Errorf("%s: %v, %t, %v", name, policy, found, err)
		}
	}
}
