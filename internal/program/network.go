package program

import (
	"context"
	"fmt"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"github.com/vextrus/finance-rollout/components"
	"github.com/vextrus/finance-rollout/internal/settings"
)

// network is what the configuration lets through to the pods, and from them.
func network(s *settings.Settings) components.Network {
	n := components.Network{IngressPorts: []int{int(s.Container)}, IngressNamespaces: s.Network.IngressNamespaces}
	if port := int(s.Metrics.Port); port != 0 && port != n.IngressPorts[0] {
		n.IngressPorts = append(n.IngressPorts, port)
	}
	for _, port := range s.Network.EgressPorts {
		n.EgressPorts = append(n.EgressPorts, int(port))
	}
	return n
}

// stableNetwork is the network of stable's pods; nil on a stack with one track. While stable keeps what it runs, its
// network only grows: what the configuration no longer lets through is tried without by the canary first, and taken
// from stable by the update that finishes.
func (p *program) stableNetwork(ctx context.Context) (*components.Network, error) {
	if p.settings.IsSingle() {
		return nil, nil
	}
	configured := network(p.settings)
	if !p.shift.Freeze().Frozen && !p.shift.IsExpress() {
		return &configured, nil
	}
	policy, exists, err := p.cluster.NetworkPolicy(ctx, p.settings.Namespace, p.settings.App)
	switch {
	case apierrors.IsForbidden(err):
		err = fmt.Errorf("the network of stable's pods is not compared, because reading its NetworkPolicy is not allowed "+
			"(%w); allow it as in docs/rbac.yaml", err)
		if p.ctx.DryRun() {
			return &configured, p.log().Warn(err.Error())
		}
		return nil, err
	case err != nil || !exists:
		return &configured, err
	}
	kept := configured.With(liveNetwork(&policy.Spec))
	if lost := withdrawn(kept, configured); lost != "" {
		return &kept, p.log().Info(fmt.Sprintf("network: stable's pods keep %s until a release finishes without; the "+
			"canary's pods go without at once", lost))
	}
	return &kept, nil
}

// withdrawn names what a network lets through and another one does not; empty for nothing.
func withdrawn(wide, narrow components.Network) string {
	var lost []string
	missing := func(list, other []int, words string) {
		gone := slices.DeleteFunc(slices.Clone(list), func(port int) bool { return slices.Contains(other, port) })
		if len(gone) > 0 {
			lost = append(lost, words+" "+strings.Trim(fmt.Sprint(gone), "[]"))
		}
	}
	missing(wide.EgressPorts, narrow.EgressPorts, "egress to port")
	missing(wide.IngressPorts, narrow.IngressPorts, "ingress at port")
	if len(narrow.IngressNamespaces) > 0 && !slices.Equal(wide.IngressNamespaces, narrow.IngressNamespaces) {
		lost = append(lost, "ingress from other namespaces than "+strings.Join(narrow.IngressNamespaces, ", "))
	}
	return strings.Join(lost, ", ")
}

// liveNetwork reads a policy that the program has made.
func liveNetwork(spec *networkingv1.NetworkPolicySpec) components.Network {
	var live components.Network
	for _, rule := range spec.Ingress {
		live.IngressPorts = append(live.IngressPorts, ports(rule.Ports)...)
		for _, peer := range rule.From {
			if peer.NamespaceSelector != nil {
				live.IngressNamespaces = append(live.IngressNamespaces,
					peer.NamespaceSelector.MatchLabels[corev1.LabelMetadataName])
			}
		}
	}
	const dns = 53
	for _, rule := range spec.Egress {
		open := ports(rule.Ports)
		live.EgressPorts = append(live.EgressPorts, slices.DeleteFunc(open, func(port int) bool { return port == dns })...)
	}
	return live
}

func ports(of []networkingv1.NetworkPolicyPort) []int {
	var list []int
	for _, port := range of {
		if port.Port != nil {
			list = append(list, port.Port.IntValue())
		}
	}
	return list
}
