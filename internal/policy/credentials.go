package policy

import (
	"encoding/base64"
	"fmt"
	"strings"

	"github.com/pulumi/pulumi/sdk/v3/go/property"

	"github.com/vextrus/finance-rollout/internal/redact"
)

func credentialPolicies() []Policy {
	return []Policy{
		{
			Name:        "credential-in-env",
			Description: "Environment variables take credentials from a Secret.",
			Resource:    credentialsInEnv,
		},
		{
			Name:        "credential-in-args",
			Description: "Commands and arguments hold no credential; every user of a node can read them.",
			Resource:    credentialsInArgs,
		},
		{
			Name:        "credential-in-configmap",
			Description: "ConfigMaps hold no credential.",
			Resource:    credentialsInConfigMap,
		},
		{
			Name:        "credential-in-metadata",
			Description: "Labels and annotations hold no credential.",
			Resource:    credentialsInMetadata,
		},
		{
			Name:        "credential-in-field",
			Description: "No other field holds a credential: probes, hooks, volumes, custom resources.",
			Resource:    credentialsInFields,
		},
		{
			Name:        "secret-encrypted",
			Description: "The data of a Secret is secret to Pulumi too, and so encrypted in state and hidden in diffs.",
			Resource:    secretEncrypted,
		},
	}
}

func credentialsInEnv(r Resource, limits Limits) []string {
	return eachContainer(func(_ property.Value, c container) string {
		var problems []string
		for _, variable := range items(at(c.Value, "env")) {
			name, value := text(at(variable, "name")), at(variable, "value")
			kind := redact.KindOf(name, text(value))
			if value.Secret() {
				kind = "a Pulumi secret, which the Deployment would show in the open"
			}
			if kind != "" {
				problems = append(problems, fmt.Sprintf("%s holds %s", name, kind))
			}
		}
		if len(problems) == 0 {
			return ""
		}
		return strings.Join(problems, "; ") +
			": move it into a Secret by `pulumi config set --secret --path secrets.NAME.KEY` " +
			"and refer to it by `pulumi config set --path secretEnv.VARIABLE NAME/KEY`; then change it, since the stack's " +
			"file has held it in the open"
	})(r, limits)
}

func credentialsInArgs(r Resource, limits Limits) []string {
	return eachContainer(func(_ property.Value, c container) string {
		for _, field := range []string{"command", "args"} {
			if kind := credentialInWords(items(at(c.Value, field))); kind != "" {
				return fmt.Sprintf(
					"%s holds %s; let the program read it from an environment variable or a file that a Secret fills", field, kind)
			}
		}
		return ""
	})(r, limits)
}

// credentialInWords looks at each word of a command, and at a word together with the flag before it.
func credentialInWords(list []property.Value) string {
	flag := ""
	for _, item := range list {
		word := text(item)
		if item.Secret() {
			return "a Pulumi secret"
		}
		if kind := redact.Kind(word); kind != "" {
			return kind
		}
		isFlag := strings.HasPrefix(word, "-")
		if flag != "" && !isFlag && !redact.Harmless(word) {
			return "a value for " + flag
		}
		flag = ""
		if isFlag && !strings.Contains(word, "=") && redact.NamesCredential(word) {
			flag = word
		}
	}
	return ""
}

func credentialsInConfigMap(r Resource, _ Limits) []string {
	if r.kind() != "ConfigMap" {
		return nil
	}
	var messages []string
	look := func(key, content string, secret bool) {
		kind := redact.KindOf(key, content)
		if secret {
			kind = "a Pulumi secret, which a ConfigMap shows in the open"
		}
		if kind != "" {
			messages = append(messages, fmt.Sprintf("entry %s of ConfigMap %s holds %s; move it into a Secret, then change it",
				key, r.name(), kind))
		}
	}
	data := r.at("data")
	entries(data, func(key string, value property.Value) { look(key, text(value), value.Secret() || data.Secret()) })
	binary := r.at("binaryData")
	entries(binary, func(key string, value property.Value) {
		content, err := base64.StdEncoding.DecodeString(text(value))
		if err == nil {
			look(key, string(content), value.Secret() || binary.Secret())
		}
	})
	return messages
}

func credentialsInMetadata(r Resource, _ Limits) []string {
	if r.kind() == "" {
		return nil
	}
	var messages []string
	look := func(where string, metadata property.Value) {
		for _, field := range []string{"labels", "annotations"} {
			entries(at(metadata, field), func(key string, value property.Value) {
				kind := redact.KindOf(key, text(value))
				if value.Secret() {
					kind = "a Pulumi secret"
				}
				if kind != "" {
					messages = append(messages, fmt.Sprintf("%s %s%s holds %s; %s are shown to everybody who may look: remove it, "+
						"then change it",
						strings.TrimSuffix(field, "s"), key, where, kind, field))
				}
			})
		}
	}
	look("", r.at("metadata"))
	for _, pod := range r.pods() {
		if r.kind() != "Pod" {
			look(" of the pods", at(pod.template, "metadata"))
		}
	}
	return messages
}

func secretEncrypted(r Resource, _ Limits) []string {
	if r.kind() != "Secret" {
		return nil
	}
	var messages []string
	for _, field := range []string{"stringData", "data"} {
		all := r.at(field)
		if all.Secret() {
			continue
		}
		entries(all, func(key string, value property.Value) {
			if !value.Secret() && !value.IsComputed() {
				messages = append(messages, fmt.Sprintf("%s.%s of Secret %s is no Pulumi secret, so that it lies in the stack's "+
					"state in the open; "+
					"set it by `pulumi config set --secret`, or wrap it by pulumi.ToSecret", field, key, r.name()))
			}
		})
	}
	return messages
}
