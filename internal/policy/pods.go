package policy

import (
	"fmt"
	"slices"
	"strings"

	"github.com/pulumi/pulumi/sdk/v3/go/property"
)

func podPolicies() []Policy {
	return []Policy{
		{
			Name:        "pod-non-root",
			Description: "Containers do not run as root.",
			Resource:    eachContainer(nonRoot),
		},
		{
			Name:        "pod-privilege-escalation",
			Description: "Containers are not privileged and cannot become so.",
			Resource:    eachContainer(privilegeEscalation),
		},
		{
			Name:        "pod-capabilities",
			Description: "Containers drop every capability of the kernel.",
			Resource:    eachContainer(capabilities),
		},
		{
			Name:        "pod-seccomp",
			Description: "Containers run under a seccomp profile.",
			Resource:    eachContainer(seccomp),
		},
		{
			Name:        "pod-read-only-root",
			Description: "The root file system of a container cannot be written.",
			Resource:    eachContainer(readOnlyRoot),
		},
		{
			Name:        "pod-host",
			Description: "Pods use no namespace, path or port of their node.",
			Resource:    eachPod(host),
		},
		{
			Name:        "pod-service-account-token",
			Description: "Pods get no token of the API server unless they are declared to need one.",
			Limits: []Limit{{
				Name:        "workloads",
				Description: "Workloads that need a token, by name; *-guard is every name that ends with -guard.",
				Default:     []string{"*-guard"},
			}},
			Resource: func(r Resource, limits Limits) []string {
				return append(eachPod(serviceAccountToken)(r, limits), tokenSecret(r, limits)...)
			},
		},
	}
}

func nonRoot(pod property.Value, c container) string {
	if user := secured(pod, c, "runAsUser"); user.IsNumber() && user.AsNumber() == 0 {
		return "it runs as user 0, which is root; set securityContext.runAsUser to another number"
	}
	value := secured(pod, c, "runAsNonRoot")
	if unknown(value) || isTrue(value) {
		return ""
	}
	return "it may run as root; set securityContext.runAsNonRoot to true"
}

func privilegeEscalation(_ property.Value, c container) string {
	if isTrue(at(c.Value, "securityContext", "privileged")) {
		return "it is privileged, which gives it the whole node; remove securityContext.privileged"
	}
	value := at(c.Value, "securityContext", "allowPrivilegeEscalation")
	if unknown(value) || isFalse(value) {
		return ""
	}
	return "it may gain privileges; set securityContext.allowPrivilegeEscalation to false"
}

func capabilities(_ property.Value, c container) string {
	set := at(c.Value, "securityContext", "capabilities")
	if unknown(set) {
		return ""
	}
	for _, added := range words(at(set, "add")) {
		if added != "NET_BIND_SERVICE" {
			return fmt.Sprintf("it adds the capability %s; remove it from securityContext.capabilities.add", added)
		}
	}
	if !slices.Contains(words(at(set, "drop")), "ALL") {
		return "it keeps capabilities; set securityContext.capabilities.drop to [ALL]"
	}
	return ""
}

func seccomp(pod property.Value, c container) string {
	profile := secured(pod, c, "seccompProfile", "type")
	if unknown(profile) || slices.Contains([]string{"RuntimeDefault", "Localhost"}, text(profile)) {
		return ""
	}
	return "it runs without a seccomp profile; set securityContext.seccompProfile.type to RuntimeDefault"
}

func readOnlyRoot(_ property.Value, c container) string {
	value := at(c.Value, "securityContext", "readOnlyRootFilesystem")
	if unknown(value) || isTrue(value) {
		return ""
	}
	return "its root file system can be written; set securityContext.readOnlyRootFilesystem to true and mount an " +
		"emptyDir where it writes"
}

func host(_ Resource, _ Limits, in podsIn) []string {
	pod := in.spec
	var messages []string
	for _, field := range []string{"hostNetwork", "hostPID", "hostIPC"} {
		if isTrue(at(pod, field)) {
			messages = append(messages, fmt.Sprintf("the pods share the node's namespace by %s; remove it", field))
		}
	}
	for _, volume := range items(at(pod, "volumes")) {
		if path := at(volume, "hostPath"); !missing(path) && !path.IsComputed() {
			messages = append(messages, fmt.Sprintf("volume %s is a path of the node; use an emptyDir, a ConfigMap, a Secret "+
				"or a claim", text(at(volume, "name"))))
		}
	}
	for _, c := range allContainers(pod) {
		for _, port := range items(at(c.Value, "ports")) {
			if value, ok := number(at(port, "hostPort")); ok && value != 0 {
				messages = append(messages, fmt.Sprintf("%s: it takes port %v of the node; remove hostPort and use a Service",
					c.where, value))
			}
		}
	}
	return messages
}

func serviceAccountToken(r Resource, limits Limits, pod podsIn) []string {
	mounted := at(pod.spec, "automountServiceAccountToken")
	declared := slices.ContainsFunc(limits.words("workloads"), func(pattern string) bool {
		return matches(pattern, r.name())
	})
	if declared || unknown(r.at("metadata", "name")) {
		return nil
	}
	const declare = ", or name the workload in `workloads` of pod-service-account-token in the pack's configuration"
	var messages []string
	if !unknown(mounted) && !isFalse(mounted) {
		messages = append(messages, fmt.Sprintf("the pods of %s get a token of the API server; "+
			"set automountServiceAccountToken to false%s", r.name(), declare))
	}
	for _, volume := range items(at(pod.spec, "volumes")) {
		for _, source := range items(at(volume, "projected", "sources")) {
			for _, field := range []string{"serviceAccountToken", "podCertificate"} {
				if value := at(source, field); !missing(value) && !value.IsComputed() {
					messages = append(messages, fmt.Sprintf("volume %s gives the pods of %s a %s, which signs in to the API "+
						"server; remove it%s", text(at(volume, "name")), r.name(), field, declare))
				}
			}
		}
	}
	return messages
}

// tokenSecret finds a Secret that the cluster fills with a token of a service account: it never expires.
func tokenSecret(r Resource, _ Limits) []string {
	if r.kind() != "Secret" || text(r.at("type")) != "kubernetes.io/service-account-token" {
		return nil
	}
	return []string{fmt.Sprintf("Secret %s gets a token of the API server that never expires; remove it, and let the "+
		"kubelet give the pods that need one a short-lived token", r.name())}
}

// matches compares a name with a pattern that may begin or end with *.
func matches(pattern, name string) bool {
	if end, ok := strings.CutPrefix(pattern, "*"); ok {
		return strings.HasSuffix(name, end)
	}
	if start, ok := strings.CutSuffix(pattern, "*"); ok {
		return strings.HasPrefix(name, start)
	}
	return pattern == name
}
