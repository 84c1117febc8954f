package policy

import (
	"fmt"
	"slices"
	"strings"
)

func rbacPolicies() []Policy {
	return []Policy{
		{
			Name:        "rbac-no-wildcard",
			Description: "Roles name what they allow: no wildcard, and no verb that gives away more than it says.",
			Resource:    noWildcard,
		},
		{
			Name:        "rbac-no-secrets",
			Description: "Roles give no access to Secrets and no way to get tokens.",
			Resource:    noSecrets,
		},
		{
			Name:        "rbac-no-builtin",
			Description: "Bindings hand out roles of this stack and not the cluster's own wide ones.",
			Resource:    noBuiltin,
		},
	}
}

// roleRules judges each rule of a Role or ClusterRole.
func roleRules(r Resource, judge func(field string, word string) string) []string {
	if kind := r.kind(); kind != "Role" && kind != "ClusterRole" {
		return nil
	}
	var messages []string
	for _, rule := range items(r.at("rules")) {
		for _, field := range []string{"apiGroups", "resources", "verbs", "nonResourceURLs"} {
			for _, word := range words(at(rule, field)) {
				if message := judge(field, word); message != "" {
					messages = append(messages, fmt.Sprintf("%s %s: %s", r.kind(), r.name(), message))
				}
			}
		}
	}
	return messages
}

func noWildcard(r Resource, _ Limits) []string {
	return roleRules(r, func(field, word string) string {
		switch {
		case strings.Contains(word, "*"):
			return fmt.Sprintf("%s holds %s, which also allows what nobody thought of; name each one", field, word)
		case field == "verbs" && slices.Contains([]string{"escalate", "bind", "impersonate"}, word):
			return fmt.Sprintf("the verb %s lets its holder take any right; remove it", word)
		}
		return ""
	})
}

func noSecrets(r Resource, _ Limits) []string {
	return roleRules(r, func(field, word string) string {
		if name, _, _ := strings.Cut(word, "/"); field == "resources" &&
			(name == "secrets" || word == "serviceaccounts/token") {
			return fmt.Sprintf("it allows %s; remove that: pods are given the Secrets that they need as variables or volumes",
				word)
		}
		return ""
	})
}

// builtin are the cluster's own roles that can read or write Secrets, or nearly anything.
var builtin = []string{"cluster-admin", "admin", "edit"}

func noBuiltin(r Resource, _ Limits) []string {
	if kind := r.kind(); kind != "RoleBinding" && kind != "ClusterRoleBinding" {
		return nil
	}
	name := text(r.at("roleRef", "name"))
	if slices.Contains(builtin, name) || strings.HasPrefix(name, "system:") {
		return []string{fmt.Sprintf("%s %s hands out the cluster's role %s; bind a Role that names what is needed", r.kind(),
			r.name(), name)}
	}
	return nil
}
