package policy

import (
	"fmt"
	"slices"
	"strings"

	"github.com/pulumi/pulumi/sdk/v3/go/property"
)

// way is a right that is a way to more rights than it names.
type way struct {
	// resources are those it is for, subresources included where they are named; verbs are the harmful ones, any where
	// there are none.
	resources, verbs []string
	// leads tells where it leads to.
	leads string
}

func ways() []way {
	write := []string{"create", "update", "patch", "delete", "deletecollection"}
	change := []string{"create", "update", "patch"}
	return []way{
		{[]string{"pods/exec", "pods/attach"}, nil, "runs commands in pods, with their Secrets and rights"},
		{[]string{"pods/portforward", "pods/proxy", "services/proxy"}, nil, "reaches ports that no NetworkPolicy opens"},
		{[]string{"pods/ephemeralcontainers"}, change, "adds a container to a pod that runs"},
		{[]string{"pods"}, []string{"create"}, "runs any image under any account of the namespace"},
		{[]string{"deployments", "statefulsets", "daemonsets", "replicasets", "replicationcontrollers", "jobs", "cronjobs",
			"podtemplates", "rollouts"}, change, "runs any image under any account of the namespace"},
		{[]string{"nodes/proxy"}, nil, "reaches the kubelet, which runs commands in every pod of the node"},
		{[]string{"nodes", "nodes/status"}, write, "decides which node runs what"},
		{[]string{"bindings", "pods/binding"}, change, "decides which node runs what"},
		{[]string{"workflows", "cronworkflows", "taskruns", "pipelineruns", "helmreleases", "kustomizations"}, change,
			"lets an operator of the cluster run what it names"},
		{[]string{"endpoints", "endpointslices"}, change, "leads a Service to any address, past every NetworkPolicy"},
		{[]string{"persistentvolumes"}, change, "mounts any path of a node"},
		{[]string{"networkpolicies"}, write, "opens what a NetworkPolicy closes"},
		{[]string{"securitycontextconstraints", "podsecuritypolicies"}, slices.Concat(write, []string{"use"}),
			"lets pods run with the rights of their node"},
		{[]string{"certificatesigningrequests/approval", "certificatesigningrequests/status", "signers"},
			slices.Concat(change, []string{"approve", "sign", "attest"}), "issues certificates for any user"},
		{[]string{"roles", "clusterroles", "rolebindings", "clusterrolebindings"}, change, "changes who may do what"},
		{[]string{"mutatingwebhookconfigurations", "validatingwebhookconfigurations", "mutatingadmissionpolicies",
			"mutatingadmissionpolicybindings", "validatingadmissionpolicies", "validatingadmissionpolicybindings"}, write,
			"changes or lets pass what others write"},
		{[]string{"apiservices", "customresourcedefinitions"}, write, "changes the API itself"},
		{[]string{"namespaces"}, []string{"update", "patch"}, "removes the label that keeps privileged pods out"},
	}
}

func noEscalation(r Resource, _ Limits) []string {
	var messages []string
	say := func(what string) { messages = append(messages, fmt.Sprintf("%s %s: %s", r.kind(), r.name(), what)) }
	for _, rule := range ruleLists(r) {
		for _, way := range waysIn(rule) {
			say(way)
		}
	}
	if r.kind() != "ClusterRole" {
		return messages
	}
	if value := r.at("aggregationRule"); !missing(value) && !value.IsComputed() {
		say("its aggregationRule takes in rights that others write later; name the rules here")
	}
	entries(r.at("metadata", "labels"), func(key string, value property.Value) {
		if strings.HasPrefix(key, "rbac.authorization.k8s.io/aggregate-to-") && text(value) == "true" {
			say(fmt.Sprintf("the label %s adds its rules to a role of the cluster; remove it", key))
		}
	})
	return messages
}

// waysIn tells what a rule allows beyond what it says. Wildcards are rbac-no-wildcard's.
func waysIn(rule property.Value) []string {
	var escalations []string
	verbs := words(at(rule, "verbs"))
	for _, resource := range words(at(rule, "resources")) {
		for _, one := range ways() {
			if !slices.Contains(one.resources, resource) {
				continue
			}
			harmful := slices.DeleteFunc(slices.Clone(verbs), func(verb string) bool {
				return verb == "" || one.verbs != nil && !slices.Contains(one.verbs, verb)
			})
			if len(harmful) > 0 {
				escalations = append(escalations,
					fmt.Sprintf("%s on %s %s; remove it", strings.Join(harmful, ", "), resource, one.leads))
			}
		}
	}
	return escalations
}
