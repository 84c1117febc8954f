package policy

import (
	"fmt"
	"slices"
	"strings"

	"github.com/pulumi/pulumi/sdk/v3/go/property"
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
			Name:        "rbac-no-escalation",
			Description: "Roles give no way into pods, nodes, certificates or the cluster's own rules.",
			Resource:    noEscalation,
		},
		{
			Name:        "rbac-no-builtin",
			Description: "Bindings hand out roles of this stack and not the cluster's own wide ones.",
			Resource:    noBuiltin,
		},
		{
			Name: "rbac-named-subjects",
			Description: "Bindings are for named accounts: not for everybody, a group of the cluster's own, or the account of " +
				"pods that name none.",
			Resource: namedSubjects,
		},
	}
}

// ruleLists are the rules of rights that a resource holds, wherever they stand: a map with verbs and with what they are
// for. The rules of a FlowSchema look the same and give no rights.
func ruleLists(r Resource) []property.Value {
	if r.kind() == "" || r.kind() == "FlowSchema" {
		return nil
	}
	var rules []property.Value
	visitMaps(r.root(), func(_ []string, _, value property.Value) {
		named := !missing(at(value, "resources")) || !missing(at(value, "nonResourceURLs"))
		if !missing(at(value, "verbs")) && named {
			rules = append(rules, value)
		}
	})
	return rules
}

// roleRules judges each word of each rule.
func roleRules(r Resource, judge func(field string, word string) string) []string {
	var messages []string
	for _, rule := range ruleLists(r) {
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
	var messages []string
	visitMaps(r.root(), func(_ []string, _, value property.Value) {
		name := text(at(value, "roleRef", "name"))
		if slices.Contains(builtin, name) || strings.HasPrefix(name, "system:") {
			messages = append(messages, fmt.Sprintf("%s %s hands out the cluster's role %s; bind a Role that names what is "+
				"needed", r.kind(), r.name(), name))
		}
	})
	return messages
}

func namedSubjects(r Resource, _ Limits) []string {
	var messages []string
	visitMaps(r.root(), func(_ []string, _, value property.Value) {
		if missing(at(value, "roleRef")) {
			return
		}
		for _, subject := range items(at(value, "subjects")) {
			name := text(at(subject, "name"))
			if text(at(subject, "kind")) == "ServiceAccount" && name == "default" {
				messages = append(messages, fmt.Sprintf("%s %s gives its rights to the account default, which every pod of the "+
					"namespace has that names none; name an account of its own", r.kind(), r.name()))
			}
			if strings.HasPrefix(name, "system:") && !strings.HasPrefix(name, "system:serviceaccount:") {
				messages = append(messages, fmt.Sprintf("%s %s gives its rights to %s, whose members nobody here chooses; name "+
					"the ServiceAccount that needs them", r.kind(), r.name(), name))
			}
		}
	})
	return messages
}
