package program

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	networkingv1 "k8s.io/api/networking/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

// reach is what a policy of the program lets through, as egress ports, ingress ports and namespaces.
func reach(t *testing.T, w *world, name string) string {
	t.Helper()
	spec := policyOf(t, w, name)
	live := liveNetwork(&spec)
	var words []string
	for _, list := range [][]int{live.EgressPorts, live.IngressPorts} {
		words = append(words, strings.Trim(strings.ReplaceAll(fmt.Sprint(list), " ", ","), "[]"))
	}
	return strings.Join(append(words, strings.Join(live.IngressNamespaces, ",")), " | ")
}

// A network that lost what stable needs would cut all customers off at once: the canary has to do without first.
func TestTheCanaryIsTheFirstToLoseANetwork(t *testing.T) {
	const before = `{"egressPorts":[5432,9092],"ingressNamespaces":["ingress","shop"]}`
	tests := map[string]struct {
		change         map[string]string
		canary, stable string
		lost           string
	}{
		"nothing changes": {nil, "5432,9092 | 3014 | ingress,shop", "5432,9092 | 3014 | ingress,shop", ""},
		"a port is closed": {map[string]string{"network": `{"egressPorts":[9092],"ingressNamespaces":["ingress","shop"]}`},
			"9092 | 3014 | ingress,shop", "9092,5432 | 3014 | ingress,shop", "egress to port 5432"},
		"a port is opened": {map[string]string{"network": `{"egressPorts":[5432,9092,443],"ingressNamespaces":["ingress","shop"]}`},
			"5432,9092,443 | 3014 | ingress,shop", "5432,9092,443 | 3014 | ingress,shop", ""},
		"a namespace is shut out": {map[string]string{"network": `{"egressPorts":[5432,9092],"ingressNamespaces":["shop"]}`},
			"5432,9092 | 3014 | shop", "5432,9092 | 3014 | shop,ingress", "ingress from other namespaces than shop"},
		"every namespace is let in": {map[string]string{"network": `{"egressPorts":[5432,9092],"ingressNamespaces":[]}`},
			"5432,9092 | 3014 | ", "5432,9092 | 3014 | ", ""},
		"the service listens elsewhere": {map[string]string{"containerPort": "8080"},
			"5432,9092 | 8080 | ingress,shop", "5432,9092 | 8080,3014 | ingress,shop", "ingress at port 3014"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			w, config := released(t, false)
			config["network"] = before
			w.Network = networkOf(t, config)
			maps.Copy(config, tt.change)
			if err := w.run(t, "production", config); err != nil {
				t.Fatal(err)
			}
			if got := reach(t, w, "environment-canary"); got != tt.canary {
				t.Errorf("the canary: %s, want %s", got, tt.canary)
			}
			if got := reach(t, w, "environment"); got != tt.stable {
				t.Errorf("stable: %s, want %s", got, tt.stable)
			}
			wide, narrow := policyOf(t, w, "environment"), policyOf(t, w, "environment-canary")
			if got := withdrawn(liveNetwork(&wide), liveNetwork(&narrow)); got != tt.lost {
				t.Errorf("only stable's has %q, want %q", got, tt.lost)
			}
		})
	}
}

// networkOf is the policy that an update with a configuration leaves around the pods.
func networkOf(t *testing.T, config map[string]string) *networkingv1.NetworkPolicySpec {
	t.Helper()
	w, _ := released(t, false)
	if err := w.run(t, "production", config); err != nil {
		t.Fatal(err)
	}
	spec := policyOf(t, w, "environment")
	return &spec
}

func TestTheTracksHaveTheirOwnNetworks(t *testing.T) {
	w, config := released(t, false)
	if err := w.run(t, "production", config); err != nil {
		t.Fatal(err)
	}
	selects := func(name string) metav1.LabelSelectorRequirement {
		spec := policyOf(t, w, name)
		if len(spec.PodSelector.MatchExpressions) != 1 {
			t.Fatalf("%s selects pods by %v", name, spec.PodSelector)
		}
		return spec.PodSelector.MatchExpressions[0]
	}
	if got := selects("environment-canary"); got.Operator != metav1.LabelSelectorOpIn || got.Values[0] != "canary" {
		t.Errorf("the canary's selects %v", got)
	}
	if got := selects("environment"); got.Operator != metav1.LabelSelectorOpNotIn || got.Values[0] != "canary" {
		t.Errorf("stable's selects %v", got)
	}
	const policy = "kubernetes:networking.k8s.io/v1:NetworkPolicy/"
	first := func(urn string) bool { return strings.HasSuffix(urn, "::environment-canary") }
	if !slices.ContainsFunc(w.after[policy+"environment"], first) {
		t.Errorf("stable's waits for %v", w.after[policy+"environment"])
	}
}

func TestANetworkThatMayNotBeReadStopsAnUpdate(t *testing.T) {
	w, config := released(t, false)
	w.NetworkErr = apierrors.NewForbidden(schema.GroupResource{Resource: "networkpolicies"}, "finance-service", nil)
	if err := w.run(t, "production", config); err == nil || !strings.Contains(err.Error(), "networkpolicies") ||
		!strings.Contains(err.Error(), "docs/rbac.yaml") {
		t.Errorf("the update: %v", err)
	}
}
