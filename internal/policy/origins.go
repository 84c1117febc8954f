package policy

import (
	"encoding/base64"
	"fmt"
	"net/url"
	"slices"
	"strings"

	"github.com/pulumi/pulumi/sdk/v3/go/property"

	"github.com/vextrus/finance-rollout/internal/names"
	"github.com/vextrus/finance-rollout/internal/redact"
)

// production is the value of the environment label that the strictest rules are for.
const production = "production"

func originPolicies() []Policy {
	environments := Limit{
		Name:        "environments",
		Description: "Values of the environment label that the rule is for.",
		Default:     []string{production},
	}
	return []Policy{
		{
			Name:        "cors-origin",
			Description: "In production, browsers are let in from named https origins alone.",
			Limits: []Limit{environments, {
				Name:        "names",
				Description: "Names of variables and entries that hold origins; case and separators do not matter.",
				Default:     []string{"CORS_ORIGIN", "CORS_ORIGINS", "CORS_ALLOWED_ORIGINS", "ALLOWED_ORIGINS"},
			}},
			Resource: corsOrigin,
		},
		{
			Name:        "cors-origin-set",
			Description: "In production, a track has the list of origins to allow.",
			Stack:       corsOriginSet,
		},
		{
			Name:        "eventstore-tls",
			Description: "In production, the event store is reached by TLS.",
			Limits: []Limit{environments, {
				Name:        "names",
				Description: "Names of variables and entries that hold the connection; case and separators do not matter.",
				Default: []string{"EVENTSTORE_CONNECTION_STRING", "EVENTSTORE_CONNECTION", "EVENTSTORE_URL",
					"KURRENTDB_CONNECTION_STRING"},
			}, {
				Name:        "local",
				Description: "Schemes of an event store inside the process, which no network is between.",
				Default:     []string{"memory"},
			}},
			Resource: eventStoreTLS,
		},
	}
}

// environmentOf is the environment of a resource, or of the pods that it makes.
func environmentOf(r Resource) string {
	if labelled := r.label(names.Environment); labelled != "" {
		return labelled
	}
	return text(at(r.podLabels(), names.Environment))
}

// eachSetting calls visit for every named value that reaches a container: variables, and the entries of ConfigMaps
// and Secrets.
func eachSetting(r Resource, visit func(where, name string, value property.Value)) {
	switch r.kind() {
	case "ConfigMap":
		entries(r.at("data"), func(key string, value property.Value) { visit("ConfigMap "+r.name(), key, value) })
	case "Secret":
		entries(r.at("stringData"), func(key string, value property.Value) { visit("Secret "+r.name(), key, value) })
		entries(r.at("data"), func(key string, value property.Value) {
			if content, err := base64.StdEncoding.DecodeString(text(value)); err == nil && value.IsString() {
				visit("Secret "+r.name(), key, property.New(string(content)))
			}
		})
	default:
		for _, pod := range r.pods() {
			for _, c := range allContainers(pod.spec) {
				for _, variable := range items(at(c.Value, "env")) {
					if value := at(variable, "value"); !missing(value) {
						visit(c.where, text(at(variable, "name")), value)
					}
				}
			}
		}
	}
}

// settingsNamed judges the values of the given names in the environments that a rule is for.
func settingsNamed(r Resource, limits Limits, judge func(value string) string) []string {
	if !slices.Contains(limits.words("environments"), environmentOf(r)) {
		return nil
	}
	var messages []string
	eachSetting(r, func(where, name string, value property.Value) {
		if !value.IsString() || !namedLike(limits.words("names"), name) {
			return
		}
		if message := judge(value.AsString()); message != "" {
			messages = append(messages, fmt.Sprintf("%s of %s %s", name, where, message))
		}
	})
	return messages
}

func namedLike(names []string, name string) bool {
	return slices.ContainsFunc(names, func(known string) bool {
		return slices.Equal(redact.Words(known), redact.Words(name))
	})
}

// corsOrigin gives no value back: it may come from a Secret.
func corsOrigin(r Resource, limits Limits) []string {
	const change = "; name the origins, for example `pulumi config set --secret --path " +
		"secrets.finance-secrets.cors-origin https://app.vextrus.com`"
	return settingsNamed(r, limits, func(value string) string {
		if strings.TrimSpace(value) == "" {
			return "is empty, which leaves the allowed origins to the service" + change
		}
		for origin := range strings.SplitSeq(value, ",") {
			origin = strings.TrimSpace(origin)
			parsed, err := url.Parse(origin)
			switch {
			case strings.Contains(origin, "*"):
				return "lets every site in by *" + change
			case strings.EqualFold(origin, "null"):
				return "lets sandboxed and local pages in by null" + change
			case err != nil || parsed.Host == "":
				return "holds something that is no origin" + change
			case parsed.Scheme == "http":
				return "holds an origin by plain http, whose pages anybody on the way can change" + change
			case parsed.Scheme != "https":
				return "holds something that is no https origin" + change
			}
		}
		return ""
	})
}

// eventStoreTLS gives no value back: it holds credentials.
func eventStoreTLS(r Resource, limits Limits) []string {
	const change = "; end the connection string with ?tls=true"
	return settingsNamed(r, limits, func(value string) string {
		parsed, err := url.Parse(strings.TrimSpace(value))
		switch {
		case err != nil || parsed.Scheme == "":
			return "holds something that is no connection string, such as esdb://host:2113?tls=true"
		case slices.Contains(limits.words("local"), parsed.Scheme):
			return ""
		case !strings.EqualFold(parsed.Query().Get("tls"), "true"):
			return "does not ask for TLS by tls=true, so that events and credentials cross the network in the open" + change
		case strings.EqualFold(parsed.Query().Get("tlsVerifyCert"), "false"):
			return "trusts any certificate by tlsVerifyCert=false" + change + " and without tlsVerifyCert"
		}
		return ""
	})
}

// corsOriginSet resolves what the containers of a track take as a whole, which no resource shows alone.
func corsOriginSet(resources []Resource) []Violation {
	var violations []Violation
	for _, t := range tracksOf(resources) {
		if t.environment != production {
			continue
		}
		if known, set := t.hasVariable(resources, "CORS_ORIGIN"); known && !set {
			violations = append(violations, Violation{t.URN,
				fmt.Sprintf("no container of %s is given CORS_ORIGIN, which leaves the allowed origins to the service; "+
					"set it by `pulumi config set --path secretEnv.CORS_ORIGIN finance-secrets/cors-origin`. "+
					"A service that no browser talks to turns the policy off by {\"cors-origin-set\": \"disabled\"} in the pack's "+
					"configuration", t.name())})
		}
	}
	return violations
}
