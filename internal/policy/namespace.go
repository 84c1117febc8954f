package policy

import (
	"fmt"
	"slices"
	"strings"

	psa "k8s.io/pod-security-admission/api"
)

func namespacePolicies() []Policy {
	return []Policy{{
		Name:        "namespace-pod-security",
		Description: "Namespaces let the API server refuse pods that break the level restricted.",
		Limits: []Limit{{
			Name:        "levels",
			Description: "Values of the label pod-security.kubernetes.io/enforce that are allowed.",
			Default:     []string{string(psa.LevelRestricted)},
		}},
		Resource: namespaceLevel,
	}}
}

// oldestStandard is the minor version of Kubernetes since which the standard has all of its checks but those of newer
// fields: a pod from before it keeps its capabilities.
const oldestStandard = 25

func namespaceLevel(r Resource, limits Limits) []string {
	if r.kind() != "Namespace" {
		return nil
	}
	labels, allowed := r.at("metadata", "labels"), limits.words("levels")
	if labels.IsComputed() || r.at("metadata").IsComputed() {
		return nil
	}
	var messages []string
	level := at(labels, psa.EnforceLevelLabel)
	patched := missing(level) && r.rawKind() != r.kind() // A patch leaves the label that the namespace has.
	if !unknown(level) && !patched && !slices.Contains(allowed, text(level)) {
		messages = append(messages, fmt.Sprintf("namespace %s enforces the level %q; set the label %s to %s", r.name(),
			text(level), psa.EnforceLevelLabel, strings.Join(allowed, " or ")))
	}
	version := at(labels, psa.EnforceVersionLabel)
	if missing(version) || unknown(version) {
		return messages
	}
	parsed, err := psa.ParseVersion(text(version))
	if err != nil || parsed.Older(psa.MajorMinorVersion(1, oldestStandard)) {
		messages = append(messages, fmt.Sprintf("namespace %s enforces the standard of version %q, which lacks checks; "+
			"remove the label %s or set it to latest", r.name(), text(version), psa.EnforceVersionLabel))
	}
	return messages
}
