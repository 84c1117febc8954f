package components

import (
	"slices"

	metav1 "github.com/pulumi/pulumi-kubernetes/sdk/v4/go/kubernetes/meta/v1"
	networkingv1 "github.com/pulumi/pulumi-kubernetes/sdk/v4/go/kubernetes/networking/v1"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"github.com/vextrus/finance-rollout/internal/names"
)

// Network is what a network policy lets through.
type Network struct {
	// IngressPorts are the TCP ports of the pods that may be reached.
	IngressPorts []int
	// IngressNamespaces may reach them; empty means every namespace.
	IngressNamespaces []string
	// EgressPorts are the TCP ports that the pods may reach, beside DNS.
	EgressPorts []int
}

// With lets through what either of two networks does.
func (n Network) With(other Network) Network {
	both := Network{IngressPorts: union(n.IngressPorts, other.IngressPorts),
		EgressPorts: union(n.EgressPorts, other.EgressPorts)}
	if len(n.IngressNamespaces) > 0 && len(other.IngressNamespaces) > 0 {
		both.IngressNamespaces = union(n.IngressNamespaces, other.IngressNamespaces)
	}
	return both
}

// union is a list with what only the other one has behind it.
func union[T comparable](list, other []T) []T {
	both := slices.Clone(list)
	for _, item := range other {
		if !slices.Contains(both, item) {
			both = append(both, item)
		}
	}
	return both
}

// newNetworkPolicies makes the policy around the pods. Where the canary's pods have one of their own, that comes first,
// so that no pod is without.
func newNetworkPolicies(ctx *pulumi.Context, name string, app App, args *EnvironmentArgs,
	parent pulumi.ResourceOption) error {
	if args.StableNetwork == nil {
		_, err := newNetworkPolicy(ctx, name, app, networkPolicy{object: args.App, network: args.Network}, args, parent)
		return err
	}
	canary, err := newNetworkPolicy(ctx, name+"-"+names.Canary, app, networkPolicy{
		object: args.App + "-" + names.Canary, operator: "In", network: args.Network,
	}, args, parent)
	if err != nil {
		return err
	}
	_, err = newNetworkPolicy(ctx, name, app, networkPolicy{object: args.App, operator: "NotIn",
		network: *args.StableNetwork}, args, parent, pulumi.DependsOn([]pulumi.Resource{canary}))
	return err
}

// networkPolicy is a policy by its object's name. Operator says how the track of its pods is to the canary's, In or
// NotIn; empty for pods of any track.
type networkPolicy struct {
	object, operator string
	network          Network
}

func newNetworkPolicy(ctx *pulumi.Context, name string, app App, policy networkPolicy, args *EnvironmentArgs,
	opts ...pulumi.ResourceOption) (*networkingv1.NetworkPolicy, error) {
	egress := networkingv1.NetworkPolicyEgressRuleArray{dns()}
	if len(policy.network.EgressPorts) > 0 {
		egress = append(egress, networkingv1.NetworkPolicyEgressRuleArgs{Ports: tcpPorts(policy.network.EgressPorts...)})
	}
	// Pods of the same app that no rollout has made keep what they may reach, while the rollout takes over from them.
	selector := metav1.LabelSelectorArgs{MatchLabels: pulumi.StringMap{
		names.App: pulumi.String(args.App), names.ManagedBy: pulumi.String(names.Program),
	}}
	if policy.operator != "" {
		selector.MatchExpressions = metav1.LabelSelectorRequirementArray{metav1.LabelSelectorRequirementArgs{
			Key: pulumi.String(names.Track), Operator: pulumi.String(policy.operator),
			Values: pulumi.ToStringArray([]string{names.Canary}),
		}}
	}
	return networkingv1.NewNetworkPolicy(ctx, name, &networkingv1.NetworkPolicyArgs{
		Metadata: app.metadata(policy.object),
		Spec: networkingv1.NetworkPolicySpecArgs{
			PodSelector: selector,
			PolicyTypes: pulumi.ToStringArray([]string{"Ingress", "Egress"}),
			Ingress: networkingv1.NetworkPolicyIngressRuleArray{networkingv1.NetworkPolicyIngressRuleArgs{
				From:  peers(policy.network.IngressNamespaces, args.IngressApps),
				Ports: tcpPorts(policy.network.IngressPorts...),
			}},
			Egress: egress,
		},
	}, opts...)
}

func tcpPorts(ports ...int) networkingv1.NetworkPolicyPortArray {
	var list networkingv1.NetworkPolicyPortArray
	for _, port := range ports {
		list = append(list, networkingv1.NetworkPolicyPortArgs{Protocol: pulumi.String("TCP"), Port: pulumi.Int(port)})
	}
	return list
}

// peers are who may reach the pods; no namespace means everybody.
func peers(namespaces, apps []string) networkingv1.NetworkPolicyPeerArray {
	var list networkingv1.NetworkPolicyPeerArray
	if len(namespaces) == 0 {
		return nil
	}
	for _, app := range apps {
		list = append(list, networkingv1.NetworkPolicyPeerArgs{PodSelector: metav1.LabelSelectorArgs{
			MatchLabels: pulumi.StringMap{names.App: pulumi.String(app)},
		}})
	}
	for _, namespace := range namespaces {
		list = append(list, networkingv1.NetworkPolicyPeerArgs{NamespaceSelector: metav1.LabelSelectorArgs{
			MatchLabels: pulumi.StringMap{"kubernetes.io/metadata.name": pulumi.String(namespace)},
		}})
	}
	return list
}
