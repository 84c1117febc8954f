package program

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/pulumi/pulumi/sdk/v3/go/common/resource"
	networkingv1 "k8s.io/api/networking/v1"
)

// policyOf decodes the spec of a NetworkPolicy that the program made.
func policyOf(t *testing.T, w *world, name string) networkingv1.NetworkPolicySpec {
	t.Helper()
	inputs, made := w.inputs["kubernetes:networking.k8s.io/v1:NetworkPolicy/"+name]
	if !made {
		t.Fatalf("no policy %s", name)
	}
	raw, err := json.Marshal(inputs["spec"].Mappable())
	if err != nil {
		t.Fatal(err)
	}
	var spec networkingv1.NetworkPolicySpec
	if err := json.Unmarshal(raw, &spec); err != nil {
		t.Fatal(err)
	}
	return spec
}

// ways lists what an egress lets through, a rule a line.
func ways(rules []networkingv1.NetworkPolicyEgressRule) string {
	var lines []string
	for _, rule := range rules {
		var ports, peers []string
		for _, port := range rule.Ports {
			ports = append(ports, fmt.Sprintf("%s/%s", *port.Protocol, port.Port))
		}
		for _, peer := range rule.To {
			if peer.NamespaceSelector != nil {
				peers = append(peers, "namespace "+peer.NamespaceSelector.MatchLabels["kubernetes.io/metadata.name"])
			} else {
				peers = append(peers, "pods "+peer.PodSelector.MatchLabels["app"])
			}
		}
		lines = append(lines, strings.Join(peers, ",")+" "+strings.Join(ports, ","))
	}
	return strings.Join(lines, "\n")
}

// A client that reaches the guard's port can send it alerts, and a guard that was taken over could reach everything.
func TestTheGuardTalksToWhomItNeeds(t *testing.T) {
	const usual = " UDP/53,TCP/53\n TCP/443,TCP/6443,TCP/8443,TCP/16443\npods finance-service TCP/3014"
	relay := `{"webhooks":[{"url":"http://relay.tools.svc.cluster.local:8080/events","secret":"notify/key"}]}`
	secrets := strings.Replace(productionConfig()["secrets"], "{", `{"notify":{"key":"hmac-k3y-of-the-relay"},`, 1)
	for _, tt := range []struct {
		name    string
		changes []string
		from    []string
		to      string
	}{
		{name: "Prometheus in the cluster", from: []string{"monitoring"}, to: usual + "\nnamespace monitoring "},
		{name: "Prometheus at an address", changes: []string{"prometheus", "https://mimir.example.com:9009"},
			to: " UDP/53,TCP/53\n TCP/443,TCP/6443,TCP/8443,TCP/16443,TCP/9009\npods finance-service TCP/3014"},
		{name: "everything in the cluster", changes: []string{"notify", relay, "secrets", secrets,
			"guard", `{"image":"vextrus/rollout:v1","alertmanager":"alerts/alertmanager-operated:9093"}`,
			"metrics", `{"port":9464}`},
			from: []string{"monitoring", "alerts"},
			to:   usual + ",TCP/9464\nnamespace monitoring,namespace alerts,namespace tools "},
		{name: "a scraper of another namespace", changes: []string{"network",
			`{"monitoringNamespaces":["agents"],"apiServerPorts":[7443]}`}, from: []string{"agents"},
			to: " UDP/53,TCP/53\n TCP/7443\npods finance-service TCP/3014\nnamespace monitoring "},
	} {
		t.Run(tt.name, func(t *testing.T) {
			w := newWorld()
			if err := w.run(t, "production", guardedConfig(tt.changes...)); err != nil {
				t.Fatal(err)
			}
			spec := policyOf(t, w, "guard")
			if spec.PodSelector.MatchLabels["app"] != "finance-service-guard" || len(spec.PolicyTypes) != 2 {
				t.Errorf("it selects %v for %v", spec.PodSelector.MatchLabels, spec.PolicyTypes)
			}
			var from []string
			for _, peer := range spec.Ingress[0].From {
				from = append(from, peer.NamespaceSelector.MatchLabels["kubernetes.io/metadata.name"])
			}
			if !slices.Equal(from, tt.from) || len(spec.Ingress) != 1 || spec.Ingress[0].Ports[0].Port.IntValue() != 8080 {
				t.Errorf("reached by %v", spec.Ingress)
			}
			if diff := cmp.Diff(tt.to, ways(spec.Egress)); diff != "" {
				t.Errorf("it reaches (-want +got):\n%s", diff)
			}
		})
	}
	w := newWorld()
	if err := w.run(t, "production", guardedConfig("network", `{"apiServerPorts":[]}`)); err != nil {
		t.Fatal(err)
	}
	if spec := policyOf(t, w, "guard"); len(spec.PolicyTypes) != 1 ||
		spec.PolicyTypes[0] != networkingv1.PolicyTypeIngress {
		t.Errorf("without the API server's ports, the policy is one for %v", spec.PolicyTypes)
	}
}

// With the setting, what no policy allows is refused, and the rollout's own pods keep their ways.
func TestDefaultDeny(t *testing.T) {
	const denied = "environment-default-deny"
	w, without := newWorld(), newWorld()
	if err := w.run(t, "production", guardedConfig("network", `{"defaultDeny":true}`)); err != nil {
		t.Fatal(err)
	}
	if err := without.run(t, "production", guardedConfig()); err != nil {
		t.Fatal(err)
	}
	want := networkingv1.NetworkPolicySpec{PolicyTypes: []networkingv1.PolicyType{"Ingress", "Egress"}}
	if diff := cmp.Diff(want, policyOf(t, w, denied)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	for key, inputs := range without.inputs {
		if strings.Contains(key, denied) {
			t.Errorf("%s is made without the setting", key)
		}
		if diff := cmp.Diff(map[resource.PropertyKey]any(nil), changed(inputs, w.inputs[key])); diff != "" &&
			strings.Contains(key, "NetworkPolicy") {
			t.Errorf("%s changes (-want +got):\n%s", key, diff)
		}
	}
}

// changed are the inputs that differ.
func changed(before, after resource.PropertyMap) map[resource.PropertyKey]any {
	var list map[resource.PropertyKey]any
	for key, value := range before {
		if !value.DeepEquals(after[key]) {
			if list == nil {
				list = map[resource.PropertyKey]any{}
			}
			list[key] = after[key].Mappable()
		}
	}
	return list
}
