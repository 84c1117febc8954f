package policy

import (
	"fmt"
	"path"
	"slices"
	"strings"
)

func kindPolicies() []Policy {
	return []Policy{{
		Name:        "known-kinds",
		Description: "Every resource is of a kind that the pack can judge.",
		Limits: []Limit{{
			Name: "kinds",
			Description: "Type tokens that the stack may hold; * stands for any version or name up to the next slash. " +
				"A Patch and a List count as the kind that they are of.",
			Default: knownKinds(),
		}},
		Resource: knownKind,
	}}
}

// knownKinds are the types whose whole effect stands in their own properties, and those that only hold others.
// Left out is what makes pods, or changes them, where no policy looks: charts that the cluster renders, commands,
// webhooks that mutate, and custom resources that nobody has read.
func knownKinds() []string {
	kinds := []string{
		// Pulumi's own; components hold resources that are judged one by one.
		"pulumi:pulumi:*", "pulumi:providers:*", "finance-rollout:index:*", "docker:index/image:Image",
		"docker-build:index:Image", "pulumi:index:Stash",
		"kubernetes:yaml:ConfigFile", "kubernetes:yaml:ConfigGroup", "kubernetes:yaml/v2:ConfigFile",
		"kubernetes:yaml/v2:ConfigGroup", "kubernetes:kustomize:Directory", "kubernetes:kustomize/v2:Directory",
		"kubernetes:helm.sh/v3:Chart", "kubernetes:helm.sh/v4:Chart",
	}
	for group, names := range map[string]string{
		"core/*": "ConfigMap Endpoints Event LimitRange List Namespace PersistentVolume PersistentVolumeClaim Pod " +
			"PodTemplate ReplicationController ResourceQuota Secret Service ServiceAccount",
		"apps/*":                         "ControllerRevision DaemonSet Deployment ReplicaSet StatefulSet",
		"batch/*":                        "CronJob Job",
		"autoscaling/*":                  "HorizontalPodAutoscaler",
		"policy/*":                       "PodDisruptionBudget",
		"networking.k8s.io/*":            "Ingress IngressClass NetworkPolicy",
		"discovery.k8s.io/*":             "EndpointSlice",
		"coordination.k8s.io/*":          "Lease",
		"scheduling.k8s.io/*":            "PriorityClass",
		"storage.k8s.io/*":               "StorageClass",
		"rbac.authorization.k8s.io/*":    "ClusterRole ClusterRoleBinding Role RoleBinding",
		"admissionregistration.k8s.io/*": "ValidatingAdmissionPolicy ValidatingAdmissionPolicyBinding",
		"apiextensions.k8s.io/*":         "CustomResourceDefinition",
		"gateway.networking.k8s.io/*":    "Gateway GatewayClass GRPCRoute HTTPRoute ReferenceGrant TCPRoute TLSRoute",
		"monitoring.coreos.com/*":        "PodMonitor PrometheusRule Probe ServiceMonitor",
		"argoproj.io/*":                  "Rollout",
		"serving.knative.dev/*":          "Service",
	} {
		for name := range strings.FieldsSeq(names) {
			kinds = append(kinds, kubernetesPrefix+group+":"+name)
		}
	}
	slices.Sort(kinds)
	return kinds
}

func knownKind(r Resource, limits Limits) []string {
	token := strings.TrimSuffix(r.Type, r.rawKind()) + r.kind()
	names := []string{token, strings.TrimSuffix(token, suffixList)}
	for _, pattern := range limits.words("kinds") {
		for _, name := range names {
			if ok, err := path.Match(pattern, name); err == nil && ok {
				return nil
			}
		}
	}
	return []string{fmt.Sprintf("the pack does not know %s, so that nobody judges what it makes; %s, or, when somebody "+
		"has "+
		"read what it does, add it to `kinds` of known-kinds in the pack's configuration", typeOf(r), insteadOf(r.Type))}
}

func typeOf(r Resource) string {
	if r.Type == "" {
		return "a resource without a type"
	}
	return r.Type
}

// insteadOf tells what to write in place of a type that cannot be judged.
func insteadOf(token string) string {
	switch {
	case strings.HasPrefix(token, "kubernetes:helm.sh/"):
		return "use kubernetes:helm.sh/v4:Chart, whose objects Pulumi renders and the pack judges"
	case strings.HasPrefix(token, "command:"), strings.HasPrefix(token, "pulumi-"):
		return "write what it does as resources"
	}
	return "write what it makes as resources of Kubernetes"
}
