package components

import (
	metav1 "github.com/pulumi/pulumi-kubernetes/sdk/v4/go/kubernetes/meta/v1"
	networkingv1 "github.com/pulumi/pulumi-kubernetes/sdk/v4/go/kubernetes/networking/v1"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"github.com/vextrus/finance-rollout/internal/names"
)

// GuardNetwork is whom the guard talks to.
type GuardNetwork struct {
	// From are the namespaces that may reach its port; empty for all.
	From []string
	// APIServerPorts are those of the API server, which is no pod: every address may be reached by them. Without any, the
	// guard may reach everything.
	APIServerPorts []int
	// Pods is the app whose pods the guard scrapes, PodPorts their ports.
	Pods     string
	PodPorts []int
	// Namespaces may be reached on every port, because a policy sees a pod's port and not its Service's. Ports may be
	// reached at every address.
	Namespaces []string
	Ports      []int
}

// newGuardPolicy lets the guard talk to whom it needs and to nobody else.
func newGuardPolicy(ctx *pulumi.Context, name string, app App, network GuardNetwork,
	parent pulumi.ResourceOption) error {
	spec := networkingv1.NetworkPolicySpecArgs{
		PodSelector: metav1.LabelSelectorArgs{MatchLabels: pulumi.StringMap{names.App: pulumi.String(app.Name)}},
		PolicyTypes: pulumi.ToStringArray([]string{"Ingress"}),
		Ingress: networkingv1.NetworkPolicyIngressRuleArray{
			networkingv1.NetworkPolicyIngressRuleArgs{From: peers(network.From, nil), Ports: tcpPorts(guardPort)}},
	}
	if len(network.APIServerPorts) > 0 {
		spec.PolicyTypes = pulumi.ToStringArray([]string{"Ingress", "Egress"})
		spec.Egress = network.egress()
	}
	_, err := networkingv1.NewNetworkPolicy(ctx, name, &networkingv1.NetworkPolicyArgs{
		Metadata: app.metadata(app.Name), Spec: spec,
	}, parent)
	return err
}

func (n GuardNetwork) egress() networkingv1.NetworkPolicyEgressRuleArray {
	rules := networkingv1.NetworkPolicyEgressRuleArray{
		dns(),
		networkingv1.NetworkPolicyEgressRuleArgs{Ports: tcpPorts(append(n.APIServerPorts, n.Ports...)...)},
		networkingv1.NetworkPolicyEgressRuleArgs{
			To: networkingv1.NetworkPolicyPeerArray{networkingv1.NetworkPolicyPeerArgs{PodSelector: metav1.LabelSelectorArgs{
				MatchLabels: pulumi.StringMap{names.App: pulumi.String(n.Pods)},
			}}},
			Ports: tcpPorts(n.PodPorts...),
		},
	}
	if len(n.Namespaces) > 0 {
		rules = append(rules, networkingv1.NetworkPolicyEgressRuleArgs{To: peers(n.Namespaces, nil)})
	}
	return rules
}

// dns is the way to the cluster's names.
func dns() networkingv1.NetworkPolicyEgressRuleArgs {
	return networkingv1.NetworkPolicyEgressRuleArgs{Ports: networkingv1.NetworkPolicyPortArray{
		networkingv1.NetworkPolicyPortArgs{Protocol: pulumi.String("UDP"), Port: pulumi.Int(53)},
		networkingv1.NetworkPolicyPortArgs{Protocol: pulumi.String("TCP"), Port: pulumi.Int(53)},
	}}
}

// newDefaultDeny keeps every pod of the namespace from what no other policy allows.
func newDefaultDeny(ctx *pulumi.Context, name string, app App, parent pulumi.ResourceOption) error {
	_, err := networkingv1.NewNetworkPolicy(ctx, name+"-default-deny", &networkingv1.NetworkPolicyArgs{
		Metadata: app.metadata(app.Name + "-default-deny"),
		Spec: networkingv1.NetworkPolicySpecArgs{
			PodSelector: metav1.LabelSelectorArgs{}, PolicyTypes: pulumi.ToStringArray([]string{"Ingress", "Egress"}),
		},
	}, parent)
	return err
}
